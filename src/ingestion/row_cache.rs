//! Rows as this process last saw them in the store, so that the next batch of the same devices reads nothing. Only a
//! shortcut: a row that another process has changed meanwhile fails its condition and is loaded then.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;

use crate::devices::rows::StoredState;
use crate::primitives::ids::DeviceId;

/// Rows of a kind. The map has room for so many from the start.
const MOST: NonZeroUsize = NonZeroUsize::new(16_384).expect("not zero");

/// All ordinary rows together. One takes about 800 bytes with its texts, so this is `MOST` of them.
const ORDINARY_BYTES: usize = 13 * 1024 * 1024;

/// A row from here on is a large one: it has thousands of verdicts, long texts, or columns of others.
const LARGE: usize = 4 * 1024;

/// All large rows together: some thirty of the largest. They have room of their own, so that a few devices that are
/// rejected all the time do not push out a fleet.
const LARGE_BYTES: usize = 3 * 1024 * 1024;

/// The rows used last.
pub struct RowCache {
    shelves: Mutex<Shelves>,
}

struct Shelves {
    ordinary: Shelf,
    large: Shelf,
}

/// Rows that share a bound.
struct Shelf {
    /// Each in a piece of memory of its own, in which it also goes through the next batch.
    rows: LruCache<DeviceId, Box<StoredState>>,
    bytes: usize,
    most_bytes: usize,
}

impl Default for RowCache {
    /// Nothing known yet.
    fn default() -> RowCache {
        let ordinary = Shelf::new(LruCache::new(MOST), ORDINARY_BYTES);
        let large = Shelf::new(LruCache::unbounded(), LARGE_BYTES);
        RowCache { shelves: Mutex::new(Shelves { ordinary, large }) }
    }
}

impl RowCache {
    /// Takes a row out, so that an invocation that ends half-way leaves nothing doubtful behind.
    pub(super) fn take(&self, device: &DeviceId) -> Option<Box<StoredState>> {
        let mut shelves = self.shelves();
        shelves.ordinary.take(device).or_else(|| shelves.large.take(device))
    }

    /// Keeps a row that the store has just confirmed.
    pub(super) fn keep(&self, stored: Box<StoredState>) {
        let size = stored.memory();
        let Shelves { ordinary, large } = &mut *self.shelves();
        let (shelf, other) = if size < LARGE { (ordinary, large) } else { (large, ordinary) };
        other.take(&stored.state.device);
        shelf.put(stored, size);
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn new(rows: LruCache<DeviceId, Box<StoredState>>, most_bytes: usize) -> Shelf {
        Shelf { rows, bytes: 0, most_bytes }
    }

    fn take(&mut self, device: &DeviceId) -> Option<Box<StoredState>> {
        if self.rows.is_empty() {
            return None;
        }
        let stored = self.rows.pop(device)?;
        self.bytes -= stored.memory();
        Some(stored)
    }

    /// The row comes in, and the ones used longest ago go as long as there is too much.
    fn put(&mut self, stored: Box<StoredState>, size: usize) {
        self.bytes += size;
        if let Some((_, gone)) = self.rows.push(stored.state.device.clone(), stored) {
            self.bytes -= gone.memory();
        }
        while self.bytes > self.most_bytes {
            let Some((_, gone)) = self.rows.pop_lru() else { return };
            self.bytes -= gone.memory();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use fieldcast_tables::MemoryStore;
    use proptest::prelude::*;
    use tokio::time::Instant;

    use super::*;
    use crate::devices::rows::{DeviceRows, Expect, Revision, Write};
    use crate::devices::state::DeviceState;
    use crate::primitives::ids::HubPartition;
    use crate::store::Store;
    use crate::store::shard::Shards;
    use crate::telemetry::catalogue::Catalogue;

    /// Rows that a store has confirmed.
    struct Rows {
        revision: Revision,
        catalogue: Arc<Catalogue>,
    }

    impl Rows {
        fn new() -> Rows {
            let catalogue = Arc::new(Catalogue::environment());
            let store = Store::new(Arc::new(MemoryStore::new()), Shards::new("Sydney", 1));
            let devices = DeviceRows::new(Arc::new(store), Arc::clone(&catalogue));
            let device = DeviceId::parse("d").unwrap();
            let shard = devices.shards().of(&device);
            let write = Write { state: DeviceState::new(device, &catalogue), expect: Expect::Absent };
            let soon = Instant::now() + Duration::from_secs(60);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let revision = runtime.block_on(devices.commit(shard, &[write], soon)).unwrap().remove(0);
            Rows { revision, catalogue }
        }

        /// A row with verdicts about so many events.
        fn row(&self, number: usize, events: usize) -> Box<StoredState> {
            let mut state = DeviceState::new(device(number), &self.catalogue);
            for event in 0..events {
                let event = i64::try_from(event).unwrap();
                state.verdicts.reject(&HubPartition::new("hub", "0"), event, 0);
            }
            Box::new(StoredState { state, revision: self.revision.clone() })
        }
    }

    fn device(number: usize) -> DeviceId {
        DeviceId::parse(&format!("d{number}")).unwrap()
    }

    fn bytes(cache: &RowCache) -> [usize; 2] {
        let shelves = cache.shelves();
        [shelves.ordinary.bytes, shelves.large.bytes]
    }

    /// The sums say what there is.
    fn check_sums(cache: &RowCache) {
        let shelves = cache.shelves();
        for shelf in [&shelves.ordinary, &shelves.large] {
            let counted: usize = shelf.rows.iter().map(|(_, stored)| stored.memory()).sum();
            assert_eq!(shelf.bytes, counted);
        }
    }

    #[test]
    fn rows_full_of_verdicts_neither_fill_the_memory_nor_push_out_the_others() {
        let (cache, rows) = (RowCache::default(), Rows::new());
        for number in 0..10_000 {
            cache.keep(rows.row(number, 0));
        }
        for number in 10_000..11_000 {
            cache.keep(rows.row(number, 1_000));
            let [ordinary, large] = bytes(&cache);
            assert!(ordinary <= ORDINARY_BYTES && large <= LARGE_BYTES, "{ordinary} {large}");
        }
        check_sums(&cache);
        let found = (0..11_000).filter(|number| cache.take(&device(*number)).is_some()).count();
        assert!((10_010..10_200).contains(&found), "{found}");
        assert_eq!(bytes(&cache), [0, 0]);
    }

    #[test]
    fn no_more_than_so_many_rows_are_kept() {
        let (cache, rows) = (RowCache::default(), Rows::new());
        for number in 0..MOST.get() + 100 {
            cache.keep(rows.row(number, 0));
        }
        assert!(cache.take(&device(0)).is_none());
        assert!(cache.take(&device(MOST.get() + 99)).is_some());
        check_sums(&cache);
        assert!(bytes(&cache)[0] <= ORDINARY_BYTES);
    }

    proptest! {
        #[test]
        fn a_device_has_one_row_the_last_one(
            steps in prop::collection::vec((0_usize..4, 0_usize..200, any::<bool>()), 1..40),
        ) {
            let (cache, rows) = (RowCache::default(), Rows::new());
            let mut last = [None; 4];
            for (number, events, is_taken) in steps {
                if is_taken {
                    let expected: Option<usize> = last[number].take();
                    let expected = expected.map(|events| rows.row(number, events));
                    prop_assert_eq!(cache.take(&device(number)), expected);
                } else {
                    last[number] = Some(events);
                    cache.keep(rows.row(number, events));
                }
                check_sums(&cache);
            }
        }
    }
}
