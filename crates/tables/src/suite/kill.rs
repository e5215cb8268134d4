//! The promise of a durable store when its process is killed: a writer that never ends, and a look at what it left.
//!
//! The harness starts a process that runs [`write_for_ever`], reads the numbers that it acknowledges, kills it at any moment,
//! and then calls [`verify`] on a store that it opens itself.

use std::sync::Arc;
use std::time::Duration;

use crate::{Deadline, Entity, Etag, Operation, Query, Table, TableName, TableStore, Value};

/// Rows that every transaction brings to the same number.
const PAIR: [&str; 2] = ["one", "two"];

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn table(store: Arc<dyn TableStore>) -> Table {
    Table::new(store, TableName::new("Killed").unwrap())
}

/// A row that takes some pages, so that a transaction is more than one write to a disk.
fn entry(number: i64) -> Entity {
    Entity::new("p", format!("entry-{number:09}")).with("Text", "x".repeat(8_000))
}

fn counter(key: &str, number: i64) -> Entity {
    Entity::new("p", key).with("Number", number)
}

/// Writes transaction after transaction, from where an earlier writer was killed, and reports the number of each when it
/// is acknowledged. Each brings two rows to its number and inserts a third.
pub async fn write_for_ever(store: Arc<dyn TableStore>, mut report: impl FnMut(i64)) {
    let table = table(store);
    table.create(soon()).await.unwrap();
    let mut number = found(&table).await;
    let mut etags = current(&table).await;
    loop {
        number += 1;
        let pair = PAIR.iter().zip(etags).map(|(key, etag)| match etag {
            None => Operation::Insert(counter(key, number)),
            Some(etag) => Operation::Merge(counter(key, number), etag),
        });
        let operations = pair.chain([Operation::Insert(entry(number))]).collect();
        let written = table.transact(operations, soon()).await.unwrap();
        report(number);
        etags = written.into_iter().take(PAIR.len()).collect();
    }
}

async fn current(table: &Table) -> Vec<Option<Etag>> {
    let mut etags = Vec::new();
    for key in PAIR {
        etags.push(table.get("p", key, soon()).await.unwrap().map(|stored| stored.etag));
    }
    etags
}

/// The number to which the rows were brought; both, or none was.
async fn found(table: &Table) -> i64 {
    let mut numbers = Vec::new();
    for key in PAIR {
        let stored = table.get("p", key, soon()).await.unwrap();
        numbers
            .push(stored.and_then(|stored| stored.entity.get("Number").and_then(Value::as_i64)).unwrap_or(0));
    }
    assert_eq!(numbers[0], numbers[1], "half a transaction is there");
    numbers[0]
}

/// Checks what a writer left that was killed after it acknowledged this number, 0 for none; returns what is there.
///
/// # Panics
/// If an acknowledged transaction is lost, or half of one is there.
pub async fn verify(store: Arc<dyn TableStore>, acknowledged: i64) -> i64 {
    let table = table(store);
    table.create(soon()).await.unwrap();
    let number = found(&table).await;
    assert!(number >= acknowledged, "{acknowledged} was acknowledged, and {number} is there");
    let entries = Query::partition("p").rows("entry-".."entry.").select(["Missing"]);
    let entries = table.query_all(&entries, soon()).await.unwrap();
    let keys: Vec<_> = entries.into_iter().map(|stored| stored.entity.row).collect();
    let expected: Vec<_> = (1..=number).map(|number| entry(number).row).collect();
    assert_eq!(keys, expected, "the third rows differ");
    number
}
