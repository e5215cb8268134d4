//! One partition: an ordered, numbered log of events. Appending returns when the event is stored; reading is independent
//! per reader. A thread per partition does the blocking writes, and one write takes all that is queued (group commit).

mod block;
mod disk;
mod queue;
mod record;
mod recovery;
mod ring;
mod segment;
mod writer;

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use self::block::Position;
use self::disk::{Disk, Segments};
use self::queue::{Append, Queue};
use self::ring::Ring;
use self::writer::Writer;
use crate::config::{Durability, Retention};
use crate::error::HubError;
use crate::hub::Repair;
use crate::message::Draft;

/// A partition; dropping the last handle does not stop its writer, [`Partition::close`] does.
#[derive(Debug)]
pub(crate) struct Partition {
    queue: Queue,
    shelf: RwLock<Shelf>,
    held: watch::Sender<Held>,
    accepted: AtomicU64,
}

/// What a partition holds. Sequence numbers start at 0, as in Event Hubs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    /// The lowest sequence number still there; `next` when nothing is.
    pub(crate) first: u64,
    /// The number that the next event will get.
    pub(crate) next: u64,
}

/// Where stored events lie.
#[derive(Debug)]
enum Shelf {
    Memory(Ring),
    Files(Segments),
}

/// Why events were not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AppendError {
    /// Too much is waiting to be written: try again.
    Full,
    /// The hub is stopping.
    Closed,
    /// The log cannot be written.
    Disk,
}

/// A partition that is open, with the thread that writes it and what its log lost.
pub(crate) struct Opened {
    pub(crate) partition: Arc<Partition>,
    pub(crate) writer: JoinHandle<()>,
    pub(crate) repair: Option<Repair>,
}

impl Partition {
    /// Opens a partition without a folder, empty.
    pub(crate) fn in_memory(retention: Retention) -> io::Result<Opened> {
        Partition::begin(Shelf::Memory(Ring::default()), Position::default(), None, retention, None)
    }

    /// Opens the log in `folder`, making it when there is none. Checks every record, and cuts off a torn last one.
    ///
    /// # Errors
    /// [`HubError::Damaged`] for damage that a torn write cannot explain, [`HubError::Folder`] for trouble with files.
    pub(crate) fn in_folder(
        folder: &Path,
        retention: Retention,
        durability: Durability,
    ) -> Result<Opened, HubError> {
        let recovered = recovery::recover(folder)?;
        let used = |source| HubError::Folder { path: folder.to_owned(), source };
        let disk = Disk::open(folder, durability, &recovered).map_err(used)?;
        let shelf = Shelf::Files(recovered.segments);
        Partition::begin(shelf, recovered.next, Some(disk), retention, recovered.repair).map_err(used)
    }

    fn begin(
        shelf: Shelf,
        next: Position,
        disk: Option<Disk>,
        retention: Retention,
        repair: Option<Repair>,
    ) -> io::Result<Opened> {
        let held = Held { first: shelf.first(next.sequence), next: next.sequence };
        let partition = Arc::new(Partition {
            queue: Queue::default(),
            shelf: RwLock::new(shelf),
            held: watch::Sender::new(held),
            accepted: AtomicU64::new(0),
        });
        let writer = Writer::new(Arc::clone(&partition), next, disk, retention);
        let writer = std::thread::Builder::new().name("hub partition".to_owned()).spawn(|| writer.run())?;
        Ok(Opened { partition, writer, repair })
    }

    /// Stores events with consecutive numbers, all or none, and returns when they are stored.
    pub(crate) async fn append(&self, drafts: Vec<Draft>) -> Result<(), AppendError> {
        let (done, stored) = oneshot::channel();
        self.queue.push(Append { drafts, done })?;
        // The writer answers every append; it can only vanish by a panic, and then nothing is certain.
        stored.await.unwrap_or(Err(AppendError::Disk))
    }

    /// Up to `most` events from `from` on (or from the first one still held), but no more than `bytes` unless the
    /// first alone is larger. Each is one JSON object. Blocks on files.
    pub(crate) fn read(&self, from: u64, most: usize, bytes: usize) -> io::Result<Vec<Bytes>> {
        let mut wanted = Wanted { from, most, bytes, events: Vec::new() };
        match &*self.shelf() {
            Shelf::Memory(ring) => ring.read(&mut wanted),
            Shelf::Files(_) => {}
        }
        let mut gone = None;
        while let Some(place) = self.place(&wanted) {
            match place.read(&mut wanted) {
                Ok(()) => {}
                // Trimmed after it was looked up: look again, once, for a file that stays missing was not trimmed.
                Err(e) if e.kind() == io::ErrorKind::NotFound && gone.as_ref() != Some(&place.path) => {
                    gone = Some(place.path);
                }
                Err(e) => return Err(e),
            }
        }
        Ok(wanted.events)
    }

    /// What is held now and from now on.
    pub(crate) fn watch(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    /// Events stored since the start.
    pub(crate) fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    /// Refuses further events; the writer ends when it has stored those that are queued.
    pub(crate) fn close(&self) {
        self.queue.close();
    }

    fn place(&self, wanted: &Wanted) -> Option<disk::Place> {
        if wanted.is_satisfied() {
            return None;
        }
        match &*self.shelf() {
            Shelf::Memory(_) => None,
            Shelf::Files(segments) => segments.place(wanted.from),
        }
    }

    fn shelf(&self) -> RwLockReadGuard<'_, Shelf> {
        self.shelf.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn shelf_mut(&self) -> RwLockWriteGuard<'_, Shelf> {
        self.shelf.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn first(&self, next: u64) -> u64 {
        match self {
            Shelf::Memory(ring) => ring.first().unwrap_or(next),
            Shelf::Files(segments) => segments.first().unwrap_or(next),
        }
    }
}

/// A read in progress: what is still wanted, and what was found.
struct Wanted {
    from: u64,
    most: usize,
    bytes: usize,
    events: Vec<Bytes>,
}

impl Wanted {
    fn is_satisfied(&self) -> bool {
        self.events.len() >= self.most || self.bytes == 0
    }

    /// Takes the event with this number if it is wanted; `false` when enough was taken.
    fn offer(&mut self, sequence: u64, event: impl FnOnce() -> Bytes) -> bool {
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

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::door::{Scope, Sender};
    use crate::identity::DeviceId;
    use crate::message::Message;

    fn drafts(count: usize) -> Vec<Draft> {
        let sender = Sender {
            device: DeviceId::parse("d").expect("valid"),
            scope: Scope::Device,
            generation: "1".to_owned(),
        };
        let message = Message { body: vec![0; 3000].into(), ..Message::default() };
        vec![message.stamp(&sender, Timestamp::UNIX_EPOCH); count]
    }

    fn both(folder: &Path) -> [Arc<Partition>; 2] {
        let retention = Retention::default();
        let on_disk = Partition::in_folder(folder, retention, Durability::default()).expect("opened");
        [Partition::in_memory(retention).expect("opened").partition, on_disk.partition]
    }

    #[tokio::test]
    async fn a_read_is_bounded_by_bytes_but_gives_one_event_at_least() {
        let folder = tempfile::tempdir().expect("a folder");
        for partition in both(folder.path()) {
            partition.append(drafts(20)).await.expect("stored");
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
            partition.append(drafts(50)).await.expect("stored");
            for sequence in 0..50 {
                let events = partition.read(sequence, 1, usize::MAX).expect("read");
                assert!(events.len() == 1 && record::is_numbered(&events[0], sequence), "{sequence}");
            }
            assert!(partition.read(50, 1, usize::MAX).expect("read").is_empty());
            partition.close();
        }
    }
}
