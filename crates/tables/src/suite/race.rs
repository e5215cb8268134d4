//! The promise that everything rests on: of two writers that race, one succeeds.

use std::sync::Arc;

use tokio::task::JoinSet;

use crate::suite::desk::{fresh, row, soon, write};
use crate::{Error, Etag, Operation, Query, Stored, Table, TableStore, Value};

const TASKS: i64 = 4;
const INCREMENTS: i64 = 25;
const COUNTERS: [&str; 2] = ["one", "two"];

/// Four tasks increment two counters together, 25 times each: both end at 100.
pub async fn counters_that_four_tasks_increment_lose_nothing(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    write(&table, COUNTERS.map(|key| Operation::Insert(row(key).with("Count", 0_i64))).into()).await;
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let table = table.clone();
        tasks.spawn(async move {
            for _ in 0..INCREMENTS {
                while !increment(&table).await {}
            }
        });
    }
    tasks.join_all().await;
    let counts: Vec<_> = read(&table).await.into_iter().map(|(_, _, count)| count).collect();
    assert_eq!(counts, [TASKS * INCREMENTS; 2]);
}

/// Returns whether it was done: not if another task was faster.
async fn increment(table: &Table) -> bool {
    let merge =
        |(key, etag, count): (String, _, i64)| Operation::Merge(row(&key).with("Count", count + 1), etag);
    let merges = read(table).await.into_iter().map(merge).collect();
    match table.transact(merges, soon()).await {
        Ok(_) => true,
        Err(Error::Conflict { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

async fn read(table: &Table) -> Vec<(String, Etag, i64)> {
    let rows = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    let counter = |stored: Stored| {
        let count = stored.entity.get("Count").and_then(Value::as_i64).unwrap();
        (stored.entity.row, stored.etag, count)
    };
    rows.into_iter().map(counter).collect()
}
