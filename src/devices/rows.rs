//! Device states in the store: read, written under a condition, and scanned. Everything that this room asks of the store is
//! here; which columns there are is in `row`.

mod load;

use std::sync::Arc;

use fieldcast_tables::limits::MOST_OPERATIONS;
use fieldcast_tables::{
    Continuation, Deadline, Entity, Error, Etag, Moment, Operation, Query, Stored, Table, Value,
};
use tokio::time::Instant;

use super::rarely_changed::{Digest, RarelyChanged};
use super::row;
use super::state::DeviceState;
use crate::primitives::ids::DeviceId;
use crate::store::shard::{Shard, Shards};
use crate::store::{Store, StoreError, tables};
use crate::telemetry::catalogue::Catalogue;

/// The most rows of one commit.
pub const MOST_WRITES: usize = MOST_OPERATIONS;

/// The device rows of an app.
pub struct DeviceRows {
    store: Arc<Store>,
    catalogue: Arc<Catalogue>,
    rarely_changed: RarelyChanged,
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

impl DeviceRows {
    /// The device rows of a store, with the measurements of a catalogue.
    pub fn new(store: Arc<Store>, catalogue: Arc<Catalogue>) -> DeviceRows {
        DeviceRows { store, catalogue, rarely_changed: RarelyChanged::default() }
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
        let state = |row: &Stored| row::state(DeviceId::of_key(&row.entity.row)?, row, &self.catalogue).ok();
        Ok(StatePage {
            states: page.rows.iter().filter_map(state).collect(),
            next: page.next,
            as_of: page.as_of,
        })
    }

    async fn table(&self, deadline: Instant) -> Result<Table, StoreError> {
        self.store.table(tables::DEVICE_STATE, deadline).await
    }

    fn key(&self, shard: Shard) -> String {
        self.shards().key(shard)
    }

    fn loaded(&self, device: DeviceId, row: &Stored) -> Loaded {
        match row::state(device, row, &self.catalogue) {
            Ok(state) => {
                let revision = Revision { etag: row.etag.clone(), held: self.held(&row.entity) };
                Loaded::Found(Box::new(StoredState { state, revision }))
            }
            Err(error) => Loaded::Damaged(error.to_string()),
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
