//! The thread that writes one partition: takes all that is queued, stores it in one go, tells senders and readers.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use crate::config::Retention;
use crate::partition::block::{Block, Position};
use crate::partition::disk::Disk;
use crate::partition::queue::Append;
use crate::partition::{AppendError, Held, Partition, Shelf};

/// Trimming drops whole files; with eight of them a partition holds between 7/8 and 8/8 of what it may.
const SEGMENTS: u64 = 8;

/// The only one who appends to its partition.
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

    /// Works until the partition is closed and everything queued is stored.
    pub(super) fn run(mut self) {
        self.trim(Timestamp::now());
        while let Some(appends) = self.partition.queue.take_all() {
            self.commit(appends, Timestamp::now());
        }
    }

    /// Stores, publishes, and only then acknowledges.
    fn commit(&mut self, appends: Vec<Append>, now: Timestamp) {
        let drafts = appends.iter().flat_map(|append| &append.drafts);
        let block = Block::new(self.next, now, drafts);
        let outcome = self.store(&block).map_err(|_| AppendError::Disk);
        if outcome.is_ok() {
            self.next = block.next;
            self.partition.accepted.fetch_add(block.records.len() as u64, Ordering::Relaxed);
            self.trim(now);
        }
        for append in appends {
            // A sender that hung up meanwhile does not wait for its answer.
            let _ = append.done.send(outcome);
        }
    }

    fn store(&mut self, block: &Block) -> io::Result<()> {
        if let Some(disk) = &mut self.disk {
            disk.write(block, self.retention.bytes / SEGMENTS)?;
        }
        match (&mut *self.partition.shelf_mut(), &self.disk) {
            (Shelf::Files(segments), Some(disk)) => segments.push(disk.path(), block),
            (Shelf::Memory(ring), _) => ring.push(block),
            (Shelf::Files(_), None) => unreachable!("a shelf of files comes with a disk"),
        }
        Ok(())
    }

    /// Drops what is over the retention and says what is held now.
    fn trim(&self, now: Timestamp) {
        let oldest = now.checked_sub(self.retention.age).unwrap_or(Timestamp::MIN);
        let mut shelf = self.partition.shelf_mut();
        let files = match &mut *shelf {
            Shelf::Memory(ring) => {
                ring.trim(self.retention.bytes, oldest);
                Vec::new()
            }
            Shelf::Files(segments) => segments.trim(self.retention.bytes, oldest),
        };
        let first = shelf.first(self.next.sequence);
        drop(shelf);
        self.partition.held.send_replace(Held { first, next: self.next.sequence });
        for file in files {
            // One that cannot be removed (open elsewhere, on Windows) is found and trimmed at the next start.
            let _ = fs::remove_file(file);
        }
    }
}
