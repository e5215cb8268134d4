//! What the promises have in common: tables of their own, rows to write, and what they expect of errors.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::{Deadline, Entity, Error, Etag, Invalid, Operation, Query, Table, TableName, TableStore};

/// Time enough for a slow machine.
pub(super) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

/// A table of a name that nobody has used, not created.
pub(super) fn unused(store: &Arc<dyn TableStore>) -> Table {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_micros();
    let name = format!("Suite{now:x}x{}", COUNT.fetch_add(1, Ordering::Relaxed));
    Table::new(Arc::clone(store), TableName::new(&name).unwrap())
}

/// A new table.
pub(super) async fn fresh(store: &Arc<dyn TableStore>) -> Table {
    let table = unused(store);
    table.create(soon()).await.unwrap();
    table
}

/// A row of partition `p`.
pub(super) fn row(key: &str) -> Entity {
    Entity::new("p", key)
}

/// Rows of a partition with numbers for keys and in property `N`.
pub(super) fn numbered(partition: &str, numbers: std::ops::Range<u32>) -> Vec<Operation> {
    let row = |n: u32| Entity::new(partition, format!("{n:04}")).with("N", f64::from(n));
    numbers.map(|n| Operation::Insert(row(n))).collect()
}

/// Writes rows and returns their etags.
pub(super) async fn write(table: &Table, operations: Vec<Operation>) -> Vec<Etag> {
    table.transact(operations, soon()).await.unwrap().into_iter().flatten().collect()
}

/// The keys of the rows that a query finds.
pub(super) async fn keys(table: &Table, query: &Query) -> Vec<String> {
    table.query_all(query, soon()).await.unwrap().into_iter().map(|stored| stored.entity.row).collect()
}

pub(super) fn delete(row: &str, etag: &Etag) -> Operation {
    Operation::Delete { partition: "p".to_owned(), row: row.to_owned(), etag: etag.clone() }
}

/// The code of a conflict, and the operation it was about.
pub(super) fn conflict<T: Debug>(result: Result<T, Error>) -> (Option<usize>, String) {
    match result {
        Err(Error::Conflict { index, code }) => (index, code),
        other => panic!("no conflict: {other:?}"),
    }
}

/// The rule that a request breaks, and the operation that breaks it.
pub(super) fn invalid<T: Debug>(result: Result<T, Error>) -> (Option<usize>, Invalid) {
    match result {
        Err(Error::Invalid { index, reason }) => (index, reason),
        other => panic!("not invalid: {other:?}"),
    }
}
