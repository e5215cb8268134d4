//! The newest events of a partition in memory, up to a number of bytes.

use std::collections::VecDeque;

use bytes::Bytes;
use jiff::Timestamp;

use crate::partition::block::Block;
use crate::partition::pending_read::PendingRead;
use crate::partition::record;

/// Events with consecutive numbers.
#[derive(Debug, Default)]
pub(super) struct Ring {
    first: u64,
    bytes: u64,
    events: VecDeque<(Timestamp, Bytes)>,
}

impl Ring {
    /// The lowest sequence number held.
    pub(super) fn first(&self) -> Option<u64> {
        (!self.events.is_empty()).then_some(self.first)
    }

    pub(super) fn push(&mut self, block: &Block) {
        for range in &block.records {
            let json = &block.bytes[range.start + record::PREFIX..range.end - 1];
            self.bytes += json.len() as u64;
            self.events.push_back((block.next.enqueued, Bytes::copy_from_slice(json)));
        }
    }

    /// Drops the oldest events while all together are larger than `bytes`, or while they are older than `oldest`. The
    /// newest event stays.
    pub(super) fn trim(&mut self, bytes: u64, oldest: Timestamp) {
        while self.events.len() > 1 && (self.bytes > bytes || self.events[0].0 < oldest) {
            let dropped = self.events.pop_front().map_or(0, |(_, json)| json.len());
            self.bytes -= dropped as u64;
            self.first += 1;
        }
    }

    pub(super) fn read(&self, pending: &mut PendingRead) {
        let skipped = pending.from.saturating_sub(self.first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.events.len());
        for (number, (_, json)) in (self.first..).zip(&self.events).skip(skipped) {
            if !pending.offer(number, || json.clone()) {
                return;
            }
        }
    }
}
