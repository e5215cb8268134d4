//! The promise of [`insert_missing`](crate::insert_missing) on a store.

use std::sync::Arc;

use crate::suite::desk::{fresh, row, soon, write};
use crate::{Operation, Query, TableStore, insert_missing};

/// More rows than a transaction holds, some of which are there: they come back as they are, and the others are inserted.
pub async fn missing_rows_are_inserted_and_others_left_alone(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let key = |n: usize| format!("{n:04}");
    let there = [7, 120, 121].map(|n| Operation::Insert(row(&key(n)).with("Old", true)));
    write(&table, there.into()).await;
    let rows = (0..230).map(|n| row(&key(n)).with("N", 1)).collect();
    let found = insert_missing(&table, rows, &mut || 0.0, soon()).await.unwrap();
    let found: Vec<_> = found.into_iter().map(|stored| stored.entity).collect();
    assert_eq!(found, [7, 120, 121].map(|n| row(&key(n)).with("Old", true)));
    let all = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    assert_eq!(all.len(), 230);
    assert_eq!(all.iter().filter(|stored| stored.entity.get("Old").is_some()).count(), 3);
}
