//! The first stage: the readings of a batch, slice by slice, by device and in the order of the stream. Pure.

use std::collections::BTreeMap;

use super::rejections::Rejections;
use crate::devices::fold::{Arrival, in_stream_order};
use crate::host::envelope::Event;
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::store::shard::{Shard, Shards};
use crate::telemetry::body;
use crate::telemetry::catalogue::Catalogue;

/// Readings that are worked off together, at most a body more: some 20 MB of memory with all that comes of them. A body has
/// up to 20,000.
const MOST_READINGS: usize = 32 * 1024;

/// Elements that are looked at without a pause for others: some tens of milliseconds.
const MOST_ELEMENTS: usize = 4 * MOST_READINGS;

/// The readings of some events of a batch.
pub(super) struct Slice {
    pub(super) devices: BTreeMap<Shard, Vec<DeviceReadings>>,
    /// The first event that is not in it.
    pub(super) next: usize,
}

/// One device's part of a slice, in stream order.
pub(super) struct DeviceReadings {
    pub(super) device: DeviceId,
    pub(super) arrivals: Vec<Arrival>,
}

/// Reads bodies from an event on, until there is enough to do. What could not be read, of whichever device, goes to the
/// rejections. `now` is the time of events whose host did not say when they were enqueued.
pub(super) fn read(
    events: &[Event],
    from: usize,
    shards: &Shards,
    catalogue: &Catalogue,
    now: Millis,
    rejections: &mut Rejections,
) -> Slice {
    let mut devices: BTreeMap<DeviceId, Vec<Arrival>> = BTreeMap::new();
    let (mut readings, mut elements, mut next) = (0, 0, from);
    while next < events.len() && readings < MOST_READINGS && elements < MOST_ELEMENTS {
        let (number, event) = (next, &events[next]);
        next += 1;
        let found = body::read(&event.body, event.stamped_device.as_deref(), catalogue);
        elements += found.len();
        for (index, found) in found.into_iter().enumerate() {
            match found.outcome {
                Ok(mut reading) => {
                    readings += 1;
                    reading.message_id = reading.message_id.or_else(|| event.message_id.clone());
                    let (position, at) = (event.position.clone(), event.enqueued_at.unwrap_or(now));
                    let arrival = Arrival { event: number, index, span: found.span, position, at, reading };
                    // Most devices say one thing per batch; a list that grows by itself begins with room for four.
                    let of_device = devices.entry(arrival.reading.device.clone());
                    of_device.or_insert_with(|| Vec::with_capacity(1)).push(arrival);
                }
                Err(rejection) => rejections.reject(events, number, index, found.span, rejection),
            }
        }
    }
    Slice { devices: by_shard(devices, shards), next }
}

/// Sorts the events of a batch as the stream had them, so that a slice never comes before one that it follows in the stream:
/// what it moved the watermark past would not be counted any more. Events without a sequence number come last.
pub(super) fn in_order(events: &mut [Event]) {
    let key = |event: &Event| event.position.sequence.unwrap_or(i64::MAX);
    if !events.is_sorted_by_key(key) {
        events.sort_by_key(key);
    }
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
