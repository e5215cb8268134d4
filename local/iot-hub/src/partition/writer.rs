//! The thread that writes one partition: takes all that is queued, stores it at once, and notifies senders and readers.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use crate::config::Retention;
use crate::partition::Partition;
use crate::partition::block::Block;
use crate::partition::disk::Disk;
use crate::partition::queue::{Append, AppendError};
use crate::partition::record::Position;
use crate::partition::storage::{SequenceRange, Storage};

/// Files per partition. Trimming drops whole files, so with eight of them a partition holds 7/8 to 8/8 of its limit.
const SEGMENTS: u64 = 8;

/// Appends to its partition, and nothing else does.
#[derive(Debug)]
pub(super) struct Writer {
    partition: Arc<Partition>,
    next: Position,
    disk: Option<Disk>,
    retention: Retention,
}

impl Writer {
    pub(super) fn new(
        partition: Arc<Partition>,
        next: Position,
        disk: Option<Disk>,
        retention: Retention,
    ) -> Writer {
        Writer { partition, next, disk, retention }
    }

    /// Runs until the partition is closed and everything queued is stored.
    pub(super) fn run(mut self) {
        self.trim(Timestamp::now());
        while let Some(appends) = self.partition.queue.take_all() {
            self.commit(appends, Timestamp::now());
        }
    }

    /// Stores the events, makes them visible to readers, and only then acknowledges them.
    fn commit(&mut self, appends: Vec<Append>, now: Timestamp) {
        let events = appends.iter().flat_map(|append| &append.events);
        let block = Block::new(self.next, now, events);
        let outcome = self.store(&block).map_err(|_| AppendError::Disk);
        if outcome.is_ok() {
            self.next = block.next;
            self.partition.accepted.fetch_add(block.records.len() as u64, Ordering::Relaxed);
            self.trim(now);
        }
        for append in appends {
            // Fails when the sender has hung up, which needs no answer.
            let _ = append.done.send(outcome);
        }
    }

    fn store(&mut self, block: &Block) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            disk.write(block, self.retention.bytes / SEGMENTS)?;
        }
        match (&mut *self.partition.storage_mut(), &self.disk) {
            (Storage::Files(segments), Some(disk)) => segments.push(disk.path(), block),
            (Storage::Memory(ring), _) => ring.push(block),
            (Storage::Files(_), None) => unreachable!("storage in files comes with a disk"),
        }
        Ok(())
    }

    /// Drops what exceeds the retention, and publishes what is held now.
    fn trim(&self, now: Timestamp) {
        let oldest = now.checked_sub(self.retention.age).unwrap_or(Timestamp::MIN);
        let mut storage = self.partition.storage_mut();
        let files = match &mut *storage {
            Storage::Memory(ring) => {
                ring.trim(self.retention.bytes, oldest);
                Vec::new()
            }
            Storage::Files(segments) => segments.trim(self.retention.bytes, oldest),
        };
        let first = storage.first(self.next.sequence);
        drop(storage);
        self.partition.held.send_replace(SequenceRange { first, next: self.next.sequence });
        for file in files {
            // A file that cannot be removed (it is open elsewhere, on Windows) is trimmed at the next start.
            let _ = fs::remove_file(file);
        }
    }
}
