//! The redb file of the embedded store. Synchronous: its caller moves it off the async threads.

mod changes;
mod refusals;
mod reshard;

use std::path::Path;
use std::time::SystemTime;

use redb::{ReadOnlyTable, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize};

use self::changes::Changes;
use crate::devices::row::{Row, from_row, to_row};
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::store::{CommitError, Expect, Loaded, Moment, Page, Revision, StoreError, Stored, Write};
use crate::telemetry::catalogue::Catalogue;

/// Key: shard key and device id.
type Key = (&'static str, &'static str);
const STATES: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("DeviceState");
const LAYOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("Layout");

/// Rows of one scan page; the same as Table Storage's, so that callers meet the same pages on a laptop.
const PAGE: usize = 1_000;

/// The open file. Another process cannot open it meanwhile.
pub(super) struct Database {
    file: redb::Database,
}

#[derive(Serialize, Deserialize)]
struct StoredRow {
    revision: u64,
    written_at: Millis,
    /// The row's entry in [`changes`]; 0 in rows of versions that had no such list.
    #[serde(default)]
    change: u64,
    columns: Row,
}

/// Any failure of the file: the invocation fails, and comes back.
fn unavailable(error: impl Into<redb::Error>) -> StoreError {
    StoreError::Unavailable(error.into().to_string())
}

impl Database {
    pub(super) fn open(directory: &Path, shards: u16) -> Result<Database, StoreError> {
        let misconfigured =
            |problem: String| StoreError::Misconfigured(format!("{}: {problem}", directory.display()));
        std::fs::create_dir_all(directory).map_err(|error| misconfigured(error.to_string()))?;
        let file = redb::Database::create(directory.join("fieldcast.redb")).map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => {
                misconfigured("another process has it open".to_owned())
            }
            other => misconfigured(other.to_string()),
        })?;
        let database = Database { file };
        let recorded = database.record_layout(u64::from(shards))?;
        match recorded == u64::from(shards) {
            true => Ok(database),
            false => Err(crate::store::table::layout::wrong_shards(recorded, shards)),
        }
    }

    /// Writes the shard count if none is recorded, makes the tables, and returns what is recorded.
    fn record_layout(&self, shards: u64) -> Result<u64, StoreError> {
        let transaction = self.begin()?;
        transaction.open_table(STATES).map_err(unavailable)?;
        transaction.open_table(refusals::REFUSALS).map_err(unavailable)?;
        transaction.open_table(changes::CHANGES).map_err(unavailable)?;
        let recorded = {
            let mut layout = transaction.open_table(LAYOUT).map_err(unavailable)?;
            let recorded = layout.get("PartitionShards").map_err(unavailable)?.map(|count| count.value());
            if recorded.is_none() {
                layout.insert("PartitionShards", shards).map_err(unavailable)?;
            }
            recorded.unwrap_or(shards)
        };
        transaction.commit().map_err(unavailable)?;
        Ok(recorded)
    }

    /// Two-phase commits: a process that dies in a commit, or twice in a repair, never loses an earlier one.
    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut transaction = self.file.begin_write().map_err(unavailable)?;
        transaction.set_two_phase_commit(true);
        Ok(transaction)
    }

    pub(super) fn load(
        &self,
        shard: &str,
        devices: &[DeviceId],
        catalogue: &Catalogue,
    ) -> Result<Vec<Loaded>, StoreError> {
        let transaction = self.file.begin_read().map_err(unavailable)?;
        let states = transaction.open_table(STATES).map_err(unavailable)?;
        let read = |device: &DeviceId| -> Result<Loaded, StoreError> {
            Ok(match states.get((shard, device.as_str())).map_err(unavailable)? {
                None => Loaded::Absent,
                Some(bytes) => {
                    match decode(bytes.value()).and_then(|row| stored(device.clone(), &row, catalogue)) {
                        Ok(stored) => Loaded::Found(Box::new(stored)),
                        Err(problem) => Loaded::Damaged(problem),
                    }
                }
            })
        };
        devices.iter().map(read).collect()
    }

    pub(super) fn commit(
        &self,
        shard: &str,
        writes: &[Write],
        catalogue: &Catalogue,
    ) -> Result<Vec<Revision>, CommitError> {
        let transaction = self.begin()?;
        let written_at = Millis::from_system(SystemTime::now());
        let mut revisions = Vec::with_capacity(writes.len());
        {
            let mut states = transaction.open_table(STATES).map_err(unavailable)?;
            let mut changes = Changes::open(&transaction)?;
            for write in writes {
                let device = write.state.device.as_str();
                let before = match states.get((shard, device)).map_err(unavailable)? {
                    // A damaged row was never loaded, so nobody holds a revision of it.
                    Some(bytes) => Some(decode(bytes.value()).map_err(|_| CommitError::Conflict)?),
                    None => None,
                };
                // Returning drops the transaction, which writes nothing.
                let revision = next_revision(before.as_ref(), &write.expect).ok_or(CommitError::Conflict)?;
                let change = changes.note(device, before.map(|row| row.change))?;
                let row =
                    StoredRow { revision, written_at, change, columns: to_row(&write.state, catalogue) };
                states.insert((shard, device), encode(&row).as_slice()).map_err(unavailable)?;
                revisions.push(Revision(revision.to_string()));
            }
        }
        transaction.commit().map_err(|error| CommitError::Unknown(redb::Error::from(error).to_string()))?;
        Ok(revisions)
    }

    pub(super) fn scan(
        &self,
        shard: &str,
        since: Option<&Moment>,
        after: Option<&str>,
        catalogue: &Catalogue,
    ) -> Result<Page, StoreError> {
        let transaction = self.file.begin_read().map_err(unavailable)?;
        let states = transaction.open_table(STATES).map_err(unavailable)?;
        let changes = transaction.open_table(changes::CHANGES).map_err(unavailable)?;
        let now = changes::newest(&changes)?;
        let (found, next) = match changes::place(since, after, now) {
            Some(place) => changes::behind(&changes, &states, shard, place)?,
            None => all(&states, shard, after)?,
        };
        let read = |(device, row): (String, StoredRow)| {
            let device = DeviceId::parse(&device).ok()?;
            stored(device, &row, catalogue).ok().map(|stored| stored.state)
        };
        let rows = found.into_iter().filter_map(read).collect();
        Ok(Page { rows, next, read_at: Moment(now.to_string()) })
    }
}

/// Readable rows with their devices, and where the next page begins.
type Rows = (Vec<(String, StoredRow)>, Option<String>);

fn all(
    states: &ReadOnlyTable<Key, &'static [u8]>,
    shard: &str,
    after: Option<&str>,
) -> Result<Rows, StoreError> {
    let mut rows = Vec::new();
    for entry in states.range((shard, after.unwrap_or_default())..).map_err(unavailable)? {
        let (key, bytes) = entry.map_err(unavailable)?;
        let (row_shard, device) = key.value();
        if row_shard != shard {
            break;
        }
        if rows.len() == PAGE {
            return Ok((rows, Some(device.to_owned())));
        }
        rows.extend(decode(bytes.value()).ok().map(|row| (device.to_owned(), row)));
    }
    Ok((rows, None))
}

fn next_revision(before: Option<&StoredRow>, expect: &Expect) -> Option<u64> {
    match (before.map(|row| row.revision), expect) {
        (None, Expect::Absent) => Some(1),
        (Some(revision), Expect::At(expected)) if expected.0 == revision.to_string() => Some(revision + 1),
        _ => None,
    }
}

fn encode<T: Serialize>(row: &T) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows are maps of text and finite numbers")
}

fn decode(bytes: &[u8]) -> Result<StoredRow, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// The row, or why it cannot be used.
fn stored(device: DeviceId, row: &StoredRow, catalogue: &Catalogue) -> Result<Stored, String> {
    let state =
        from_row(device, &row.columns, row.written_at, catalogue).map_err(|error| error.to_string())?;
    Ok(Stored { state, revision: Revision(row.revision.to_string()) })
}
