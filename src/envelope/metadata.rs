//! `Metadata` of an Event Hub trigger: positions, times and the properties that IoT Hub stamped. Everything is optional;
//! what is there must belong to the events, because a misaligned array would credit readings to the wrong device.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::loose::{Text, Whole, unwrapped};
use super::{EnvelopeError, Event};
use crate::ids::{Partition, Position};
use crate::instant::Millis;

/// The members as the host names them: plural arrays for `cardinality` many, single values for one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Wire<'a> {
    #[serde(borrow)]
    partition_context: Option<&'a RawValue>,
    #[serde(borrow)]
    trigger_partition_context: Option<&'a RawValue>,
    #[serde(borrow)]
    sequence_number_array: Option<&'a RawValue>,
    #[serde(borrow)]
    sequence_number: Option<&'a RawValue>,
    #[serde(borrow)]
    enqueued_time_utc_array: Option<&'a RawValue>,
    #[serde(borrow)]
    enqueued_time_utc: Option<&'a RawValue>,
    #[serde(borrow)]
    system_properties_array: Option<&'a RawValue>,
    #[serde(borrow)]
    system_properties: Option<&'a RawValue>,
}

/// Extension 4.x says `EventHubPath`, later ones `EventHubName`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartitionContext {
    #[serde(alias = "EventHubPath", default)]
    event_hub_name: Text,
    #[serde(default)]
    partition_id: Text,
}

/// What is read of an event's system properties; the rest is skipped.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct SystemProperties {
    #[serde(rename = "iothub-connection-device-id")]
    device: Text,
    #[serde(rename = "message-id")]
    message_id: Text,
    #[serde(rename = "SequenceNumber")]
    sequence: Whole,
    #[serde(rename = "x-opt-sequence-number")]
    annotated_sequence: Whole,
    #[serde(rename = "EnqueuedTimeUtc")]
    enqueued: Text,
    #[serde(rename = "x-opt-enqueued-time")]
    annotated_enqueued: Text,
}

/// The metadata of a batch, one entry per event in each list that is not empty.
pub(super) struct Metadata {
    partition: Partition,
    sequences: Vec<Whole>,
    enqueued: Vec<Text>,
    properties: Vec<SystemProperties>,
}

impl Metadata {
    pub(super) fn read(raw: Option<&RawValue>, events: usize) -> Result<Metadata, EnvelopeError> {
        let wire: Option<Wire<'_>> = match raw {
            Some(raw) => {
                serde_json::from_str(raw.get()).map_err(|error| EnvelopeError::Shape(error.to_string()))?
            }
            None => None,
        };
        let wire = wire.unwrap_or_default();
        Ok(Metadata {
            partition: partition(&wire)?,
            sequences: list("SequenceNumberArray", wire.sequence_number_array, wire.sequence_number, events)?,
            enqueued: list(
                "EnqueuedTimeUtcArray",
                wire.enqueued_time_utc_array,
                wire.enqueued_time_utc,
                events,
            )?,
            properties: list(
                "SystemPropertiesArray",
                wire.system_properties_array,
                wire.system_properties,
                events,
            )?,
        })
    }

    pub(super) fn partition(&self) -> Partition {
        self.partition.clone()
    }

    /// The event at `index`. The arrays are asked first, the event's own properties second: old extensions lack some.
    pub(super) fn event(&self, index: usize, body: Vec<u8>) -> Event {
        let properties = self.properties.get(index).cloned().unwrap_or_default();
        let listed = self.sequences.get(index).and_then(|sequence| sequence.0);
        let sequence = listed.or(properties.sequence.0).or(properties.annotated_sequence.0);
        let time = |text: &Text| text.0.as_deref().and_then(Millis::parse);
        let enqueued_at = self
            .enqueued
            .get(index)
            .and_then(time)
            .or_else(|| time(&properties.enqueued))
            .or_else(|| time(&properties.annotated_enqueued));
        Event {
            position: Position { partition: self.partition.clone(), sequence: sequence.filter(|&n| n >= 0) },
            enqueued_at,
            stamped_device: properties.device.0,
            message_id: properties.message_id.0,
            body: body.into(),
        }
    }
}

fn partition(wire: &Wire<'_>) -> Result<Partition, EnvelopeError> {
    let raw = wire.partition_context.or(wire.trigger_partition_context);
    let context: Option<PartitionContext> =
        unwrapped(raw).map_err(|problem| EnvelopeError::Metadata { name: "PartitionContext", problem })?;
    Ok(match context {
        Some(PartitionContext { event_hub_name: Text(hub), partition_id: Text(Some(id)) }) => {
            Partition::new(hub.as_deref().unwrap_or("?"), &id)
        }
        _ => Partition::unknown(),
    })
}

/// The array (`cardinality` many) or the single value (one) as a list; empty where the host sent neither.
fn list<T: for<'de> Deserialize<'de>>(
    name: &'static str,
    array: Option<&RawValue>,
    single: Option<&RawValue>,
    events: usize,
) -> Result<Vec<T>, EnvelopeError> {
    let fail = |problem| EnvelopeError::Metadata { name, problem };
    if let Some(values) = unwrapped::<Vec<T>>(array).map_err(fail)? {
        return match values.len() {
            found if found == events => Ok(values),
            found => Err(fail(format!("it has {found} entries for {events} events"))),
        };
    }
    let Some(single) = single.filter(|_| events == 1) else {
        return Ok(Vec::new());
    };
    // A single time is a plain JSON date and not JSON text in a string, so what cannot be unwrapped is read as it is.
    let plain = || serde_json::from_str::<T>(single.get()).ok();
    Ok(unwrapped::<T>(Some(single)).ok().flatten().or_else(plain).into_iter().collect())
}
