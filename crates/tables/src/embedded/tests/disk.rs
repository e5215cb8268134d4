//! A disk in memory that is full on command, and keeps what was written when a file is closed.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::embedded::EmbeddedStore;

/// Enough for every test.
const EMPTY: usize = usize::MAX / 2;

#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<State>);

#[derive(Debug)]
struct State {
    bytes: Mutex<Vec<u8>>,
    /// Writes until it is full.
    room: AtomicUsize,
}

impl Default for Disk {
    fn default() -> Disk {
        Disk(Arc::new(State { bytes: Mutex::new(Vec::new()), room: AtomicUsize::new(EMPTY) }))
    }
}

impl Disk {
    pub(super) fn store(&self) -> EmbeddedStore {
        let disk = self.clone();
        EmbeddedStore::on(move || disk.open())
    }

    pub(super) fn open(&self) -> Result<Database, DatabaseError> {
        Builder::new().create_with_backend(self.clone())
    }

    pub(super) fn fill(&self) {
        self.fill_after(0);
    }

    pub(super) fn fill_after(&self, writes: usize) {
        self.0.room.store(writes, Ordering::SeqCst);
    }

    pub(super) fn make_room(&self) {
        self.0.room.store(EMPTY, Ordering::SeqCst);
    }

    fn take_room(&self) -> io::Result<()> {
        let less = |room: usize| room.checked_sub(1);
        let taken = self.0.room.fetch_update(Ordering::SeqCst, Ordering::SeqCst, less);
        taken.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.bytes.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        out.copy_from_slice(bytes.get(from..from + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut bytes = self.0.bytes.lock().unwrap();
        let len = usize::try_from(len).unwrap();
        if len > bytes.len() {
            self.take_room()?;
        }
        bytes.resize(len, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.take_room()?;
        let mut bytes = self.0.bytes.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        bytes[from..from + data.len()].copy_from_slice(data);
        Ok(())
    }
}
