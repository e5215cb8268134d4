//! The file of version 0.1.0: three redb tables of JSON, read whole.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fieldcast_tables::{Entity, Value};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::Deserialize;

use crate::primitives::instant::Millis;
use crate::store::shard::{Shard, Shards};

type Key = (&'static str, &'static str);
pub(super) const DEVICES: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("DeviceState");
pub(super) const REJECTED: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("RejectedTelemetry");
pub(super) const LAYOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("Layout");

/// Everything that the file holds, as rows of the tables.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Left {
    pub(super) layout: Vec<Entity>,
    pub(super) devices: Vec<Entity>,
    pub(super) rejected: Vec<Entity>,
}

#[derive(Deserialize)]
struct DeviceRow {
    columns: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
enum Cell {
    Text(String),
    Number(f64),
    Whole(i64),
    Time(Millis),
}

#[derive(Deserialize)]
struct RejectedRow {
    device_id: Option<String>,
    reason: String,
    detail: String,
    body: Vec<u8>,
    body_length: i64,
    hub_partition: String,
    sequence_number: Option<i64>,
    index: i64,
    enqueued_at: Option<Millis>,
    refused_at: Millis,
}

/// Reads the file. An error is a sentence for the operator, who sees it before anything was changed.
pub(super) fn read(path: &Path) -> Result<Left, String> {
    let database = redb::Database::open(path).map_err(|error| match error {
        redb::DatabaseError::DatabaseAlreadyOpen => {
            "another process has the file open; stop it, then start again".to_owned()
        }
        other => other.to_string(),
    })?;
    read_tables(&database)
}

fn read_tables(database: &redb::Database) -> Result<Left, String> {
    let transaction = database.begin_read().map_err(|error| error.to_string())?;
    let mut left = Left::default();
    for (keys, bytes) in rows(transaction.open_table(DEVICES))? {
        left.devices.push(device(&keys, &bytes)?);
    }
    for (keys, bytes) in rows(transaction.open_table(REJECTED))? {
        left.rejected.push(rejected(&keys, &bytes)?);
    }
    let shards = match transaction.open_table(LAYOUT) {
        Ok(layout) => {
            layout.get("PartitionShards").map_err(|error| error.to_string())?.map(|count| count.value())
        }
        Err(redb::TableError::TableDoesNotExist(_)) => None,
        Err(error) => return Err(error.to_string()),
    };
    left.layout = layout(shards.unwrap_or(1), &left.devices)?;
    Ok(left)
}

type Rows = Vec<((String, String), Vec<u8>)>;
type Opened = Result<redb::ReadOnlyTable<Key, &'static [u8]>, redb::TableError>;

/// The rows of a table, which need not exist.
fn rows(table: Opened) -> Result<Rows, String> {
    let table = match table {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Rows::new()),
        Err(error) => return Err(error.to_string()),
    };
    let mut rows = Rows::new();
    for entry in table.iter().map_err(|error| error.to_string())? {
        let (key, bytes) = entry.map_err(|error| error.to_string())?;
        let (partition, row) = key.value();
        rows.push(((partition.to_owned(), row.to_owned()), bytes.value().to_vec()));
    }
    Ok(rows)
}

fn device((partition, row): &(String, String), bytes: &[u8]) -> Result<Entity, String> {
    let unreadable = |error| format!("the row of device {row:?} cannot be read ({error}); restore the file");
    let DeviceRow { columns } = serde_json::from_slice(bytes).map_err(unreadable)?;
    let value = |cell| match cell {
        Cell::Text(text) => Value::String(text),
        Cell::Number(number) => Value::Double(number),
        Cell::Whole(whole) => Value::Int64(whole),
        Cell::Time(time) => Value::DateTime(time.to_text()),
    };
    let properties = columns.into_iter().map(|(column, cell)| (column, value(cell))).collect();
    Ok(Entity::of_distinct(partition.as_str(), row.as_str(), properties))
}

fn rejected((partition, row): &(String, String), bytes: &[u8]) -> Result<Entity, String> {
    let unreadable = |error| format!("a rejected reading cannot be read ({error}); restore the file");
    let stored: RejectedRow = serde_json::from_slice(bytes).map_err(unreadable)?;
    let mut entity = Entity::new(partition.as_str(), row.as_str())
        .with("Reason", stored.reason)
        .with("Detail", stored.detail)
        .with("Body", stored.body)
        .with("BodyLength", stored.body_length)
        .with("HubPartition", stored.hub_partition)
        .with("ReadingIndex", stored.index)
        .with("RefusedAt", Value::DateTime(stored.refused_at.to_text()));
    if let Some(device) = stored.device_id {
        entity.set("DeviceId", device);
    }
    if let Some(sequence) = stored.sequence_number {
        entity.set("SequenceNumber", sequence);
    }
    if let Some(enqueued_at) = stored.enqueued_at {
        entity.set("EnqueuedAt", Value::DateTime(enqueued_at.to_text()));
    }
    Ok(entity)
}

/// A layout row for each `PartitionKey` that has devices; the file recorded one count for all of them.
fn layout(shards: u64, devices: &[Entity]) -> Result<Vec<Entity>, String> {
    let damaged = || "its record of PartitionShards cannot be read; restore the file".to_owned();
    let shards = u16::try_from(shards).map_err(|_| damaged())?;
    let sites: BTreeSet<&str> =
        devices.iter().map(|row| site(&row.partition, shards)).collect::<Option<_>>().ok_or_else(damaged)?;
    let row = |site: &str| Entity::new(site, "layout").with("PartitionShards", i64::from(shards));
    Ok(sites.into_iter().map(row).collect())
}

/// The `PartitionKey` that a partition belongs to: its own key for one shard, else without the number.
fn site(partition: &str, shards: u16) -> Option<&str> {
    if shards == 1 {
        return Some(partition);
    }
    let (site, number) = partition.rsplit_once('-')?;
    let number = number.parse().ok().filter(|number| *number < shards)?;
    (Shards::new(site, shards).key(Shard(number)) == partition).then_some(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_of_a_partition_is_found_whatever_its_name() {
        assert_eq!(site("Sydney", 1), Some("Sydney"));
        assert_eq!(site("Sydney-01", 1), Some("Sydney-01"));
        assert_eq!(site("Sydney-01", 4), Some("Sydney"));
        assert_eq!(site("Bay-02-01", 4), Some("Bay-02"));
        for stranger in ["Sydney", "Sydney-04", "Sydney-1", "Sydney-001", "Sydney-+1"] {
            assert_eq!(site(stranger, 4), None, "{stranger}");
        }
    }
}
