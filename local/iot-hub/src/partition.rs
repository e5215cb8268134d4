//! One partition: an ordered, numbered log of events. Appending returns when the events are stored; readers are
//! independent of each other. Each partition has a thread for the blocking writes, which writes everything that is
//! queued at once (group commit).

mod block;
mod disk;
mod open;
mod pending_read;
mod queue;
mod record;
mod recovery;
mod ring;
mod segment;
mod segments;
mod storage;
mod writer;

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

pub(crate) use self::open::{OpenedPartition, open_folder, open_in_memory};
use self::pending_read::PendingRead;
pub(crate) use self::queue::AppendError;
use self::queue::{Append, Queue};
pub use self::recovery::Repair;
use self::segments::SegmentCursor;
pub(crate) use self::storage::SequenceRange;
use self::storage::Storage;
use crate::message::UnnumberedEvent;

/// A partition. Its writer stops at [`Partition::close`], not when the last handle is dropped.
#[derive(Debug)]
pub(crate) struct Partition {
    queue: Queue,
    storage: RwLock<Storage>,
    held: watch::Sender<SequenceRange>,
    accepted: AtomicU64,
}

impl Partition {
    /// A partition whose next event gets the number `next`; a writer has to be started for it.
    fn new(storage: Storage, next: u64) -> Partition {
        Partition {
            queue: Queue::default(),
            held: watch::Sender::new(SequenceRange { first: storage.first(next), next }),
            storage: RwLock::new(storage),
            accepted: AtomicU64::new(0),
        }
    }

    /// Stores events with consecutive numbers, all or none, and returns when they are stored.
    pub(crate) async fn append(&self, events: Vec<UnnumberedEvent>) -> Result<(), AppendError> {
        let (done, stored) = oneshot::channel();
        self.queue.push(Append { events, done })?;
        // The writer answers every append unless it panics, and then the events may or may not be stored.
        stored.await.unwrap_or(Err(AppendError::Disk))
    }

    /// Up to `most` events from `from` on, or from the first one still held: no more than `bytes`, unless the first
    /// event alone is larger. Each is one JSON object. Blocks while it reads files.
    pub(crate) fn read(&self, from: u64, most: usize, bytes: usize) -> io::Result<Vec<Bytes>> {
        let mut pending = PendingRead { from, most, bytes, events: Vec::new() };
        match &*self.storage() {
            Storage::Memory(ring) => ring.read(&mut pending),
            Storage::Files(_) => {}
        }
        let mut gone = None;
        while let Some(cursor) = self.cursor(&pending) {
            match cursor.read(&mut pending) {
                Ok(()) => {}
                // The file was trimmed after it was looked up. Look once more: a file that is still missing was not
                // trimmed.
                Err(e) if e.kind() == io::ErrorKind::NotFound && gone.as_ref() != Some(&cursor.path) => {
                    gone = Some(cursor.path);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(pending.events)
    }

    /// Which sequence numbers are held, now and after every change.
    pub(crate) fn watch(&self) -> watch::Receiver<SequenceRange> {
        self.held.subscribe()
    }

    /// Events stored since the start.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Refuses further events. The writer stores those that are queued, then ends.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    fn cursor(&self, pending: &PendingRead) -> Option<SegmentCursor> {
        if pending.is_satisfied() {
            return None;
        }
        match &*self.storage() {
            Storage::Memory(_) => None,
            Storage::Files(segments) => segments.cursor(pending.from),
        }
    }

    fn storage(&self) -> RwLockReadGuard<'_, Storage> {
        self.storage.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn storage_mut(&self) -> RwLockWriteGuard<'_, Storage> {
        self.storage.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::*;
    use crate::config::{Durability, Retention};
    use crate::identity::{DeviceId, Scope, Sender};
    use crate::message::Message;

    fn events(count: usize) -> Vec<UnnumberedEvent> {
        let sender = Sender {
            device: DeviceId::parse("d").expect("valid"),
            module: None,
            scope: Scope::Device,
            generation: "1".to_owned(),
        };
        let message = Message { body: vec![0; 3000].into(), ..Message::default() };
        vec![message.stamp(&sender, Timestamp::UNIX_EPOCH); count]
    }

    fn both(folder: &Path) -> [Arc<Partition>; 2] {
        let retention = Retention::default();
        let on_disk = open_folder(folder, retention, Durability::default()).expect("opened");
        [open_in_memory(retention).expect("opened").partition, on_disk.partition]
    }

    #[tokio::test]
    async fn a_read_is_bounded_by_bytes_but_gives_one_event_at_least() {
        let folder = tempfile::tempdir().expect("a folder");
        for partition in both(folder.path()) {
            partition.append(events(20)).await.expect("stored");
            let size = partition.read(3, 1, usize::MAX).expect("read")[0].len();
            let count = |bytes| partition.read(3, 4, bytes).expect("read").len();
            assert_eq!([count(1), count(size), count(size * 3 - 1), count(size * 3)], [1, 1, 2, 3]);
            assert_eq!(count(usize::MAX), 4);
            partition.close();
        }
    }

    #[tokio::test]
    async fn every_event_can_be_read_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        for partition in both(folder.path()) {
            partition.append(events(50)).await.expect("stored");
            for sequence in 0..50 {
                let events = partition.read(sequence, 1, usize::MAX).expect("read");
                assert!(events.len() == 1 && record::is_numbered(&events[0], sequence), "{sequence}");
            }
            assert!(partition.read(50, 1, usize::MAX).expect("read").is_empty());
            partition.close();
        }
    }
}
