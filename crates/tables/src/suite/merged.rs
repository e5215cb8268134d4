//! Promises about the row that a merge leads to, which a limit can meet though each part of it is small.

use std::sync::Arc;

use crate::limits::{LARGEST_ROW, MOST_PROPERTIES};
use crate::suite::desk::{fresh, invalid, row, soon};
use crate::suite::limits::of_size;
use crate::{Entity, Error, Invalid, Operation, TableStore};

fn many(key: &str, numbers: std::ops::Range<usize>) -> Entity {
    numbers.fold(row(key), |row, n| row.with(format!("P{n}"), 1))
}

/// 200 properties and 52 others are taken, the next is not; one that is there already costs nothing.
pub async fn a_merged_row_has_at_most_252_properties(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etag = table.insert(&many("a", 0..200), soon()).await.unwrap();
    let etag = table.merge(&many("a", 150..MOST_PROPERTIES), &etag, soon()).await.unwrap();
    let merged = table.merge(&many("a", MOST_PROPERTIES..MOST_PROPERTIES + 1), &etag, soon()).await;
    assert_eq!(invalid(merged), (None, Invalid::TooManyProperties(MOST_PROPERTIES + 1)));
    let both = vec![
        Operation::Insert(row("b")),
        Operation::Merge(many("a", MOST_PROPERTIES..MOST_PROPERTIES + 1), etag.clone()),
    ];
    let merged = table.transact(both, soon()).await;
    assert_eq!(invalid(merged), (Some(1), Invalid::TooManyProperties(MOST_PROPERTIES + 1)));
    assert_eq!(table.get("p", "b", soon()).await.unwrap(), None);
    assert_eq!(table.get("p", "a", soon()).await.unwrap().unwrap().etag, etag);
}

/// A row that a merge fills to a MiB is taken, one that it makes larger is not.
pub async fn a_merged_row_has_at_most_1_mib(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let most = of_size("a", LARGEST_ROW - 100);
    let etag = table.insert(&most, soon()).await.unwrap();
    // 8 and 2 × 5 and 4 bytes around the value.
    let etag = table.merge(&row("a").with("Final", vec![7; 78]), &etag, soon()).await.unwrap();
    let merged: Result<_, Error> = table.merge(&row("a").with("Final", vec![7; 79]), &etag, soon()).await;
    assert_eq!(invalid(merged), (None, Invalid::EntityTooLarge));
    assert_eq!(table.get("p", "a", soon()).await.unwrap().unwrap().etag, etag);
}
