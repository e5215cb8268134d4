//! What is asked of a move, what comes of it, and what can be in the way.

use std::time::Duration;

use fieldcast_tables::Error;

use crate::primitives::chain::chain;
use crate::store::error::StoreError;
use crate::store::layout;
pub use crate::store::layout::Totals;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reshard {
    /// The number of partitions wanted, 1 to [`Shards::MOST`](crate::store::shard::Shards::MOST).
    pub to: u16,
    /// What the rows are compared with when an interrupted run is taken up again.
    pub expect: Expected,
    /// How long one request to the store may take, repetitions included.
    pub patience: Duration,
}

/// What must be there when an interrupted run is taken up again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// As many rows and readings as when it began.
    AsRecorded,
    /// Whatever is there now: a person has looked at the difference.
    AsFound,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Rows moved by this run.
    pub moved: u64,
    /// Rows that this run has to move.
    pub to_move: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The rows are spread like that already; nothing was changed.
    Already,
    /// The rows are spread as asked, and the totals are the same as before.
    Done {
        /// The number of partitions before.
        from: u16,
        /// Rows moved by this run; all others stood where they belong.
        moved: u64,
        /// What was there before and is there now.
        totals: Totals,
    },
}

/// What is in the way. Each says what to do next; whatever was moved so far stays moved, and nothing is lost.
#[derive(Debug, thiserror::Error)]
pub enum ReshardError {
    /// The store did not do as asked.
    #[error("{}; nothing is lost: see to that, then run the same command again", chain(.0))]
    Store(StoreError),
    /// There are neither rows nor a record of how they are spread.
    #[error(
        "there are no device rows in {0}: check the settings; an app that has not started yet needs no resharding"
    )]
    NothingStored(String),
    /// Another process works on the store.
    #[error(
        "{0} is in use: stop the app (or the other command) that uses it, then run the same command again"
    )]
    InUse(String),
    /// An interrupted run had another goal.
    #[error("the rows are on their way to {0} partitions: first finish that with {command}", command = layout::command(*.0))]
    OtherTarget(u16),
    /// The target partitions hold rows that this app did not put there.
    #[error(
        "row {0} is in a partition that this app does not use yet, so it is somebody else's or a leftover: move or delete it, then run the same command again"
    )]
    Stranger(RowName),
    /// A row and its copy are not the same: an app was running.
    #[error(
        "rows {old} and {copy} should be the same and differ, because an app ran meanwhile: stop every app, delete the one with the lower Count and Version, then run the same command again"
    )]
    Differ {
        /// The row where it was.
        old: RowName,
        /// The row where it should be.
        copy: RowName,
    },
    /// A row was changed between reading and deleting it: an app is running.
    #[error(
        "row {0} was changed while it was moved: stop every app that uses this storage, then run the same command again"
    )]
    Changed(RowName),
    /// A row holds something that cannot be written back.
    #[error(
        "row {row} cannot be written to its new partition: {problem}; change or delete that column, then run the same command again"
    )]
    Unmovable {
        /// The row.
        row: RowName,
        /// What is wrong with it.
        problem: String,
    },
    /// The totals are not what they were.
    #[error(
        "there were {before}, now there are {now}: stop every app that uses this storage and look for what changed; to accept what is there now, run the same command with --recount"
    )]
    Totals {
        /// At the beginning.
        before: Totals,
        /// Now.
        now: Totals,
    },
}

impl From<StoreError> for ReshardError {
    fn from(error: StoreError) -> ReshardError {
        ReshardError::Store(error)
    }
}

impl From<Error> for ReshardError {
    fn from(error: Error) -> ReshardError {
        ReshardError::Store(error.into())
    }
}

/// The keys of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowName {
    /// Its partition.
    pub partition: String,
    /// Its key in it.
    pub row: String,
}

impl RowName {
    /// The row with these keys.
    pub(super) fn new(partition: &str, row: &str) -> RowName {
        RowName { partition: partition.to_owned(), row: row.to_owned() }
    }
}

impl std::fmt::Display for RowName {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} of partition {:?}", self.row, self.partition)
    }
}
