//! Ingestion: a batch of events to committed device states, refused readings and one announcement.
//!
//! Order matters and is the reason why nothing is lost and nothing is counted twice: a row's condition decides, together
//! with its watermark, which readings are counted and which are refused; what it refused is kept as a refusal next, states
//! are announced after they are stored, and the batch is acknowledged last. A step that fails makes the batch fail; the
//! host delivers it again, the watermarks skip what was counted, and the verdicts in the row say what was refused.

mod backoff;
mod draft;
mod known;
mod settle;
pub(crate) mod trigger;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::join;
use futures_util::stream::{self, StreamExt};
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::devices::fold::{Arrival, in_stream_order};
use crate::host::envelope::{Batch, Event};
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::rejected::refusal::{Fault, Refusal};
use crate::screens::publish::{Audience, Change, PublishError, Publisher};
use crate::store::shard::{Shard, Shards};
use crate::store::{Loaded, MOST_WRITES, StateStore, StoreError, Stored};
use crate::telemetry::body;
use crate::telemetry::calibration::CalibrationCache;
use crate::telemetry::catalogue::Catalogue;

use self::draft::Member;
pub use self::known::Known;

/// An invocation's own deadline. Far below the host's `functionTimeout` of 5 minutes, which kills the process and every
/// other invocation with it; far above what a healthy store needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long an announcement may hold up the acknowledgement of a batch. The state is already kept; a screen that
/// misses this push converges with the next one or with a snapshot.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Calls to the store at once: enough to hide its round trips, few enough not to be throttled by it.
const IN_FLIGHT: usize = 16;

/// The pipeline with everything it needs.
pub struct Ingest {
    /// Where states are kept.
    pub store: Arc<dyn StateStore>,
    /// Where changes are announced.
    pub publisher: Arc<dyn Publisher>,
    /// What can be measured.
    pub catalogue: Arc<Catalogue>,
    /// Corrections.
    pub calibrations: CalibrationCache,
    /// Where rows live.
    pub shards: Shards,
    /// Rows as this process last saw them.
    pub known: Known,
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
    /// Readings refused.
    pub refused: usize,
    /// Devices announced.
    pub devices: usize,
    /// Whether the announcement reached the service.
    pub push: Result<(), PublishError>,
}

/// Where invocations take their moment and their dice from: the system's clock and random numbers in the deployed app.
pub type Invocations = Arc<dyn Fn() -> Invocation + Send + Sync>;

/// The moment and the dice of one invocation, passed in so that the same inputs give the same run.
#[derive(Clone, Copy, Debug)]
pub struct Invocation {
    /// Now.
    pub now: Millis,
    /// Any random number, a new one for each invocation: it names the invocation's writes and spreads its retries.
    pub seed: u64,
}

/// A batch sorted into what can be folded and what cannot.
struct Sorted {
    devices: ByShard,
    refusals: Vec<Refusal>,
}

type ByShard = BTreeMap<Shard, Vec<DeviceArrivals>>;

/// One device's part of a batch, in stream order.
struct DeviceArrivals {
    device: DeviceId,
    arrivals: Vec<Arrival>,
}

impl Ingest {
    /// Works a batch off. An error means that the batch must be delivered again.
    pub async fn run(&self, mut batch: Batch, invocation: Invocation) -> Result<Summary, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let_go_of_request(&mut batch.events);
        let sorted = self.sort(&batch, invocation.now);
        let run = settle::Run {
            ingest: self,
            events: &batch.events,
            calibrations: match sorted.devices.is_empty() {
                true => Arc::default(),
                false => self.calibrations.get(&*self.store, deadline).await?,
            },
            invocation,
            deadline,
        };
        let mut settled = self.settle(&run, &sorted.devices).await;
        settled.refused += sorted.refusals.len();
        settled.refusals.extend(sorted.refusals);
        let (kept, push) =
            join(self.keep_refusals(&settled.refusals, deadline), self.announce(&settled.changes)).await;
        match settled.failure {
            Some(error) => Err(error),
            None => kept.map(|()| summary(&batch, &settled, push)),
        }
    }

    /// Settles all devices, in groups that fit one transaction each.
    async fn settle(&self, run: &settle::Run<'_>, devices: &ByShard) -> settle::Settled {
        let mut loads = Vec::with_capacity(devices.len());
        for (shard, devices) in devices {
            loads.push(self.rows(*shard, devices, run.deadline));
        }
        let loaded: Vec<_> = stream::iter(loads).buffered(IN_FLIGHT).collect().await;
        let mut settled = settle::Settled::default();
        let mut groups = Vec::new();
        for ((shard, devices), rows) in devices.iter().zip(loaded) {
            match rows {
                Ok(rows) => {
                    let members = devices.iter().zip(rows).map(|(device, row)| Member::new(device, row));
                    for group in in_groups(members) {
                        groups.push(in_turn(groups.len() % IN_FLIGHT, run.settle(*shard, group)));
                    }
                }
                Err(error) => {
                    settled.failure.get_or_insert(error);
                }
            }
        }
        let mut results = stream::iter(groups).buffered(IN_FLIGHT);
        while let Some(group) = results.next().await {
            settled.add(group);
        }
        settled
    }

    /// The rows of devices: as this process knows them, the others from the store.
    async fn rows(
        &self,
        shard: Shard,
        devices: &[DeviceArrivals],
        deadline: Instant,
    ) -> Result<Vec<Loaded>, StoreError> {
        let known: Vec<Option<Box<Stored>>> =
            devices.iter().map(|entry| self.known.take(&entry.device)).collect();
        let unknown = devices.iter().zip(&known).filter(|(_, known)| known.is_none());
        let unknown: Vec<DeviceId> = unknown.map(|(entry, _)| entry.device.clone()).collect();
        let mut loaded = match unknown.is_empty() {
            true => Vec::new(),
            false => self.store.load(shard, &unknown, deadline).await?,
        }
        .into_iter();
        let row = |known: Option<Box<Stored>>| match known {
            Some(stored) => Loaded::Found(stored),
            None => loaded.next().expect("a row for each device that was asked for"),
        };
        Ok(known.into_iter().map(row).collect())
    }

    async fn keep_refusals(&self, refusals: &[Refusal], deadline: Instant) -> Result<(), StoreError> {
        match refusals.is_empty() {
            true => Ok(()),
            false => self.store.refuse(refusals, deadline).await,
        }
    }

    fn sort(&self, batch: &Batch, now: Millis) -> Sorted {
        let mut devices: BTreeMap<DeviceId, Vec<Arrival>> = BTreeMap::new();
        let mut refusals = Vec::new();
        for (number, event) in batch.events.iter().enumerate() {
            let found = body::read(&event.body, event.stamped_device.as_deref(), &self.catalogue);
            for (index, found) in found.into_iter().enumerate() {
                match found.outcome {
                    Ok(mut reading) => {
                        reading.message_id = reading.message_id.or_else(|| event.message_id.clone());
                        let at = event.enqueued_at.unwrap_or(now);
                        let position = event.position.clone();
                        let arrival =
                            Arrival { event: number, index, span: found.span, position, at, reading };
                        // Most devices say one thing per batch; a list that grows by itself begins with room for four.
                        let of_device = devices.entry(arrival.reading.device.clone());
                        of_device.or_insert_with(|| Vec::with_capacity(1)).push(arrival);
                    }
                    Err(fault) => refusals.push(refusal(event, index, found.span, fault, now)),
                }
            }
        }
        let mut by_shard = ByShard::new();
        for (device, mut arrivals) in devices {
            in_stream_order(&mut arrivals);
            by_shard.entry(self.shards.of(&device)).or_default().push(DeviceArrivals { device, arrivals });
        }
        Sorted { devices: by_shard, refusals }
    }

    async fn announce(&self, changes: &[Change]) -> Result<(), PublishError> {
        match changes.is_empty() {
            true => Ok(()),
            false => self.publisher.publish(Audience::Watchers, changes, PUSH_PATIENCE).await,
        }
    }
}

/// Copies small bodies out of the request, so that it is not kept until they are stored: around each body it has some
/// 900 bytes of metadata, which have been read. A request with large bodies is little more than them.
fn let_go_of_request(events: &mut [Event]) {
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

/// Begins with a future after some turns of the others. A group is folded and written into its request without a pause:
/// when each begins a turn after the one before it, the store has the first request while the second is written.
async fn in_turn<T>(turn: usize, group: impl Future<Output = T>) -> T {
    for _ in 0..turn {
        yield_now().await;
    }
    group.await
}

/// Members in groups that fit one transaction.
fn in_groups<'a>(mut members: impl Iterator<Item = Member<'a>>) -> impl Iterator<Item = Vec<Member<'a>>> {
    std::iter::from_fn(move || {
        let group: Vec<Member<'a>> = members.by_ref().take(MOST_WRITES).collect();
        (!group.is_empty()).then_some(group)
    })
}

fn refusal(event: &Event, index: usize, span: std::ops::Range<usize>, fault: Fault, now: Millis) -> Refusal {
    let body = &event.body[span];
    Refusal {
        fault,
        body: body[..body.len().min(Refusal::MOST_BYTES)].to_vec(),
        body_length: body.len(),
        position: event.position.clone(),
        index,
        enqueued_at: event.enqueued_at,
        refused_at: now,
    }
}

fn summary(batch: &Batch, settled: &settle::Settled, push: Result<(), PublishError>) -> Summary {
    Summary {
        events: batch.events.len(),
        accepted: settled.accepted,
        skipped: settled.skipped,
        refused: settled.refused,
        devices: settled.changes.len(),
        push,
    }
}

#[cfg(test)]
mod tests;
