//! What this process knows to be kept, so that the next delivery of a batch does not ask for it again. Only a shortcut: what
//! is not known here is asked of the store.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

use crate::primitives::stable_hash::stable_hash;
use crate::rejected::body::RejectedElements;

/// Some batches of nothing but rejected bodies. A row takes about 150 bytes here, so this is 1 MB at most.
const MOST: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

/// Rows that are known to be kept, the latest of them.
pub(super) struct Kept(Mutex<LruCache<String, u64>>);

impl Default for Kept {
    /// Nothing is known.
    fn default() -> Kept {
        Kept(Mutex::new(LruCache::new(MOST)))
    }
}

impl Kept {
    /// Whether the row is known to hold just these elements.
    pub(super) fn holds(&self, row: &str, rejected: &RejectedElements) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(row).copied();
        known.is_some_and(|known| known == fingerprint(rejected))
    }

    /// The store has confirmed that the row holds these elements.
    pub(super) fn note(&self, row: String, rejected: &RejectedElements) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(row, fingerprint(rejected));
    }
}

fn fingerprint(rejected: &RejectedElements) -> u64 {
    stable_hash(rejected.all().bits())
}
