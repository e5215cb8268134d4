//! The first stage: the readings of a batch, by device and in the order of the stream. Pure.

use std::collections::BTreeMap;

use super::clock::{self, Clock};
use crate::devices::fold::{Arrival, in_stream_order};
use crate::host::envelope::{Batch, Event};
use crate::primitives::ids::{DeviceId, DeviceIdError};
use crate::primitives::instant::Millis;
use crate::rejected::reading::{Reason, RejectedReading, Rejection};
use crate::store::shard::{Shard, Shards};
use crate::telemetry::body::{self, Reading};
use crate::telemetry::catalogue::Catalogue;

/// Whether the modules and components of a device are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sources {
    /// Each has a state of its own.
    #[default]
    Apart,
    /// What they say is said by the device.
    Merged,
}

/// The readings of a batch.
pub(super) struct Readings {
    pub(super) devices: BTreeMap<Shard, Vec<DeviceReadings>>,
    /// What could not be read, of whichever device.
    pub(super) rejected: Vec<RejectedReading>,
    /// Events that no device sent.
    pub(super) not_telemetry: usize,
    /// Readings whose clock said something that cannot be.
    pub(super) absurd_clocks: usize,
}

/// One device's part of a batch, in stream order.
pub(super) struct DeviceReadings {
    pub(super) device: DeviceId,
    pub(super) arrivals: Vec<Arrival>,
}

/// Reads the bodies of a batch. `now` is the time of events whose host did not say when they were enqueued.
pub(super) fn read(
    batch: &Batch,
    shards: &Shards,
    catalogue: &Catalogue,
    sources: Sources,
    now: Millis,
) -> Readings {
    let mut devices: BTreeMap<DeviceId, Vec<Arrival>> = BTreeMap::new();
    let (mut rejected, mut not_telemetry, mut absurd_clocks) = (Vec::new(), 0, 0);
    for (number, event) in batch.events.iter().enumerate() {
        if !event.is_telemetry {
            not_telemetry += 1;
            continue;
        }
        let at = event.enqueued_at.unwrap_or(now);
        let Clock { measured_at, is_absurd } = clock::of_message(event.creation_time.as_deref(), at);
        let encoding = event.content_encoding.as_deref();
        let found = body::read(&event.body, encoding, event.stamped_device.as_deref(), catalogue);
        let mut text = None;
        for (index, found) in found.into_iter().enumerate() {
            match found.outcome.and_then(|reading| of_source(reading, event, sources)) {
                Ok(mut reading) => {
                    reading.message_id = reading.message_id.or_else(|| event.message_id.clone());
                    absurd_clocks += usize::from(is_absurd);
                    let arrival = Arrival {
                        event: number,
                        index,
                        span: found.span,
                        position: event.position.clone(),
                        enqueued_at: event.enqueued_at,
                        at,
                        measured_at,
                        reading,
                    };
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
    Readings { devices: by_shard(devices, shards), rejected, not_telemetry, absurd_clocks }
}

/// A reading of the module or component that the hub names.
fn of_source(mut reading: Reading, event: &Event, sources: Sources) -> Result<Reading, Rejection> {
    if sources == Sources::Apart && (event.module.is_some() || event.component.is_some()) {
        let part = reading.device.part(event.module.as_deref(), event.component.as_deref());
        reading.device = part.map_err(|error| unnamed(&reading.device, error))?;
    }
    Ok(reading)
}

fn unnamed(device: &DeviceId, error: DeviceIdError) -> Rejection {
    let device = Some(device.device().into_owned());
    Rejection { reason: Reason::DeviceId, detail: format!("module or component: {error}"), device }
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
