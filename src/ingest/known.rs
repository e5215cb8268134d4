//! Rows as this process last saw them in the store, so that the next batch of the same devices reads nothing. Only a
//! shortcut: a row that another process has changed meanwhile fails its condition and is loaded then.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::ids::DeviceId;
use crate::store::Stored;

/// A state takes about a kilobyte, so this is some 16 MB at most.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// The rows used last.
pub struct Known {
    rows: Mutex<LruCache<DeviceId, Stored>>,
}

impl Default for Known {
    /// Nothing known yet.
    fn default() -> Known {
        Known { rows: Mutex::new(LruCache::new(MOST)) }
    }
}

impl Known {
    /// Takes a row out, so that an invocation that ends half-way leaves nothing doubtful behind.
    pub(super) fn take(&self, device: &DeviceId) -> Option<Stored> {
        self.rows().pop(device)
    }

    /// Keeps a row that the store has just confirmed.
    pub(super) fn keep(&self, stored: Stored) {
        self.rows().put(stored.state.device.clone(), stored);
    }

    fn rows(&self) -> MutexGuard<'_, LruCache<DeviceId, Stored>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
