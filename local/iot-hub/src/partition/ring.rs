//! A partition's events in memory: the newest ones, up to a number of bytes.

use std::collections::VecDeque;

use bytes::Bytes;
use jiff::Timestamp;

use crate::partition::block::Block;
use crate::partition::{Wanted, record};

/// Events without gaps.
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

    /// Drops the oldest events while there are more than `bytes` or they are from before `oldest`, but never the
    /// newest one.
    pub(super) fn trim(&mut self, bytes: u64, oldest: Timestamp) {
        while self.events.len() > 1 && (self.bytes > bytes || self.events[0].0 < oldest) {
            let dropped = self.events.pop_front().map_or(0, |(_, json)| json.len());
            self.bytes -= dropped as u64;
            self.first += 1;
        }
    }

    pub(super) fn read(&self, wanted: &mut Wanted) {
        let skipped = wanted.from.saturating_sub(self.first);
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX).min(self.events.len());
        for (number, (_, json)) in (self.first..).zip(&self.events).skip(skipped) {
            if !wanted.offer(number, || json.clone()) {
                return;
            }
        }
    }
}
