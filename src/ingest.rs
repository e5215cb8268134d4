//! Ingestion: a batch of events to committed device states, refused readings and one announcement.
//!
//! Order matters and is the reason why nothing is lost: refusals are kept before the rows whose watermarks pass them,
//! rows are committed before they are announced, and the batch is acknowledged last. A step that fails makes the batch
//! fail; the host delivers it again and the watermarks skip what was done.

mod settle;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;

use crate::calibration::CalibrationCache;
use crate::catalogue::Catalogue;
use crate::envelope::{Batch, Event};
use crate::fold::{Arrival, in_stream_order};
use crate::ids::DeviceId;
use crate::instant::Millis;
use crate::publish::{Audience, PublishError, Publisher};
use crate::refusal::{Fault, Refusal};
use crate::shard::{Shard, Shards};
use crate::state::DeviceState;
use crate::store::{MOST_WRITES, StateStore, StoreError};
use crate::telemetry;

/// An invocation's own deadline. Far below the host's `functionTimeout` of 5 minutes, which kills the process and every
/// other invocation with it; far above what a healthy store needs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long an announcement may hold up the acknowledgement of a batch. The state is already kept; a screen that
/// misses this push converges with the next one or with a snapshot.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(2);

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
    devices: BTreeMap<Shard, Vec<DeviceArrivals>>,
    refusals: Vec<Refusal>,
}

/// One device's part of a batch, in stream order.
struct DeviceArrivals {
    device: DeviceId,
    arrivals: Vec<Arrival>,
}

impl Ingest {
    /// Works a batch off. An error means that the batch must be delivered again.
    pub async fn run(&self, batch: Batch, invocation: Invocation) -> Result<Summary, StoreError> {
        let deadline = Instant::now() + PATIENCE;
        let sorted = self.sort(&batch, invocation.now);
        if !sorted.refusals.is_empty() {
            self.store.refuse(&sorted.refusals, deadline).await?;
        }
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
        let shards = sorted.devices.iter().map(|(shard, devices)| run.settle_shard(*shard, devices));
        let (settled, failure) = split(join_all(shards).await.into_iter().flatten());
        let push = self.announce(settled.iter().flat_map(|settled| &settled.states)).await;
        match failure {
            Some(error) => Err(error),
            None => Ok(summary(&batch, sorted.refusals.len(), &settled, push)),
        }
    }

    fn sort(&self, batch: &Batch, now: Millis) -> Sorted {
        let mut devices: BTreeMap<DeviceId, Vec<Arrival>> = BTreeMap::new();
        let mut refusals = Vec::new();
        for (number, event) in batch.events.iter().enumerate() {
            let found = telemetry::read(&event.body, event.stamped_device.as_deref(), &self.catalogue);
            for (index, found) in found.into_iter().enumerate() {
                match found.outcome {
                    Ok(mut reading) => {
                        reading.message_id = reading.message_id.or_else(|| event.message_id.clone());
                        let at = event.enqueued_at.unwrap_or(now);
                        let position = event.position.clone();
                        let arrival =
                            Arrival { event: number, index, span: found.span, position, at, reading };
                        devices.entry(arrival.reading.device.clone()).or_default().push(arrival);
                    }
                    Err(fault) => refusals.push(refusal(event, index, found.span, fault, now)),
                }
            }
        }
        let mut by_shard: BTreeMap<Shard, Vec<DeviceArrivals>> = BTreeMap::new();
        for (device, mut arrivals) in devices {
            in_stream_order(&mut arrivals);
            by_shard.entry(self.shards.of(&device)).or_default().push(DeviceArrivals { device, arrivals });
        }
        Sorted { devices: by_shard, refusals }
    }

    async fn announce(&self, states: impl Iterator<Item = &DeviceState>) -> Result<(), PublishError> {
        let views: Vec<Vec<u8>> = states.map(|state| state.view(&self.catalogue).to_json()).collect();
        match views.is_empty() {
            true => Ok(()),
            false => self.publisher.publish(Audience::Everyone, &views, PUSH_PATIENCE).await,
        }
    }
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

/// What could be settled, and the first failure.
fn split(
    results: impl Iterator<Item = Result<settle::Settled, StoreError>>,
) -> (Vec<settle::Settled>, Option<StoreError>) {
    let (mut settled, mut failure) = (Vec::new(), None);
    for result in results {
        match result {
            Ok(one) => settled.push(one),
            Err(error) => {
                failure.get_or_insert(error);
            }
        }
    }
    (settled, failure)
}

fn summary(
    batch: &Batch,
    unreadable: usize,
    settled: &[settle::Settled],
    push: Result<(), PublishError>,
) -> Summary {
    let total = |count: fn(&settle::Settled) -> usize| settled.iter().map(count).sum::<usize>();
    Summary {
        events: batch.events.len(),
        accepted: total(|settled| settled.accepted),
        skipped: total(|settled| settled.skipped),
        refused: unreadable + total(|settled| settled.refused),
        devices: total(|settled| settled.states.len()),
        push,
    }
}

#[cfg(test)]
mod tests;
