//! `Metadata` of an Event Hub trigger: positions, times and the properties that IoT Hub stamped. Everything is optional;
//! what is there must belong to the events, because a misaligned array would credit readings to the wrong device.

use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::event::{EnvelopeError, Event};
use super::level::{open, open_if_json, read};
use super::loose::{Text, Whole};
use crate::primitives::ids::{HubPartition, Position};
use crate::primitives::instant::Millis;
use crate::primitives::span::span_of;

/// The first sequence number that is refused. A hub counts its events from 0, so that it never comes here, and a forged
/// one near the end of the range would leave no numbers for the events that follow: they would all be taken for old.
const TOO_FAR: i64 = 1 << 62;

/// The members as the host names them: plural arrays for `cardinality` many, single values for one.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Wire<'a> {
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
    properties_array: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<&'a RawValue>,
    #[serde(borrow)]
    system_properties_array: Option<&'a RawValue>,
    #[serde(borrow)]
    system_properties: Option<&'a RawValue>,
}

impl Wire<'_> {
    /// Where the members are, which outlives the borrow of the request.
    pub(super) fn places(&self, request: &[u8]) -> Places {
        let place = |raw: Option<&RawValue>| raw.map(|raw| span_of(raw.get(), request));
        let list = |name, array, single| List { name, array: place(array), single: place(single) };
        Places {
            partition: place(self.partition_context.or(self.trigger_partition_context)),
            sequences: list("SequenceNumberArray", self.sequence_number_array, self.sequence_number),
            enqueued: list("EnqueuedTimeUtcArray", self.enqueued_time_utc_array, self.enqueued_time_utc),
            application: list("PropertiesArray", self.properties_array, self.properties),
            properties: list("SystemPropertiesArray", self.system_properties_array, self.system_properties),
        }
    }
}

/// Where the members are in the request.
pub(super) struct Places {
    partition: Option<Range<usize>>,
    sequences: List,
    enqueued: List,
    application: List,
    properties: List,
}

struct List {
    name: &'static str,
    array: Option<Range<usize>>,
    single: Option<Range<usize>>,
}

impl Places {
    /// Unescapes the members that are JSON text inside strings; the places then are those of the JSON.
    pub(super) fn open(&mut self, request: &mut [u8]) -> Result<(), EnvelopeError> {
        if let Some(partition) = &mut self.partition {
            *partition = open(request, partition.clone())
                .map_err(|problem| EnvelopeError::Metadata { name: "PartitionContext", problem })?;
        }
        let lists = [&mut self.sequences, &mut self.enqueued, &mut self.application, &mut self.properties];
        for list in lists {
            list.open(request).map_err(|problem| EnvelopeError::Metadata { name: list.name, problem })?;
        }
        Ok(())
    }
}

impl List {
    fn open(&mut self, request: &mut [u8]) -> Result<(), String> {
        if let Some(array) = &mut self.array {
            *array = open(request, array.clone())?;
        }
        if let Some(single) = &mut self.single {
            // A single time is a plain JSON date and not JSON text in a string.
            *single = open_if_json(request, single.clone())?;
        }
        Ok(())
    }

    /// The array (`cardinality` many) or the single value (one) as a list; empty where the host sent neither.
    fn read<'a, T: Deserialize<'a>>(
        &self,
        request: &'a [u8],
        events: usize,
    ) -> Result<Vec<T>, EnvelopeError> {
        let fail = |problem| EnvelopeError::Metadata { name: self.name, problem };
        let json = |place: &Option<Range<usize>>| place.clone().map(|place| &request[place]);
        let array: Option<Vec<T>> = json(&self.array).map_or(Ok(None), read).map_err(fail)?;
        match (array, json(&self.single)) {
            (Some(values), _) if values.len() == events => Ok(values),
            (Some(values), _) => Err(fail(format!("it has {} entries for {events} events", values.len()))),
            (None, Some(single)) if events == 1 => Ok(read(single).into_iter().collect()),
            (None, _) => Ok(Vec::new()),
        }
    }
}

/// Extension 4.x says `EventHubPath`, later ones `EventHubName`.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PartitionContext<'a> {
    #[serde(alias = "EventHubPath", default, borrow)]
    event_hub_name: Text<'a>,
    #[serde(default, borrow)]
    partition_id: Text<'a>,
}

/// What is read of an event's system properties; the rest is skipped.
#[derive(Default, Deserialize)]
#[serde(default)]
struct SystemProperties<'a> {
    #[serde(rename = "iothub-connection-device-id", borrow)]
    device: Text<'a>,
    #[serde(rename = "iothub-connection-module-id", borrow)]
    module: Text<'a>,
    #[serde(rename = "dt-subject", borrow)]
    component: Text<'a>,
    #[serde(rename = "iothub-message-source", borrow)]
    source: Text<'a>,
    #[serde(rename = "creation-time", borrow)]
    creation_time: Text<'a>,
    #[serde(rename = "message-id", borrow)]
    message_id: Text<'a>,
    #[serde(rename = "content-encoding", borrow)]
    content_encoding: Text<'a>,
    #[serde(rename = "SequenceNumber")]
    sequence: Whole,
    #[serde(rename = "x-opt-sequence-number")]
    annotated_sequence: Whole,
    #[serde(rename = "EnqueuedTimeUtc", borrow)]
    enqueued: Text<'a>,
    #[serde(rename = "x-opt-enqueued-time", borrow)]
    annotated_enqueued: Text<'a>,
}

/// What is read of an event's application properties here; its texts are read with its body.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ApplicationProperties<'a> {
    #[serde(rename = "iothub-creation-time-utc", borrow)]
    creation_time: Text<'a>,
}

/// The metadata of a batch, one entry per event in each list that is not empty.
pub(super) struct Metadata<'a> {
    pub(super) partition: HubPartition,
    sequences: Vec<Whole>,
    enqueued: Vec<Text<'a>>,
    application: Vec<&'a RawValue>,
    properties: Vec<SystemProperties<'a>>,
}

impl<'a> Metadata<'a> {
    /// Reads the members, which have been opened.
    pub(super) fn read(
        request: &'a [u8],
        places: &Places,
        events: usize,
    ) -> Result<Metadata<'a>, EnvelopeError> {
        let metadata = Metadata {
            partition: partition(request, places)?,
            sequences: places.sequences.read(request, events)?,
            enqueued: places.enqueued.read(request, events)?,
            // Without them readings lack an area at most.
            application: places.application.read(request, events).unwrap_or_default(),
            properties: places.properties.read(request, events)?,
        };
        let listed = metadata.sequences.iter();
        refuse_far(places.sequences.name, listed.copied())?;
        let stamped = metadata.properties.iter();
        refuse_far(places.properties.name, stamped.flat_map(|own| [own.sequence, own.annotated_sequence]))?;
        Ok(metadata)
    }

    /// The event at `index`. The arrays are asked first, the event's own properties second: old extensions lack some.
    pub(super) fn event(&self, index: usize, body: Bytes) -> Event {
        let nothing = SystemProperties::default();
        let properties = self.properties.get(index).unwrap_or(&nothing);
        let listed = self.sequences.get(index).and_then(|sequence| sequence.0);
        let sequence = listed.or(properties.sequence.0).or(properties.annotated_sequence.0);
        let time = |text: &Text<'_>| text.as_deref().and_then(Millis::parse);
        let enqueued_at = self
            .enqueued
            .get(index)
            .and_then(time)
            .or_else(|| time(&properties.enqueued))
            .or_else(|| time(&properties.annotated_enqueued));
        let application = self.application.get(index).map(|raw| raw.get()).filter(|raw| is_object(raw));
        let created = application.and_then(creation_time);
        let owned = |text: &Text<'_>| text.as_deref().map(str::to_owned);
        Event {
            position: Position { partition: self.partition.clone(), sequence: sequence.filter(|&n| n >= 0) },
            enqueued_at,
            is_telemetry: is_telemetry(properties.source.as_deref()),
            stamped_device: owned(&properties.device),
            module: owned(&properties.module),
            component: owned(&properties.component),
            creation_time: created.or_else(|| owned(&properties.creation_time)),
            properties: application.map(Box::from),
            message_id: owned(&properties.message_id).filter(|id| is_kept(id)),
            content_encoding: properties.content_encoding.as_deref().filter(is_unusual).map(str::to_owned),
            body,
        }
    }
}

/// IoT Hub allows 128 ASCII characters; other senders to an Event Hub may put anything there.
fn is_kept(id: &str) -> bool {
    /// Characters, as of a message id in a body.
    const LONGEST: usize = 256;
    let is_odd = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
    id.chars().count() <= LONGEST && !id.contains(is_odd)
}

/// Hubs before 2018 and other senders to an Event Hub say nothing.
fn is_telemetry(source: Option<&str>) -> bool {
    source.is_none_or(|source| source.eq_ignore_ascii_case("Telemetry"))
}

/// Whether there is anything in it. Nearly all events have no application properties.
fn is_object(raw: &str) -> bool {
    raw.starts_with('{') && raw != "{}"
}

fn creation_time(properties: &str) -> Option<String> {
    let properties: ApplicationProperties<'_> = serde_json::from_str(properties).ok()?;
    properties.creation_time.as_deref().map(str::to_owned)
}

/// UTF-8 is what nearly all devices say, and what is taken where nothing is said.
fn is_unusual(encoding: &&str) -> bool {
    !encoding.eq_ignore_ascii_case("utf-8")
}

fn refuse_far(name: &'static str, mut sequences: impl Iterator<Item = Whole>) -> Result<(), EnvelopeError> {
    match sequences.any(|Whole(sequence)| sequence.is_some_and(|sequence| sequence >= TOO_FAR)) {
        true => {
            let problem = format!("no hub has counted to {TOO_FAR}, which is a sequence number's limit here");
            Err(EnvelopeError::Metadata { name, problem })
        }
        false => Ok(()),
    }
}

fn partition(request: &[u8], places: &Places) -> Result<HubPartition, EnvelopeError> {
    let json = places.partition.clone().map(|place| &request[place]);
    let context: Option<PartitionContext<'_>> = json
        .map_or(Ok(None), read)
        .map_err(|problem| EnvelopeError::Metadata { name: "PartitionContext", problem })?;
    Ok(match context {
        Some(PartitionContext { event_hub_name: hub, partition_id: Text(Some(id)) }) => {
            HubPartition::new(hub.as_deref().unwrap_or("?"), &id)
        }
        _ => HubPartition::unknown(),
    })
}
