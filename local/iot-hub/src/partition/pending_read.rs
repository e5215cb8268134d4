//! A read in progress, through memory or through one file after the other.

use bytes::Bytes;

/// A read in progress: what is still wanted, and what was found.
pub(super) struct PendingRead {
    pub(super) from: u64,
    pub(super) most: usize,
    pub(super) bytes: usize,
    pub(super) events: Vec<Bytes>,
}

impl PendingRead {
    pub(super) fn is_satisfied(&self) -> bool {
        self.events.len() >= self.most || self.bytes == 0
    }

    /// Adds the event with this number if it is wanted; `false` when the read is satisfied.
    pub(super) fn offer(&mut self, sequence: u64, event: impl FnOnce() -> Bytes) -> bool {
        if sequence < self.from {
            return true;
        }
        if self.is_satisfied() {
            return false;
        }
        let event = event();
        if event.len() > self.bytes && !self.events.is_empty() {
            self.bytes = 0;
            return false;
        }
        self.bytes = self.bytes.saturating_sub(event.len());
        self.from = sequence + 1;
        self.events.push(event);
        true
    }
}
