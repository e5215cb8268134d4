//! The one open file of a store: opened by the first call, and anew after a failure of the disk.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::SystemTime;

use redb::{Database, DatabaseError};

use crate::embedded::fault::Fault;
use crate::embedded::layout;
use crate::evaluation::StoreId;
use crate::time::millis_of;
use crate::{Deadline, Error};

/// An open file.
pub(super) struct File {
    pub(super) database: Database,
    pub(super) id: StoreId,
    /// The greatest time that was told or stored.
    latest: AtomicI64,
}

impl File {
    fn open(database: Database) -> Result<File, Fault> {
        let layout::Found { id, latest } = layout::prepare(&database, SystemTime::now())?;
        Ok(File { database, id, latest: AtomicI64::new(latest) })
    }

    /// The store's clock: this machine's, but never backwards.
    pub(super) fn now(&self) -> i64 {
        let now = millis_of(SystemTime::now());
        self.latest.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

type Open = dyn Fn() -> Result<Database, DatabaseError> + Send + Sync;

/// The file while it is open, and how to open it. Who works with it holds the lock for reading, so that it is never open
/// twice.
pub(super) struct Handle {
    file: RwLock<Option<File>>,
    open: Box<Open>,
}

impl Handle {
    pub(super) fn new(open: impl Fn() -> Result<Database, DatabaseError> + Send + Sync + 'static) -> Handle {
        Handle { file: RwLock::new(None), open: Box::new(open) }
    }

    /// Does a piece of work and tells the store's time after it. Blocks; what cannot begin by the deadline is not begun.
    pub(super) fn with<T>(
        &self,
        deadline: Deadline,
        work: impl FnOnce(&File) -> Result<T, Fault>,
    ) -> Result<(T, i64), Fault> {
        self.ensure_open()?;
        if deadline.remaining().is_zero() {
            return Err(Error::not_tried().into());
        }
        let done = match &*self.file.read().unwrap_or_else(PoisonError::into_inner) {
            Some(file) => work(file).map(|value| (value, file.now())),
            None => Err(Fault::closed()),
        };
        if done.as_ref().is_err_and(Fault::needs_reopening) {
            self.close();
        }
        done
    }

    fn ensure_open(&self) -> Result<(), Fault> {
        if self.file.read().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Ok(());
        }
        let mut file = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(File::open((self.open)()?)?);
        }
        Ok(())
    }

    /// Waits for the others that work with the file, who fail like this one, and closes it: the next call opens it again.
    fn close(&self) {
        *self.file.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
