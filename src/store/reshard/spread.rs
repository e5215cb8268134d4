//! Where device rows stand and where they belong.

use std::time::Duration;

use fieldcast_tables::{Deadline, Table};

use crate::store::shard::Shards;

/// Partitions that are read at the same time, and transactions in flight for each. Table Storage answers in about 10 ms
/// and takes 2,000 rows a second for a partition: 16 transactions of 100 rows are what it lets through.
pub(super) const PARTITIONS_IN_FLIGHT: usize = 4;
pub(super) const TRANSACTIONS_IN_FLIGHT: usize = 4;

/// The device rows, and how they are and will be spread.
pub(super) struct Spread {
    pub(super) devices: Table,
    pub(super) from: Shards,
    pub(super) to: Shards,
    /// For each request.
    pub(super) patience: Duration,
}

impl Spread {
    pub(super) fn deadline(&self) -> Deadline {
        Deadline::after(self.patience)
    }

    /// The partition that a row belongs into.
    pub(super) fn target(&self, row_key: &str) -> String {
        self.to.key(self.to.of_row(row_key))
    }
}
