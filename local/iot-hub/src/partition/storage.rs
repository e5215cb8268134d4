//! Where a partition keeps its events: in memory or in files.

use crate::partition::ring::Ring;
use crate::partition::segments::Segments;

/// The sequence numbers that a partition holds. They start at 0, as in Event Hubs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SequenceRange {
    /// The lowest sequence number held; equal to `next` when the partition is empty.
    pub(crate) first: u64,
    /// The number that the next event will get.
    pub(crate) next: u64,
}

/// The stored events of a partition.
#[derive(Debug)]
pub(super) enum Storage {
    Memory(Ring),
    Files(Segments),
}

impl Storage {
    /// The lowest sequence number held, or `next` when the storage is empty.
    pub(super) fn first(&self, next: u64) -> u64 {
        match self {
            Storage::Memory(ring) => ring.first().unwrap_or(next),
            Storage::Files(segments) => segments.first().unwrap_or(next),
        }
    }
}
