//! Device states in the store: read, written under a condition, and scanned. Everything that this room asks of the store is
//! here; which columns there are is in `row`.

mod load;

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use fieldcast_tables::limits::MOST_OPERATIONS;
use fieldcast_tables::{
    Continuation, Deadline, Entity, Error, Etag, Moment, Operation, Page, Query, Stored, Table, Value,
};
use tokio::task::yield_now;
use tokio::time::Instant;

use super::rarely_changed::{Digest, RarelyChanged};
use super::row;
use super::state::{DeviceState, Latest, Watermark};
use crate::primitives::ids::{DeviceId, HubPartition};
use crate::store::shard::{Shard, Shards};
use crate::store::{Store, StoreError, tables};
use crate::telemetry::catalogue::Catalogue;

/// The most rows of one commit.
pub const MOST_WRITES: usize = MOST_OPERATIONS;

/// Rows of a scan that are made states of before others get their turn: about half a millisecond.
const ROWS_IN_A_TURN: usize = 128;

/// The device rows of an app.
pub struct DeviceRows {
    store: Arc<Store>,
    catalogue: Arc<Catalogue>,
    rarely_changed: RarelyChanged,
    /// Whether it was said that some rows are passed over.
    passed_over: AtomicBool,
}

/// Names one revision of a row, and says what a write of it may leave out.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    etag: Etag,
    held: Held,
}

/// What is known of the row's columns.
#[derive(Clone, Debug, PartialEq)]
enum Held {
    /// This version wrote it.
    Columns(Digest),
    /// An earlier version did: it is written anew, and keeps these columns of others.
    Outdated(Box<[(String, Value)]>),
}

/// A row as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredState {
    /// The state.
    pub state: DeviceState,
    /// Its revision.
    pub revision: Revision,
}

impl StoredState {
    /// About how many bytes it takes in memory, for a cache with a bound: an ordinary row, and what is more than ordinary.
    pub fn memory(&self) -> usize {
        /// With its piece of memory, its etag, its texts and one watermark.
        const ORDINARY: usize = 800;
        /// What a map of verdicts takes for a byte of its packed form, with its nodes and small pieces of memory.
        const UNPACKED: usize = 4;
        let state = &self.state;
        let text = |text: &Option<Latest<String>>| text.as_ref().map_or(0, |latest| latest.value.len());
        let columns = match &self.revision.held {
            Held::Columns(_) => 0,
            Held::Outdated(columns) => columns
                .iter()
                .map(|(name, value)| size_of::<(String, Value)>() + name.len() + length(value))
                .sum(),
        };
        let values = state.values.iter().flatten().map(|latest| latest.value.text_length()).sum::<usize>();
        let verdicts = if state.verdicts.is_empty() { 0 } else { state.verdicts.packed_length() * UNPACKED };
        let watermarks = state.watermarks.len().saturating_sub(1) * size_of::<(HubPartition, Watermark)>();
        ORDINARY + values + text(&state.geo) + text(&state.message_id) + columns + verdicts + watermarks
    }
}

/// Bytes of a value that has any length.
fn length(value: &Value) -> usize {
    value.as_str().map(str::len).or_else(|| value.as_bytes().map(<[u8]>::len)).unwrap_or(0)
}

/// What a device's row turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Loaded {
    /// There is none.
    Absent,
    /// There is one.
    Found(Box<StoredState>),
    /// There is one, but what exactness needs of it cannot be read; why, for the operator. It must not be overwritten.
    Damaged(String),
}

/// What must be true of the row for a write to happen.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// There is none.
    Absent,
    /// It is still at this revision.
    At(Revision),
}

/// A conditional write of one device's row. There is no other kind.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The state to store.
    pub state: DeviceState,
    /// The condition.
    pub expect: Expect,
}

/// Part of a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct StatePage {
    /// States, in no promised order.
    pub states: Vec<DeviceState>,
    /// Devices whose row cannot be read, and what is wrong with it, for anybody who may ask.
    pub damaged: Vec<(DeviceId, String)>,
    /// Where the next page begins; `None`: this was the last one. A page may be empty and still not be the last.
    pub next: Option<Continuation>,
    /// When the page was read: whatever is not in it and not behind it was written after this.
    pub as_of: Moment,
}

/// Why a commit did not happen, or may not have.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold, nothing was written: load, fold and commit again.
    #[error("the row changed meanwhile")]
    Conflict,
    /// Nobody knows whether it was written (the answer was lost): load and compare write ids.
    #[error("the outcome of the write is unknown")]
    Unknown(#[source] Error),
    /// The store does not take one of these rows, now or later, or not all of them in one transaction, and nothing was
    /// written: commit them in parts.
    #[error("the store refuses the row")]
    Refused(#[source] Error),
    /// Nothing was written.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

impl From<Error> for CommitError {
    fn from(error: Error) -> CommitError {
        match error {
            Error::Conflict { .. } => CommitError::Conflict,
            Error::Unknown { .. } => CommitError::Unknown(error),
            // 400: a property or key that the service does not take; 413: too large.
            Error::Invalid { .. } | Error::Refused { status: Some(400 | 413), .. } => {
                CommitError::Refused(error)
            }
            other => CommitError::Failed(other.into()),
        }
    }
}

/// Modules and components of one device that are looked up, at most a page more.
const MOST_PARTS: usize = 1_000;

impl DeviceRows {
    /// The device rows of a store, with the measurements of a catalogue.
    pub fn new(store: Arc<Store>, catalogue: Arc<Catalogue>) -> DeviceRows {
        DeviceRows {
            store,
            catalogue,
            rarely_changed: RarelyChanged::default(),
            passed_over: AtomicBool::new(false),
        }
    }

    /// How the devices are spread over partitions.
    pub fn shards(&self) -> &Shards {
        self.store.shards()
    }

    /// What can be measured.
    pub fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    /// The rows of devices of one shard, in the order asked: what the last successful commit wrote or something newer.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn load(
        &self,
        shard: Shard,
        devices: &[DeviceId],
        deadline: Instant,
    ) -> Result<Vec<Loaded>, StoreError> {
        let table = self.table(deadline).await?;
        let rows = load::rows(&table, &self.key(shard), devices, Deadline::at(deadline)).await?;
        let loaded = |(row, device): (Option<Stored>, &DeviceId)| match row {
            Some(row) => self.loaded(device.clone(), &row),
            None => Loaded::Absent,
        };
        Ok(rows.into_iter().zip(devices).map(loaded).collect())
    }

    /// Writes rows of one shard, all or none, each only if its condition holds at that moment, and returns their new
    /// revisions in order. At most [`MOST_WRITES`] rows, each device once.
    ///
    /// # Errors
    /// [`CommitError`].
    pub async fn commit(
        &self,
        shard: Shard,
        writes: &[Write],
        deadline: Instant,
    ) -> Result<Vec<Revision>, CommitError> {
        let table = self.table(deadline).await?;
        let key = self.key(shard);
        let (operations, digests): (Vec<_>, Vec<_>) =
            writes.iter().map(|write| self.operation(&key, write)).unzip();
        let etags = table.transact(operations, Deadline::at(deadline)).await?;
        let revisions = digests.into_iter().zip(etags.into_iter().flatten());
        Ok(revisions.map(|(digest, etag)| Revision { etag, held: Held::Columns(digest) }).collect())
    }

    /// One page of a shard's states: at least those written since `since`. `from` is the previous page's `next`.
    ///
    /// Passing the `as_of` of a first page, of whichever shard, to a later scan misses no change. Without `since`, or when
    /// the store cannot read that moment, a scan finds all states.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan(
        &self,
        shard: Shard,
        since: Option<&Moment>,
        from: Option<&Continuation>,
        deadline: Instant,
    ) -> Result<StatePage, StoreError> {
        let table = self.table(deadline).await?;
        let query = Query::partition(self.key(shard));
        let query = match since {
            Some(moment) => query.changed_since(moment),
            None => query,
        };
        let page = table.query(&query, from, Deadline::at(deadline)).await?;
        self.page(page).await
    }

    /// The states of one device: its own, and those of its modules and components; at least those written since `since`.
    /// That is one range of keys and one key, however large the shard is. Of modules and components beyond a thousand some
    /// are left out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn scan_device(
        &self,
        device: &DeviceId,
        since: Option<&Moment>,
        deadline: Instant,
    ) -> Result<StatePage, StoreError> {
        let table = self.table(deadline).await?;
        let (partition, deadline) = (self.key(self.shards().of(device)), Deadline::at(deadline));
        let query = |rows: (Bound<&str>, Bound<&str>)| {
            let query = Query::partition(&partition).rows(rows);
            match since {
                Some(moment) => query.changed_since(moment),
                None => query,
            }
        };
        // `|` stands between a device and its module, and `}` comes next: other devices' keys are not in between.
        let (first, end) = (format!("{device}|"), format!("{device}}}"));
        let parts = query((Bound::Included(&first), Bound::Excluded(&end)));
        let mut page = table.query(&parts, None, deadline).await?;
        while let Some(from) = page.next.take()
            && page.rows.len() < MOST_PARTS
        {
            let more = table.query(&parts, Some(&from), deadline).await?;
            page.rows.extend(more.rows);
            page.next = more.next;
        }
        page.next = None;
        let key = device.as_str();
        page.rows.extend(match since {
            None => table.get(&partition, key, deadline).await?,
            Some(_) => table.first(&query((Bound::Included(key), Bound::Included(key))), deadline).await?,
        });
        self.page(page).await
    }

    /// The states of rows. A page of 1,000 rows takes the thread that counts events for some milliseconds, so others get
    /// their turns in between.
    async fn page(&self, page: Page) -> Result<StatePage, StoreError> {
        let (mut states, mut damaged) = (Vec::with_capacity(page.rows.len()), Vec::new());
        for (number, row) in page.rows.into_iter().enumerate() {
            if number > 0 && number % ROWS_IN_A_TURN == 0 {
                yield_now().await;
            }
            let Some(device) = DeviceId::of_key(&row.entity.row) else {
                self.pass_over(&row.entity.row);
                continue;
            };
            match row::state(device.clone(), &row, &self.catalogue) {
                Ok(state) => states.push(state),
                Err(error) => damaged.push((device, error.for_strangers())),
            }
        }
        Ok(StatePage { states, damaged, next: page.next, as_of: page.as_of })
    }

    async fn table(&self, deadline: Instant) -> Result<Table, StoreError> {
        self.store.table(tables::DEVICE_STATE, deadline).await
    }

    fn key(&self, shard: Shard) -> String {
        self.shards().key(shard)
    }

    /// Said once: snapshots are read all the time.
    fn pass_over(&self, key: &str) {
        if !self.passed_over.swap(true, Relaxed) {
            let key: String = key.chars().take(DeviceId::MAX_CHARS).collect();
            tracing::warn!(
                "the row {key:?} of DeviceState is passed over, as perhaps others: its key is no device id"
            );
        }
    }

    fn loaded(&self, device: DeviceId, row: &Stored) -> Loaded {
        let name = device.clone();
        match row::state(device, row, &self.catalogue) {
            Ok(state) => {
                for column in row::unread(&row.entity, &self.catalogue) {
                    tracing::warn!(
                        "the row of device {name:?}: column {column} cannot be read and counts as empty"
                    );
                }
                let revision = Revision { etag: row.etag.clone(), held: self.held(&row.entity) };
                Loaded::Found(Box::new(StoredState { state, revision }))
            }
            Err(error) => {
                tracing::error!(
                    "the row of device {name:?} cannot be read, its readings are rejected until it is repaired: {error}"
                );
                Loaded::Damaged(error.to_string())
            }
        }
    }

    fn held(&self, row: &Entity) -> Held {
        match row::is_current(row) {
            true => Held::Columns(self.rarely_changed.digest(row.properties())),
            false => Held::Outdated(row::columns_of_others(row, &self.catalogue).into()),
        }
    }

    /// What a write does to its row, and the rarely changed columns that the row holds afterwards.
    fn operation(&self, partition: &str, write: &Write) -> (Operation, Digest) {
        let mut columns = row::columns(&write.state, &self.catalogue);
        let digest = self.rarely_changed.digest(columns.iter().map(|(name, value)| (name.as_str(), value)));
        let entity = |columns| Entity::of_distinct(partition, write.state.device.as_str(), columns);
        let operation = match &write.expect {
            Expect::Absent => Operation::Insert(entity(columns)),
            Expect::At(Revision { etag, held: Held::Columns(held) }) => {
                if *held == digest {
                    columns.retain(|(name, _)| !row::RARELY_CHANGED.contains(&name.as_str()));
                }
                Operation::Merge(entity(columns), etag.clone())
            }
            Expect::At(Revision { etag, held: Held::Outdated(others) }) => {
                columns.extend(others.iter().cloned());
                Operation::Replace(entity(columns), etag.clone())
            }
        };
        (operation, digest)
    }
}

#[cfg(test)]
mod tests;
