//! Rows as this process last saw them in the store, so that the next batch of the same devices reads nothing. Only a
//! shortcut: a row that another process has changed meanwhile fails its condition and is loaded then.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::devices::rows::StoredState;
use crate::primitives::ids::DeviceId;

/// A row takes about 800 bytes with its texts, so this is some 13 MB at most.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// The rows used last.
pub struct RowCache {
    /// Each in a piece of memory of its own, in which it also goes through the next batch.
    rows: Mutex<LruCache<DeviceId, Box<StoredState>>>,
}

impl Default for RowCache {
    /// Nothing known yet.
    fn default() -> RowCache {
        RowCache { rows: Mutex::new(LruCache::new(MOST)) }
    }
}

impl RowCache {
    /// Takes a row out, so that an invocation that ends half-way leaves nothing doubtful behind.
    pub(super) fn take(&self, device: &DeviceId) -> Option<Box<StoredState>> {
        self.rows().pop(device)
    }

    /// Keeps a row that the store has just confirmed.
    pub(super) fn keep(&self, stored: Box<StoredState>) {
        self.rows().put(stored.state.device.clone(), stored);
    }

    fn rows(&self) -> MutexGuard<'_, LruCache<DeviceId, Box<StoredState>>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
