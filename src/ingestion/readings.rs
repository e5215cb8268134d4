//! The first stage: the readings of a batch, slice by slice, by device and in the order of the stream. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use super::clock::{self, Clock};
use super::rejections::Rejections;
use crate::devices::fold::{Arrival, in_stream_order};
use crate::host::envelope::Event;
use crate::primitives::ids::{DeviceId, DeviceIdError};
use crate::primitives::instant::Millis;
use crate::rejected::reading::{Reason, Rejection};
use crate::store::shard::{Shard, Shards};
use crate::telemetry::body::{self, Enrichments, Reading};
use crate::telemetry::catalogue::Catalogue;

/// Readings that are worked off together, at most a body more: some 20 MB of memory with all that comes of them, beside
/// their texts. A body has up to 20,000.
const MOST_READINGS: usize = 32 * 1024;

/// Bytes of their texts, at most a body more.
const MOST_TEXT: usize = 8 * 1024 * 1024;

/// Elements and bytes of bodies, unpacked, that are looked at without a pause for others: a tenth of a second.
const MOST_ELEMENTS: usize = 4 * MOST_READINGS;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Whether the modules and components of a device are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sources {
    /// Each has a state of its own.
    #[default]
    Apart,
    /// What they say is said by the device.
    Merged,
}

/// What a batch had beside readings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    /// Events that no device sent.
    pub not_telemetry: usize,
    /// Readings whose clock said something that cannot be.
    pub absurd_clocks: usize,
    /// Devices of which the numbers of the stream begin again.
    pub new_streams: usize,
}

impl Noted {
    pub(super) fn add(&mut self, other: Noted) {
        self.not_telemetry += other.not_telemetry;
        self.absurd_clocks += other.absurd_clocks;
        self.new_streams += other.new_streams;
    }
}

/// The readings of some events of a batch.
pub(super) struct Slice {
    pub(super) devices: BTreeMap<Shard, Vec<DeviceReadings>>,
    /// The first event that is not in it.
    pub(super) next: usize,
    pub(super) noted: Noted,
}

/// One device's part of a slice, in stream order.
pub(super) struct DeviceReadings {
    pub(super) device: DeviceId,
    pub(super) arrivals: Vec<Arrival>,
}

/// How much there is in a slice.
#[derive(Default)]
struct Size {
    readings: usize,
    text: usize,
    elements: usize,
    bytes: usize,
}

impl Size {
    fn is_enough(&self) -> bool {
        self.readings >= MOST_READINGS
            || self.text >= MOST_TEXT
            || self.elements >= MOST_ELEMENTS
            || self.bytes >= MOST_BYTES
    }
}

/// Reads bodies.
pub(super) struct Reader<'a> {
    pub(super) shards: &'a Shards,
    pub(super) catalogue: &'a Catalogue,
    pub(super) sources: Sources,
    /// The time of events whose host did not say when they were enqueued.
    pub(super) now: Millis,
}

impl Reader<'_> {
    /// Reads bodies from an event on, until there is enough to do. What could not be read, of whichever device, goes to the
    /// rejections.
    pub(super) fn read(&self, events: &[Event], from: usize, rejections: &mut Rejections) -> Slice {
        let mut devices: BTreeMap<DeviceId, Vec<Arrival>> = BTreeMap::new();
        let (mut size, mut next) = (Size::default(), from);
        let mut noted = Noted::default();
        while next < events.len() && !size.is_enough() {
            let (number, event) = (next, &events[next]);
            next += 1;
            if !event.is_telemetry {
                noted.not_telemetry += 1;
                continue;
            }
            let encoding = event.content_encoding.as_deref();
            let found = body::read(&event.body, encoding, event.stamped_device.as_deref(), self.catalogue);
            size.elements += found.len();
            size.bytes += found.last().map_or(0, |last| last.span.end);
            let arrival = self.arrivals(number, event);
            for (index, found) in found.into_iter().enumerate() {
                match found.outcome.and_then(|reading| self.of_source(reading, event)) {
                    Ok(reading) => {
                        size.readings += 1;
                        size.text += reading.text_length();
                        let arrival = arrival(index, found.span, reading, &mut noted);
                        // Most devices say one thing per batch; a list that grows by itself begins with room for four.
                        let of_device = devices.entry(arrival.reading.device.clone());
                        of_device.or_insert_with(|| Vec::with_capacity(1)).push(arrival);
                    }
                    Err(rejection) => rejections.reject(events, number, index, found.span, rejection),
                }
            }
        }
        Slice { devices: by_shard(devices, self.shards), next, noted }
    }

    /// Makes arrivals of the readings of an event.
    fn arrivals(
        &self,
        number: usize,
        event: &Event,
    ) -> impl Fn(usize, Range<usize>, Reading, &mut Noted) -> Arrival {
        let at = event.enqueued_at.unwrap_or(self.now);
        let of_message = clock::of_message(event.creation_time.as_deref(), at);
        let properties = event.properties.as_deref().unwrap_or_default();
        let enrichments = Enrichments::read(properties, self.catalogue);
        move |index, span, mut reading, noted| {
            let of_reading = clock::of_reading(reading.measured_at, reading.clock_ignored, at);
            let Clock { measured_at, is_absurd } = of_reading.unwrap_or(of_message);
            noted.absurd_clocks += usize::from(is_absurd);
            enrichments.fill(&mut reading);
            reading.message_id = reading.message_id.or_else(|| event.message_id.clone());
            let (position, enqueued_at) = (event.position.clone(), event.enqueued_at);
            Arrival { event: number, index, span, position, enqueued_at, at, measured_at, reading }
        }
    }

    /// A reading of the module or component that the hub names.
    fn of_source(&self, mut reading: Reading, event: &Event) -> Result<Reading, Rejection> {
        if self.sources == Sources::Apart && (event.module.is_some() || event.component.is_some()) {
            let part = reading.device.part(event.module.as_deref(), event.component.as_deref());
            reading.device = part.map_err(|error| unnamed(&reading.device, error))?;
        }
        Ok(reading)
    }
}

fn unnamed(device: &DeviceId, error: DeviceIdError) -> Rejection {
    let device = Some(device.device().into_owned());
    Rejection { reason: Reason::DeviceId, detail: format!("module or component: {error}"), device }
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
