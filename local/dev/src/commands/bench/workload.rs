//! Batches of telemetry as the Functions host sends them (`cardinality: many`, `dataType: binary`), made from a seed:
//! the same shape, seed and number give the same bytes, so that every system gets the same.

use base64::{Engine, engine::general_purpose::STANDARD};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde::Serialize;

use crate::text;

/// Every run measures the same batches.
const SEED: u64 = 2026;

/// The default of the setting. Azurite compares keys as text, so a longer one would cost time that users do not have.
pub(super) const PARTITION: &str = "Sydney";

/// How many events a batch has, and of how many devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) events: u32,
    pub(super) devices: u32,
}

impl Shape {
    /// As in `1,000 of 500`: events, then devices.
    pub(super) fn name(self) -> String {
        let [events, devices] = [self.events, self.devices].map(|number| text::thousands(number.into()));
        format!("{events} of {devices}")
    }

    pub(super) fn device_ids(self) -> Vec<String> {
        (0..self.devices).map(device_id).collect()
    }

    /// The invocation of batch `number`. Later numbers continue the partition's sequence and time.
    pub(super) fn batch(self, number: u32) -> Vec<u8> {
        invocation(&self.events(number))
    }

    /// The same events as of batch `number`, in invocations of at most `size` events.
    pub(super) fn slices(self, number: u32, size: usize) -> Vec<Vec<u8>> {
        self.events(number).chunks(size).map(invocation).collect()
    }

    fn events(self, number: u32) -> Vec<Event> {
        let mut dice = StdRng::seed_from_u64(SEED ^ (u64::from(number) << 32) ^ u64::from(self.events));
        let mut devices: Vec<u32> = (0..self.events).map(|event| event % self.devices).collect();
        devices.shuffle(&mut dice);
        let first = u64::from(number) * u64::from(self.events) + 1;
        let event = |(index, device): (u64, u32)| Event::new(first + index, device, &mut dice);
        (0..).zip(devices).map(event).collect()
    }
}

/// An invocation with these bodies, of one device.
pub(super) fn batch_of(bodies: &[Vec<u8>]) -> Vec<u8> {
    let event = |(sequence, body): (u64, &Vec<u8>)| Event::with_body(sequence, device_id(0), body);
    invocation(&(1..).zip(bodies).map(event).collect::<Vec<_>>())
}

fn device_id(number: u32) -> String {
    format!("sensor-{number:05}")
}

/// A reading with the field names of the predecessor's simulators.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Reading {
    device_id: String,
    message_id: String,
    geo: &'static str,
    temperature: f64,
    humidity: f64,
    pressure: f64,
    light: f64,
}

struct Event {
    sequence: u64,
    offset: String,
    enqueued: String,
    body: String,
    device: String,
}

impl Event {
    fn new(sequence: u64, device: u32, dice: &mut StdRng) -> Event {
        // A value with one decimal, as from a sensor.
        let mut between = |low: i32, high: i32| f64::from(dice.random_range(low * 10..=high * 10)) / 10.0;
        let device = device_id(device);
        let reading = Reading {
            device_id: device.clone(),
            message_id: sequence.to_string(),
            geo: "Sydney",
            temperature: between(-20, 45),
            humidity: between(10, 95),
            pressure: between(980, 1040),
            light: between(0, 1000),
        };
        Event::with_body(sequence, device, &serde_json::to_vec(&reading).expect("a reading is JSON"))
    }

    fn with_body(sequence: u64, device: String, body: &[u8]) -> Event {
        Event {
            sequence,
            // About the size of an event in the hub.
            offset: (sequence * 600).to_string(),
            enqueued: time(sequence),
            body: STANDARD.encode(body),
            device,
        }
    }

    fn system_properties(&self) -> SystemProperties<'_> {
        SystemProperties {
            x_opt_sequence_number: self.sequence,
            x_opt_offset: &self.offset,
            x_opt_enqueued_time: format!("{}+00:00", self.enqueued),
            device: &self.device,
            auth_method: r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
            generation: "638671234567890123",
            hub_time: format!("{}Z", self.enqueued),
            source: "Telemetry",
            content_type: "application/json",
            content_encoding: "utf-8",
            sequence_number: self.sequence,
            offset: self.sequence * 600,
            offset_string: &self.offset,
            partition_key: None,
            enqueued_time_utc: &self.enqueued,
        }
    }
}

/// One millisecond per event, from a morning in 2026 on.
fn time(sequence: u64) -> String {
    let [milliseconds, seconds] = [sequence % 1000, sequence / 1000];
    let [second, minute, hour] = [seconds % 60, seconds / 60 % 60, seconds / 3600];
    format!("2026-01-02T{hour:02}:{minute:02}:{second:02}.{milliseconds:03}")
}

#[derive(Serialize)]
struct SystemProperties<'a> {
    #[serde(rename = "x-opt-sequence-number")]
    x_opt_sequence_number: u64,
    #[serde(rename = "x-opt-offset")]
    x_opt_offset: &'a str,
    #[serde(rename = "x-opt-enqueued-time")]
    x_opt_enqueued_time: String,
    #[serde(rename = "iothub-connection-device-id")]
    device: &'a str,
    #[serde(rename = "iothub-connection-auth-method")]
    auth_method: &'static str,
    #[serde(rename = "iothub-connection-auth-generation-id")]
    generation: &'static str,
    #[serde(rename = "iothub-enqueuedtime")]
    hub_time: String,
    #[serde(rename = "iothub-message-source")]
    source: &'static str,
    #[serde(rename = "content-type")]
    content_type: &'static str,
    #[serde(rename = "content-encoding")]
    content_encoding: &'static str,
    #[serde(rename = "SequenceNumber")]
    sequence_number: u64,
    #[serde(rename = "Offset")]
    offset: u64,
    #[serde(rename = "OffsetString")]
    offset_string: &'a str,
    #[serde(rename = "PartitionKey")]
    partition_key: Option<&'a str>,
    #[serde(rename = "EnqueuedTimeUtc")]
    enqueued_time_utc: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Invocation {
    data: Data,
    metadata: Metadata,
}

#[derive(Serialize)]
struct Data {
    events: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    trigger_partition_context: PartitionContext,
    partition_context: PartitionContext,
    partition_key_array: String,
    offset_array: String,
    offset_string_array: String,
    sequence_number_array: String,
    enqueued_time_utc_array: String,
    properties_array: String,
    system_properties_array: String,
    #[serde(rename = "sys")]
    system: Sys,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PartitionContext {
    is_checkpointing_after_invocation: bool,
    fully_qualified_namespace: &'static str,
    event_hub_name: &'static str,
    consumer_group: &'static str,
    partition_id: &'static str,
}

const CONTEXT: PartitionContext = PartitionContext {
    is_checkpointing_after_invocation: true,
    fully_qualified_namespace: "bench.servicebus.windows.net",
    event_hub_name: "bench",
    consumer_group: "functions",
    partition_id: "0",
};

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sys {
    method_name: &'static str,
    utc_now: &'static str,
    rand_guid: &'static str,
}

const SYSTEM: Sys = Sys {
    method_name: "EnvironmentEventTrigger",
    utc_now: "2026-01-02T00:00:00.0000000Z",
    rand_guid: "5f1d3c8e-0b57-4c0a-9a55-0d6f2f6b7a10",
};

/// The envelope of an invocation. Every value that is not an object is JSON text inside a JSON string.
fn invocation(events: &[Event]) -> Vec<u8> {
    let metadata = Metadata {
        trigger_partition_context: CONTEXT,
        partition_context: CONTEXT,
        partition_key_array: array(events, |_| None::<()>),
        offset_array: array(events, |event| event.offset.as_str()),
        offset_string_array: array(events, |event| event.offset.as_str()),
        sequence_number_array: array(events, |event| event.sequence),
        enqueued_time_utc_array: array(events, |event| event.enqueued.as_str()),
        properties_array: array(events, |_| serde_json::Map::new()),
        system_properties_array: array(events, Event::system_properties),
        system: SYSTEM,
    };
    let data = Data { events: array(events, |event| event.body.as_str()) };
    serde_json::to_vec(&Invocation { data, metadata }).expect("an invocation is JSON")
}

fn array<'a, T: Serialize>(events: &'a [Event], value: impl Fn(&'a Event) -> T) -> String {
    let values: Vec<T> = events.iter().map(value).collect();
    serde_json::to_string(&values).expect("values are JSON")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SHAPE: Shape = Shape { events: 30, devices: 10 };

    #[test]
    fn the_same_number_gives_the_same_bytes_and_another_gives_others() {
        assert_eq!(SHAPE.batch(3), SHAPE.batch(3));
        assert_ne!(SHAPE.batch(3), SHAPE.batch(4));
    }

    /// Read by the handler's own parser: three events of each device, with numbers that continue those of the
    /// previous batch.
    #[test]
    fn a_batch_is_one_that_the_host_could_send() -> anyhow::Result<()> {
        let batch = fieldcast::host::envelope::read_batch(SHAPE.batch(2))?;
        let sequences: Vec<i64> = batch.events.iter().filter_map(|event| event.position.sequence).collect();
        assert_eq!(sequences, (61..=90).collect::<Vec<_>>());

        let mut readings: BTreeMap<_, u32> = BTreeMap::new();
        let catalogue = fieldcast::telemetry::catalogue::Catalogue::environment();
        for event in &batch.events {
            let (encoding, stamped) = (event.content_encoding.as_deref(), event.stamped_device.as_deref());
            for found in fieldcast::telemetry::body::read(&event.body, encoding, stamped, &catalogue) {
                *readings.entry(found.outcome.expect("valid").device.to_string()).or_default() += 1;
            }
        }
        let wanted = SHAPE.device_ids().into_iter().map(|device| (device, 3)).collect();
        assert_eq!(readings, wanted);
        Ok(())
    }

    #[test]
    fn slices_hold_the_events_of_the_batch() -> anyhow::Result<()> {
        let shape = Shape { events: 2_500, devices: 2_500 };
        let mut events = Vec::new();
        for slice in shape.slices(1, 1_000) {
            events.extend(fieldcast::host::envelope::read_batch(slice)?.events);
        }
        assert_eq!(events, fieldcast::host::envelope::read_batch(shape.batch(1))?.events);
        Ok(())
    }

    #[test]
    fn names_are_those_of_the_budgets() {
        assert_eq!(Shape { events: 10_000, devices: 500 }.name(), "10,000 of 500");
    }
}
