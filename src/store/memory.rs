//! The state store in memory: real in everything but durability. For tests and for trying things out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::{
    CommitError, Expect, Loaded, Moment, Page, RefusalQuery, Reply, Revision, StateStore, StoreError, Stored,
    Write,
};
use crate::primitives::ids::DeviceId;
use crate::rejected::refusal::Refusal;
use crate::store::shard::Shard;
use crate::telemetry::calibration::{Calibration, Calibrations};

/// Rows of one process.
#[derive(Default)]
pub struct MemoryStore {
    world: Mutex<World>,
}

#[derive(Default)]
struct World {
    rows: BTreeMap<(Shard, DeviceId), Stored>,
    refusals: BTreeMap<(String, String), Refusal>,
    calibrations: Calibrations,
    revisions: u64,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        MemoryStore::default()
    }

    /// Sets a device's calibration, as a person would edit its row.
    pub fn calibrate(&self, device: DeviceId, calibration: Calibration) {
        self.world().calibrations.insert(device, calibration);
    }

    /// All refusals, in key order.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.world().refusals.values().cloned().collect()
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl World {
    fn holds(&self, key: &(Shard, DeviceId), expect: &Expect) -> bool {
        match (self.rows.get(key), expect) {
            (None, Expect::Absent) => true,
            (Some(stored), Expect::At(revision)) => stored.revision == *revision,
            _ => false,
        }
    }

    fn commit(&mut self, shard: Shard, writes: &[Write]) -> Result<Vec<Revision>, CommitError> {
        let key = |write: &Write| (shard, write.state.device.clone());
        if !writes.iter().all(|write| self.holds(&key(write), &write.expect)) {
            return Err(CommitError::Conflict);
        }
        let mut revisions = Vec::with_capacity(writes.len());
        for write in writes {
            self.revisions += 1;
            let revision = Revision(self.revisions.to_string());
            self.rows.insert(key(write), Stored { state: write.state.clone(), revision: revision.clone() });
            revisions.push(revision);
        }
        Ok(revisions)
    }
}

/// Revisions and moments are numbers of writes. What is none comes before all.
fn number(text: &str) -> u64 {
    text.parse().unwrap_or_default()
}

impl StateStore for MemoryStore {
    fn load<'a>(
        &'a self,
        shard: Shard,
        devices: &'a [DeviceId],
        _deadline: Instant,
    ) -> Reply<'a, Result<Vec<Loaded>, StoreError>> {
        Box::pin(async move {
            let world = self.world();
            let row = |device: &DeviceId| world.rows.get(&(shard, device.clone())).cloned();
            Ok(devices
                .iter()
                .map(|device| row(device).map_or(Loaded::Absent, |stored| Loaded::Found(Box::new(stored))))
                .collect())
        })
    }

    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        _deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>> {
        Box::pin(async move { self.world().commit(shard, writes) })
    }

    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        _after: Option<String>,
        _deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let world = self.world();
            let since = since.map_or(0, |moment| number(&moment.0));
            let of_shard = world.rows.iter().filter(|((row_shard, _), _)| *row_shard == shard);
            let changed = of_shard.filter(|(_, stored)| number(&stored.revision.0) > since);
            let rows = changed.map(|(_, stored)| stored.state.clone()).collect();
            Ok(Page { rows, next: None, read_at: Moment(world.revisions.to_string()) })
        })
    }

    fn calibrations(&self, _deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>> {
        Box::pin(async move { Ok(self.world().calibrations.clone()) })
    }

    fn refuse<'a>(
        &'a self,
        refusals: &'a [Refusal],
        _deadline: Instant,
    ) -> Reply<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let mut world = self.world();
            for refusal in refusals {
                let key = (refusal.partition_key(), refusal.row_key());
                world.refusals.entry(key).or_insert_with(|| refusal.clone());
            }
            Ok(())
        })
    }

    fn refusing_partitions(&self, _deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let partitions: BTreeSet<String> =
                self.world().refusals.keys().map(|(partition, _)| partition.clone()).collect();
            Ok(partitions.into_iter().collect())
        })
    }

    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        _deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>> {
        Box::pin(async move {
            let world = self.world();
            let wanted = world.refusals.values().filter(|refusal| query.takes(refusal));
            Ok(wanted.take(query.limit).map(Refusal::as_kept).collect())
        })
    }
}
