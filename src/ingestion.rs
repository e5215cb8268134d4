//! The way of a batch, in five stages: its *readings* are found, *folded* into the rows of their devices and *committed*;
//! then rejected readings are *kept* and changed devices *announced*, at the same time.
//!
//! The order is the reason why nothing is lost and nothing is counted twice. A row's condition decides, together with its
//! watermark, which readings are counted and which are rejected; after that the rejected ones are kept, and the batch is
//! acknowledged last. A load, commit or keep that fails makes the batch fail. The host then delivers it again, the watermarks
//! skip what was counted, and the verdicts in the row say what was rejected. An announcement that fails is only logged, and
//! what was committed is announced even if the batch fails.

mod backoff;
mod clock;
mod commit;
mod draft;
mod readings;
mod row_cache;
pub(crate) mod trigger;

use std::sync::Arc;

use bytes::BytesMut;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use self::commit::{Committer, IN_FLIGHT};
use self::draft::{Decided, Pending, Rest, Terms};
pub use self::readings::Sources;
use self::readings::{DeviceReadings, Readings};
pub use self::row_cache::RowCache;
use crate::devices::rows::{DeviceRows, Loaded, StoredState};
use crate::host::call::PATIENCE;
use crate::host::envelope::{Batch, Event};
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::rejected::reading::RejectedReading;
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
    /// Events that no device sent.
    pub not_telemetry: usize,
    /// Readings whose clock said something that cannot be.
    pub absurd_clocks: usize,
    /// Devices of which the numbers of the stream begin again.
    pub new_streams: usize,
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

/// What is known of a batch while it is worked off.
#[derive(Default)]
struct BatchProgress {
    accepted: usize,
    skipped: usize,
    rejected: usize,
    not_telemetry: usize,
    absurd_clocks: usize,
    new_streams: usize,
    /// Rejected readings that are not kept yet.
    to_keep: Vec<RejectedReading>,
    /// Changed states, to be announced.
    changes: Vec<Change>,
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
        let shards = self.devices.shards();
        let mut readings =
            readings::read(&batch, shards, self.devices.catalogue(), self.sources, invocation.now);
        let mut progress = BatchProgress {
            not_telemetry: readings.not_telemetry,
            absurd_clocks: readings.absurd_clocks,
            ..BatchProgress::default()
        };
        progress.reject(std::mem::take(&mut readings.rejected));
        let push = self.work_off(&mut progress, &batch.events, &readings, invocation, deadline).await;
        match progress.failure {
            Some(error) => Err(error),
            None => Ok(summary(&batch, &progress, push)),
        }
    }

    /// Folds, commits, keeps and announces. A row that is too full takes its readings in turns: what was rejected in one
    /// turn is kept before the next, which then finds room.
    async fn work_off(
        &self,
        progress: &mut BatchProgress,
        events: &[Event],
        readings: &Readings,
        invocation: Invocation,
        deadline: Instant,
    ) -> Result<(), PublishError> {
        if !readings.devices.is_empty() {
            let committed = self.commit_all(progress, events, readings, invocation, deadline).await;
            progress.fail(committed.err());
        }
        let keep = self.rejected.keep(&progress.to_keep, invocation.seed, deadline);
        let (kept, push) = join(keep, self.announce(&progress.changes)).await;
        progress.fail(kept.err());
        push
    }

    async fn commit_all(
        &self,
        progress: &mut BatchProgress,
        events: &[Event],
        readings: &Readings,
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
            pending = self.account_for(progress, events, invocation.now, outcome.decided);
            if pending.is_empty() {
                return Ok(());
            }
            let to_keep = std::mem::take(&mut progress.to_keep);
            self.rejected.keep(&to_keep, invocation.seed, deadline).await?;
        }
    }

    /// The devices of a batch with their rows. Shards that cannot be read are left out, and the batch will fail.
    async fn load_all<'a>(
        &self,
        progress: &mut BatchProgress,
        readings: &'a Readings,
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
        now: Millis,
        committed: Vec<Decided<'a>>,
    ) -> PendingByShard<'a> {
        let mut pending = PendingByShard::new();
        for mut committed in committed {
            progress.accepted += committed.accepted();
            progress.skipped += committed.skipped();
            progress.new_streams += usize::from(committed.is_new_stream());
            progress.reject(committed.take_rejected(events, now));
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

    async fn announce(&self, changes: &[Change]) -> Result<(), PublishError> {
        match changes.is_empty() {
            true => Ok(()),
            false => self.publisher.publish(Audience::Watchers, changes, PUSH_PATIENCE).await,
        }
    }
}

impl BatchProgress {
    fn reject(&mut self, readings: Vec<RejectedReading>) {
        self.rejected += readings.len();
        self.to_keep.extend(readings);
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

fn summary(batch: &Batch, progress: &BatchProgress, push: Result<(), PublishError>) -> Summary {
    Summary {
        events: batch.events.len(),
        accepted: progress.accepted,
        skipped: progress.skipped,
        rejected: progress.rejected,
        not_telemetry: progress.not_telemetry,
        absurd_clocks: progress.absurd_clocks,
        new_streams: progress.new_streams,
        devices: progress.changes.len(),
        push,
    }
}

#[cfg(test)]
mod tests;
