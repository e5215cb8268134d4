//! The way of a batch, in five stages: its *readings* are found, *folded* into the rows of their devices and *committed*;
//! then rejected readings are *kept* and changed devices *announced*, at the same time.
//!
//! A batch with very many readings is worked off in slices, so that its memory is bounded whatever it holds: what a slice
//! rejected is kept before the next is folded, and changes are announced at the end. A slice that fails is the last one: a
//! later one must not move a watermark past it.
//!
//! The order is the reason why nothing is lost and nothing is counted twice. A row's condition decides, together with its
//! watermark, which readings are counted and which are rejected; after that the rejected ones are kept, and the batch is
//! acknowledged last. A load, commit or keep that fails makes the batch fail. The host then delivers it again, the watermarks
//! skip what was counted, and the verdicts in the row say what was rejected. An announcement that fails is only logged, and
//! what was committed is announced even if the batch fails.

mod backoff;
mod changes;
mod clock;
mod commit;
mod draft;
mod readings;
mod rejections;
mod row_cache;
pub(crate) mod trigger;

use std::sync::Arc;

use bytes::BytesMut;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio::task::yield_now;
use tokio::time::Instant;

use self::changes::Changes;
use self::commit::{Committer, IN_FLIGHT};
use self::draft::{Decided, Pending, Rest, Terms};
pub use self::readings::Sources;
use self::readings::{DeviceReadings, Noted, Reader, Slice};
use self::rejections::Rejections;
pub use self::row_cache::RowCache;
use crate::devices::rows::{DeviceRows, Loaded, StoredState};
use crate::host::call::PATIENCE;
use crate::host::envelope::{Batch, Event};
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::primitives::stable_hash::stable_hash;
use crate::rejected::rows::RejectedRows;
use crate::screens::publish::{Audience, Change, PUSH_PATIENCE, PublishError, Publisher};
use crate::store::StoreError;
use crate::store::shard::Shard;
use crate::telemetry::calibration::CalibrationCache;

/// The pipeline with everything it needs.
pub struct Ingest {
    /// Where states are kept.
    pub devices: Arc<DeviceRows>,
    /// Where rejected readings are kept.
    pub rejected: Arc<RejectedRows>,
    /// Corrections.
    pub calibrations: CalibrationCache,
    /// Whether the modules and components of a device are told apart.
    pub sources: Sources,
    /// Where changes are announced.
    pub publisher: Arc<dyn Publisher>,
    /// Rows as this process last saw them.
    pub cache: RowCache,
}

/// What became of a batch whose states are kept.
#[derive(Debug, PartialEq)]
pub struct Summary {
    /// Events in the batch.
    pub events: usize,
    /// Readings counted now.
    pub accepted: usize,
    /// Readings that an earlier delivery had counted.
    pub skipped: usize,
    /// Readings rejected.
    pub rejected: usize,
    /// What else is worth a word.
    pub noted: Noted,
    /// Devices announced.
    pub devices: usize,
    /// Whether the announcement reached the service.
    pub push: Result<(), PublishError>,
}

/// Gives each batch the current time and a random seed: the system's in the deployed app.
pub type NewInvocation = Arc<dyn Fn() -> Invocation + Send + Sync>;

/// The time and the random seed of one invocation, passed in so that the same inputs give the same run.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// Now.
    pub now: Millis,
    /// Any random number, a new one for each invocation: it names the invocation's writes and spreads its retries.
    pub seed: u64,
}

/// Devices that wait for the announcement of a batch, with their states: some 10 MB. More are announced earlier.
const MOST_CHANGES: usize = 16 * 1024;

/// Rejected bodies that wait until they are kept. The host sends at most 1,000 in a batch.
const MOST_REJECTED_BODIES: usize = 1_024;

/// Slices without readings after which rejected bodies are kept: what is kept is done when the batch comes again.
const SLICES_A_KEEP: u64 = 8;

/// What is known of a batch while it is worked off.
struct BatchProgress {
    accepted: usize,
    skipped: usize,
    noted: Noted,
    rejections: Rejections,
    /// Changed states, to be announced.
    changes: Changes,
    /// Devices announced.
    announced: usize,
    push: Result<(), PublishError>,
    failure: Option<StoreError>,
}

/// Devices with readings that are still to be folded, by shard.
type PendingByShard<'a> = Vec<(Shard, Vec<Pending<'a>>)>;

impl Ingest {
    /// Works a batch off.
    ///
    /// # Errors
    /// [`StoreError`]: the batch must be delivered again.
    pub async fn run(&self, mut batch: Batch, invocation: Invocation) -> Result<Summary, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        copy_small_bodies(&mut batch.events);
        readings::in_order(&mut batch.events);
        let mut progress = BatchProgress::new();
        self.work_off(&mut progress, &batch.events, invocation, deadline).await;
        let bodies = progress.rejections.take(&batch.events, invocation.now);
        let keep = self.rejected.keep(bodies, invocation.seed, deadline);
        let changes = progress.changes.take();
        let (kept, ()) = join(keep, self.announce(&mut progress.push, &changes)).await;
        progress.announced += changes.len();
        progress.fail(kept.err());
        match progress.failure {
            Some(error) => Err(error),
            None => Ok(summary(&batch, progress)),
        }
    }

    /// Reads, folds and commits, slice by slice. What the last one rejected and what has changed is left to the caller.
    async fn work_off(
        &self,
        progress: &mut BatchProgress,
        events: &[Event],
        invocation: Invocation,
        deadline: Instant,
    ) {
        let reader = Reader {
            shards: self.devices.shards(),
            catalogue: self.devices.catalogue(),
            sources: self.sources,
            now: invocation.now,
        };
        let mut next = 0;
        for number in 0.. {
            let slice = reader.read(events, next, &mut progress.rejections);
            progress.noted.add(slice.noted);
            next = slice.next;
            let has_readings = !slice.devices.is_empty();
            if has_readings {
                let of_slice = Invocation { seed: slice_seed(invocation.seed, number), ..invocation };
                let committed = self.commit_all(progress, events, &slice, of_slice, deadline).await;
                progress.fail(committed.err());
            }
            if progress.failure.is_some() || next == events.len() {
                return;
            }
            let is_time = number % SLICES_A_KEEP == SLICES_A_KEEP - 1;
            if has_readings || is_time || progress.rejections.bodies() > MOST_REJECTED_BODIES {
                let bodies = progress.rejections.take(events, invocation.now);
                let kept = self.rejected.keep(bodies, invocation.seed, deadline).await;
                if let Err(error) = kept {
                    return progress.fail(Some(error));
                }
            }
            if progress.changes.end_slice() > MOST_CHANGES {
                let changes = progress.changes.take();
                self.announce(&mut progress.push, &changes).await;
                progress.announced += changes.len();
            }
            yield_now().await;
        }
    }

    /// Loads, folds and commits a slice. A row that is too full takes its readings in turns: what was rejected in one turn is
    /// kept before the next, which then finds room.
    async fn commit_all(
        &self,
        progress: &mut BatchProgress,
        events: &[Event],
        readings: &Slice,
        invocation: Invocation,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let calibrations = self.calibrations.get(deadline).await?;
        let terms =
            Terms { catalogue: self.devices.catalogue(), calibrations: &calibrations, seed: invocation.seed };
        let committer = Committer::new(&self.devices, terms, deadline);
        let mut pending = self.load_all(progress, readings, deadline).await;
        loop {
            let outcome = committer.commit(pending).await;
            progress.fail(outcome.failure);
            pending = self.account_for(progress, events, outcome.decided);
            if pending.is_empty() {
                return Ok(());
            }
            let bodies = progress.rejections.take(events, invocation.now);
            self.rejected.keep(bodies, invocation.seed, deadline).await?;
        }
    }

    /// The devices of a batch with their rows. Shards that cannot be read are left out, and the batch will fail.
    async fn load_all<'a>(
        &self,
        progress: &mut BatchProgress,
        readings: &'a Slice,
        deadline: Instant,
    ) -> PendingByShard<'a> {
        let mut loads = Vec::with_capacity(readings.devices.len());
        for (shard, devices) in &readings.devices {
            loads.push(self.load(*shard, devices, deadline));
        }
        let loaded: Vec<_> = stream::iter(loads).buffered(IN_FLIGHT).collect().await;
        let mut pending = PendingByShard::new();
        for ((shard, devices), rows) in readings.devices.iter().zip(loaded) {
            match rows {
                Ok(rows) => {
                    let devices = devices.iter().zip(rows).map(|(device, row)| Pending::new(device, row));
                    pending.push((*shard, devices.collect()));
                }
                Err(error) => progress.fail(Some(error)),
            }
        }
        pending
    }

    /// The rows of devices: as this process knows them, the others from the store.
    async fn load(
        &self,
        shard: Shard,
        devices: &[DeviceReadings],
        deadline: Instant,
    ) -> Result<Vec<Loaded>, StoreError> {
        let known: Vec<Option<Box<StoredState>>> =
            devices.iter().map(|readings| self.cache.take(&readings.device)).collect();
        let unknown = devices.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<DeviceId> = unknown.map(|(readings, _)| readings.device.clone()).collect();
        let mut loaded = match unknown.is_empty() {
            true => Vec::new(),
            false => self.devices.load(shard, &unknown, deadline).await?,
        }
        .into_iter();
        let row = |known: Option<Box<StoredState>>| match known {
            Some(stored) => Loaded::Found(stored),
            None => loaded.next().unwrap_or(Loaded::Absent),
        };
        Ok(known.into_iter().map(row).collect())
    }

    /// Counts what was committed, remembers the rows, and returns what has to be folded in another turn.
    fn account_for<'a>(
        &self,
        progress: &mut BatchProgress,
        events: &[Event],
        committed: Vec<Decided<'a>>,
    ) -> PendingByShard<'a> {
        let mut pending = PendingByShard::new();
        for mut committed in committed {
            progress.accepted += committed.accepted();
            progress.skipped += committed.skipped();
            progress.noted.new_streams += usize::from(committed.is_new_stream());
            committed.hand_over(events, &mut progress.rejections);
            match committed.rest() {
                Rest::Complete(Some((row, left))) => {
                    if row.state.is_heard() {
                        progress.changes.push(Change::to(&row.state, left, self.devices.catalogue()));
                    }
                    self.cache.keep(row);
                }
                Rest::Complete(None) => {}
                Rest::Pending(rest) => {
                    let shard = self.devices.shards().of(rest.device());
                    pending.push((shard, vec![rest]));
                }
            }
        }
        pending
    }

    /// Announces changes, unless an earlier announcement of the batch has failed: it took its time already, and screens
    /// catch up.
    async fn announce(&self, push: &mut Result<(), PublishError>, changes: &[Change]) {
        if !changes.is_empty() && push.is_ok() {
            *push = self.publisher.publish(Audience::Watchers, changes, PUSH_PATIENCE).await;
        }
    }
}

impl BatchProgress {
    fn new() -> BatchProgress {
        BatchProgress {
            accepted: 0,
            skipped: 0,
            noted: Noted::default(),
            rejections: Rejections::default(),
            changes: Changes::default(),
            announced: 0,
            push: Ok(()),
            failure: None,
        }
    }

    /// The first failure stays.
    fn fail(&mut self, failure: Option<StoreError>) {
        self.failure = self.failure.take().or(failure);
    }
}

/// Copies small bodies out of the request, so that it is not kept until they are stored: around each body it has some
/// 900 bytes of metadata, which have been read. A request with large bodies is little more than them.
fn copy_small_bodies(events: &mut [Event]) {
    /// Bytes of a body on average.
    const SMALL: usize = 512;
    let total = events.iter().map(|event| event.body.len()).sum();
    if total > events.len() * SMALL {
        return;
    }
    let mut bodies = BytesMut::with_capacity(total);
    for event in events {
        bodies.extend_from_slice(&event.body);
        event.body = bodies.split().freeze();
    }
}

/// The random number of a slice, by which its writes are told from those of the other slices. The first has the
/// invocation's.
fn slice_seed(seed: u64, number: u64) -> u64 {
    match number {
        0 => seed,
        _ => stable_hash(&seed.wrapping_add(number).to_be_bytes()),
    }
}

fn summary(batch: &Batch, progress: BatchProgress) -> Summary {
    Summary {
        events: batch.events.len(),
        accepted: progress.accepted,
        skipped: progress.skipped,
        rejected: progress.rejections.readings(),
        noted: progress.noted,
        devices: progress.announced,
        push: progress.push,
    }
}

#[cfg(test)]
mod tests;
