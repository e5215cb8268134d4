//! The first stage: the readings of a batch, by device and in the order of the stream. Pure.

use std::collections::BTreeMap;

use crate::devices::fold::{Arrival, in_stream_order};
use crate::host::envelope::{Batch, Event};
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::rejected::reading::{RejectedReading, Rejection};
use crate::store::shard::{Shard, Shards};
use crate::telemetry::body;
use crate::telemetry::catalogue::Catalogue;

/// The readings of a batch.
pub(super) struct Readings {
    pub(super) devices: BTreeMap<Shard, Vec<DeviceReadings>>,
    /// What could not be read, of whichever device.
    pub(super) rejected: Vec<RejectedReading>,
}

/// One device's part of a batch, in stream order.
pub(super) struct DeviceReadings {
    pub(super) device: DeviceId,
    pub(super) arrivals: Vec<Arrival>,
}

/// Reads the bodies of a batch. `now` is the time of events whose host did not say when they were enqueued.
pub(super) fn read(batch: &Batch, shards: &Shards, catalogue: &Catalogue, now: Millis) -> Readings {
    let mut devices: BTreeMap<DeviceId, Vec<Arrival>> = BTreeMap::new();
    let mut rejected = Vec::new();
    for (number, event) in batch.events.iter().enumerate() {
        let encoding = event.content_encoding.as_deref();
        let found = body::read(&event.body, encoding, event.stamped_device.as_deref(), catalogue);
        let mut text = None;
        for (index, found) in found.into_iter().enumerate() {
            match found.outcome {
                Ok(mut reading) => {
                    reading.message_id = reading.message_id.or_else(|| event.message_id.clone());
                    let (position, at) = (event.position.clone(), event.enqueued_at.unwrap_or(now));
                    let arrival = Arrival { event: number, index, span: found.span, position, at, reading };
                    // Most devices say one thing per batch; a list that grows by itself begins with room for four.
                    let of_device = devices.entry(arrival.reading.device.clone());
                    of_device.or_insert_with(|| Vec::with_capacity(1)).push(arrival);
                }
                Err(rejection) => {
                    let text = text.get_or_insert_with(|| body::text_of(&event.body, encoding));
                    rejected.push(rejected_reading(event, index, &text[found.span], rejection, now));
                }
            }
        }
    }
    Readings { devices: by_shard(devices, shards), rejected }
}

fn by_shard(
    devices: BTreeMap<DeviceId, Vec<Arrival>>,
    shards: &Shards,
) -> BTreeMap<Shard, Vec<DeviceReadings>> {
    let mut by_shard: BTreeMap<Shard, Vec<DeviceReadings>> = BTreeMap::new();
    for (device, mut arrivals) in devices {
        in_stream_order(&mut arrivals);
        by_shard.entry(shards.of(&device)).or_default().push(DeviceReadings { device, arrivals });
    }
    by_shard
}

/// A reading of an event, given as the part of the body that it is, with the reason why it is rejected.
pub(super) fn rejected_reading(
    event: &Event,
    index: usize,
    body: &[u8],
    rejection: Rejection,
    now: Millis,
) -> RejectedReading {
    RejectedReading {
        rejection,
        body: body[..body.len().min(RejectedReading::MOST_BYTES)].to_vec(),
        body_length: body.len(),
        position: event.position.clone(),
        index,
        enqueued_at: event.enqueued_at,
        rejected_at: now,
    }
}
