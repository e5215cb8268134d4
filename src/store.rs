//! The state store: the first of the two seams of the handler. Table Storage, the embedded store and memory stand behind
//! it, and one contract suite (`tests/it/store_contract.rs`) runs over all of them.

mod embedded;
mod memory;
pub mod reshard;
pub mod shard;
mod table;

use std::pin::Pin;

pub use embedded::EmbeddedStore;
pub use memory::MemoryStore;
use serde::{Deserialize, Serialize};
pub use table::TableStore;
use tokio::time::Instant;

use crate::devices::state::DeviceState;
use crate::primitives::ids::DeviceId;
use crate::rejected::refusal::Refusal;
use crate::store::shard::Shard;
use crate::telemetry::calibration::Calibrations;

/// What every operation returns: a future that the caller polls within its own invocation.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Names one revision of a row. Opaque: it is only ever compared, by the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision(pub String);

/// A row as it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
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
    Found(Box<Stored>),
    /// There is one, but what exactness needs of it cannot be read; why, for the operator. It must not be overwritten.
    Damaged(String),
}

/// What must be true of the row for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
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

/// A moment in the life of a store, by the store's own clock. Opaque: it is only handed back to the store, which may have
/// been replaced meanwhile by one that cannot read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment(pub String);

/// Part of a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// Rows, in no promised order.
    pub rows: Vec<DeviceState>,
    /// Where the next page begins; `None`: this was the last one. A page may be empty and still not be the last.
    pub next: Option<String>,
    /// When the page was read: whatever is not in it and not behind it was written after this.
    pub read_at: Moment,
}

/// Why something could not be read or kept. Nothing is known to have been changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The store did not answer in time, or said that it is overloaded: the invocation fails and is delivered again.
    #[error("the state store is unavailable: {0}")]
    Unavailable(String),
    /// The store cannot be used as it is set up: a person has to change a setting.
    #[error("the state store cannot be used: {0}")]
    Misconfigured(String),
    /// A scan was to go on from a place that the store never named.
    #[error("a scan cannot go on from there: {0}")]
    NoSuchPlace(String),
}

/// Why a commit did not happen, or may not have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold, nothing was written: load, fold and commit again.
    #[error("the row changed meanwhile")]
    Conflict,
    /// Nobody knows whether it was written (the answer was lost): load and compare write ids.
    #[error("the outcome of the write is unknown: {0}")]
    Unknown(String),
    /// The store does not take one of these rows, now or later, and nothing was written: commit the others without it.
    #[error("the store refuses the row: {0}")]
    Refused(String),
    /// Nothing was written.
    #[error(transparent)]
    Failed(#[from] StoreError),
}

/// Which refused readings are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalQuery {
    /// The key that the refusals of one hub partition share.
    pub partition: String,
    /// Only those of this device, as it claimed to be called.
    pub device: Option<String>,
    /// Only those behind the one with this row key.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl RefusalQuery {
    /// Whether a refusal is one of those, whatever the limit.
    pub fn takes(&self, refusal: &Refusal) -> bool {
        self.partition == refusal.partition_key()
            && self.after.as_ref().is_none_or(|after| refusal.row_key() > *after)
            && self.device.as_ref().is_none_or(|device| refusal.claimed_device().as_ref() == Some(device))
    }
}

/// Where device states, calibrations and refusals are kept.
///
/// Contract, checked for every implementation:
/// - `load` returns what the last successful `commit` wrote, or something newer, never something older.
/// - `commit` writes all rows of the call or none, each only if its condition holds at that moment; of two commits that
///   race with the same condition, exactly one succeeds. At most [`MOST_WRITES`] rows of together
///   [`LARGEST_COMMIT`] bytes, each device once.
/// - `scan` since the `read_at` of a scan's first page, of whichever shard, finds every row that this scan did not return
///   as it now is. Without `since`, or when its moment cannot be read any more, it finds all rows.
/// - what was reported as written survives the end of the process (memory aside).
/// - `refuse` keeps each refusal once, however often it is called with it; `refused` finds it, unless somebody has made
///   the row unreadable.
/// - every call returns by `deadline`, give or take the time to notice it.
pub trait StateStore: Send + Sync {
    /// The rows of devices of one shard, in the order asked.
    fn load<'a>(
        &'a self,
        shard: Shard,
        devices: &'a [DeviceId],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Loaded>, StoreError>>;

    /// Writes rows of one shard, all or none, and returns their new revisions in order.
    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>>;

    /// Part of the rows of a shard: of those that were written after `since`, and perhaps of others. `after` is the
    /// previous page's `next`.
    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        after: Option<String>,
        deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>>;

    /// Every device's calibration.
    fn calibrations(&self, deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>>;

    /// Keeps refused readings, each once.
    fn refuse<'a>(&'a self, refusals: &'a [Refusal], deadline: Instant) -> Reply<'a, Result<(), StoreError>>;

    /// The keys of the hub partitions of which refused readings are kept.
    fn refusing_partitions(&self, deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>>;

    /// Refused readings of a hub partition in the order of their keys, which is newest first. Less than the limit only when
    /// there are no more.
    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>>;
}

/// About the most bytes of one commit, as stored. Table Storage takes 4 MiB with everything around the rows.
pub const LARGEST_COMMIT: usize = 3 * 1024 * 1024 + 512 * 1024;

/// The most rows of one commit: Table Storage's limit for an entity group transaction.
pub const MOST_WRITES: usize = 100;
