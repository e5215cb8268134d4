//! What version 0.1.0 left in its file is in the tables after the first start, once, and the file is kept.

use std::time::Duration;

use fieldcast_tables::{MemoryStore, Stored, TableName, Value};
use redb::TableDefinition;
use tempfile::TempDir;

use super::*;
use crate::store::Store;
use crate::store::shard::Shards;

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(30))
}

/// A device row as version 0.1.0 encoded it.
fn device_row(count: i64) -> Vec<u8> {
    format!(
        r#"{{"revision":4,"written_at":1732150631999,"change":9,"columns":{{
            "Celsius":{{"Number":24.100000000000026}},"Count":{{"Whole":{count}}},"Geo":{{"Text":"Sydney"}},
            "ReportedAt":{{"Time":1732150631123}},"Watermarks":{{"Text":"{{\"hub/0\":[7,1]}}"}}}}}}"#
    )
    .into_bytes()
}

const REJECTED: &str = r#"{"device_id":"a","reason":"unreadable","detail":"the body is empty","body":[1,255],
    "body_length":2,"hub_partition":"hub/0","sequence_number":7,"index":0,"enqueued_at":null,"refused_at":5}"#;

/// A directory with a file of version 0.1.0.
fn left_behind(shards: u64, devices: &[(&str, &str, Vec<u8>)]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let database = redb::Database::create(directory.path().join(OLD)).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut rows = transaction.open_table(file::DEVICES).unwrap();
        for (partition, device, bytes) in devices {
            rows.insert((*partition, *device), bytes.as_slice()).unwrap();
        }
        let mut rejected = transaction.open_table(file::REJECTED).unwrap();
        rejected.insert(("hub-0", "x"), REJECTED.as_bytes()).unwrap();
        transaction.open_table(file::LAYOUT).unwrap().insert("PartitionShards", shards).unwrap();
        let changes: TableDefinition<'_, u64, &str> = TableDefinition::new("Changes");
        transaction.open_table(changes).unwrap().insert(9, "a").unwrap();
    }
    transaction.commit().unwrap();
    directory
}

fn store(rows: &Arc<MemoryStore>, directory: &Path, shards: u16) -> Store {
    let rows = Arc::clone(rows) as Arc<dyn TableStore>;
    Store::new(rows, Shards::new("Sydney", shards)).with_upgrade(Upgrade::from_directory(directory))
}

fn rows(store: &MemoryStore, table: &str) -> Vec<Stored> {
    store.rows_by_hand(&TableName::new(table).unwrap())
}

async fn open(store: &Store) -> Result<(), StoreError> {
    store.table(tables::DEVICE_STATE, tokio::time::Instant::now() + Duration::from_secs(30)).await.map(drop)
}

#[tokio::test]
async fn rows_are_moved_once_and_the_file_is_kept() {
    let directory = left_behind(2, &[("Sydney-00", "a", device_row(41)), ("Sydney-01", "b", device_row(7))]);
    let tables = Arc::new(MemoryStore::new());
    open(&store(&tables, directory.path(), 2)).await.unwrap();

    let devices = rows(&tables, "DeviceState");
    assert_eq!(devices.len(), 2);
    let row = &devices[0].entity;
    assert_eq!((row.partition.as_str(), row.row.as_str()), ("Sydney-00", "a"));
    assert_eq!(row.get("Celsius"), Some(&Value::Double(24.100_000_000_000_026)));
    assert_eq!(row.get("Count"), Some(&Value::Int64(41)));
    assert_eq!(row.get("ReportedAt"), Some(&Value::DateTime("2024-11-21T00:57:11.123Z".to_owned())));
    let rejected = rows(&tables, "RejectedTelemetry");
    assert_eq!(rejected[0].entity.get("Body"), Some(&Value::Binary(vec![1, 255])));
    assert!(!directory.path().join(OLD).exists() && directory.path().join(MOVED).exists());

    // A second start finds nothing to do.
    open(&store(&tables, directory.path(), 2)).await.unwrap();
    assert_eq!(rows(&tables, "DeviceState"), devices);
}

#[tokio::test]
async fn a_move_that_was_interrupted_is_finished_and_overwrites_nothing() {
    let directory = left_behind(1, &[("Sydney", "a", device_row(41)), ("Sydney", "b", device_row(7))]);
    let tables = Arc::new(MemoryStore::new());
    let first = table(&(Arc::clone(&tables) as Arc<dyn TableStore>), tables::DEVICE_STATE).unwrap();
    first.create(soon()).await.unwrap();
    let moved = Entity::new("Sydney", "a").with("Count", 42_i64);
    first.insert(&moved, soon()).await.unwrap();
    open(&store(&tables, directory.path(), 1)).await.unwrap();
    let devices = rows(&tables, "DeviceState");
    assert_eq!(devices[0].entity, moved);
    assert_eq!(devices[1].entity.get("Count"), Some(&Value::Int64(7)));
}

#[tokio::test]
async fn another_shard_count_than_the_file_records_is_a_configuration_error() {
    let directory = left_behind(4, &[("Sydney-00", "a", device_row(41))]);
    let error = open(&store(&Arc::new(MemoryStore::new()), directory.path(), 2)).await.unwrap_err();
    let text = crate::primitives::chain::chain(&error);
    assert!(text.contains("PartitionShards is 2") && text.contains("spread over 4"), "{text}");
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_refused_in_one_line_and_never_taken_for_empty() {
    let directory = left_behind(1, &[("Sydney", "a", b"{".to_vec())]);
    let tables = Arc::new(MemoryStore::new());
    let error = open(&store(&tables, directory.path(), 1)).await.unwrap_err();
    let text = crate::primitives::chain::chain(&error);
    assert!(text.contains("the row of device \"a\" cannot be read") && !text.contains('\n'), "{text}");
    assert!(directory.path().join(OLD).exists());
    assert!(rows(&tables, "DeviceState").is_empty());
}
