//! Envelopes of the Event Hub trigger: bodies by cardinality and data type, metadata by the extension's
//! binding strategy (azure-sdk-for-net, `EventHubTriggerBindingStrategy`, extension 6.5.2).

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;

use super::{Envelope, Members, RetryContext, Stamp, apply_body_members, dates, encode, json::Json};
use crate::{
    app::function::event_hub::{EventHubTrigger, Shape},
    faults::Omissions,
};

/// One event as the hub holds it.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) sequence_number: u64,
    pub(crate) offset: String,
    pub(crate) enqueued: Timestamp,
    pub(crate) body: Vec<u8>,
    /// Application properties: an object.
    pub(crate) properties: Json,
    /// AMQP properties and annotations of the message: an object.
    pub(crate) system_properties: Json,
}

/// Where a batch was read. Manual runs have none.
#[derive(Clone, Debug)]
pub(crate) struct PartitionContext {
    pub(crate) namespace: String,
    pub(crate) entity: String,
    pub(crate) consumer_group: String,
    pub(crate) partition: String,
}

/// Consecutive events of one partition, at least one. Exactly one when the trigger's cardinality is one.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    pub(crate) events: Vec<Event>,
    pub(crate) context: Option<PartitionContext>,
}

/// Builds the envelope. The error says why the bodies cannot be bound; the batch then fails without reaching the
/// handler.
pub(crate) fn envelope(
    function: &str,
    trigger: &EventHubTrigger,
    batch: &Batch,
    omissions: &Omissions,
    stamp: &Stamp,
    retry: Option<&RetryContext>,
) -> Result<Envelope, String> {
    let data = vec![(trigger.binding.clone(), encode_bodies(trigger.shape, &batch.events)?)];
    let mut members: Members = Vec::new();
    if let Some(context) = &batch.context {
        members.push(("TriggerPartitionContext".to_owned(), context.to_json()));
        members.push(("PartitionContext".to_owned(), context.to_json()));
    }
    if trigger.shape.is_one() {
        members.extend(batch.events.iter().flat_map(|event| describe_one(event, omissions)));
    } else {
        members.extend(describe_many(&batch.events, omissions));
    }
    if let (Shape::OneText, Some(event)) = (trigger.shape, batch.events.first()) {
        let body = Json::parse_body(&String::from_utf8_lossy(&event.body));
        apply_body_members(&mut members, &body.unwrap_or(Json::Null));
    }
    let mut metadata = super::finish_metadata(members, function, stamp, retry);
    metadata.retain(|(key, _)| !omissions.metadata.contains(key));
    Ok(Envelope { data, metadata })
}

fn encode_bodies(shape: Shape, events: &[Event]) -> Result<Json, String> {
    let base64 = |event: &Event| Json::Text(STANDARD.encode(&event.body));
    let text = |event: &Event| Json::Text(String::from_utf8_lossy(&event.body).into_owned());
    let parsed = |event: &Event| {
        Json::parse_body(&String::from_utf8_lossy(&event.body))
            .map_err(|problem| format!("the body of event {} is {problem}", event.sequence_number))
    };
    let first = || events.first().ok_or_else(|| "the batch is empty".to_owned());
    Ok(match shape {
        // Bytes are the only value that is not encoded as JSON text.
        Shape::OneBinary => base64(first()?),
        Shape::OneText => encode(text(first()?)),
        Shape::ManyBinaries => encode(Json::Array(events.iter().map(base64).collect())),
        Shape::ManyTexts => encode(Json::Array(events.iter().map(text).collect())),
        Shape::ManyParsed => encode(Json::Array(events.iter().map(parsed).collect::<Result<_, _>>()?)),
    })
}

fn describe_one(event: &Event, omissions: &Omissions) -> Members {
    let mut members: Members = Vec::new();
    let mut add = |key: &str, value: Json| members.push((key.to_owned(), value));
    if let Some(key) = event.partition_key() {
        add("PartitionKey", encode(Json::text(key)));
    }
    add("Offset", encode(Json::Text(event.numeric_offset().to_string())));
    add("OffsetString", encode(Json::text(&event.offset)));
    add("SequenceNumber", encode(Json::Integer(event.sequence_number.into())));
    add("EnqueuedTimeUtc", Json::Text(dates::whole_seconds(event.enqueued)));
    add("Properties", event.properties.clone());
    add("SystemProperties", event.all_system_properties(omissions));
    members
}

fn describe_many(events: &[Event], omissions: &Omissions) -> Members {
    let array = |key: &str, value: &dyn Fn(&Event) -> Json| {
        (key.to_owned(), encode(Json::Array(events.iter().map(value).collect())))
    };
    vec![
        array("PartitionKeyArray", &|event| event.partition_key().map_or(Json::Null, Json::text)),
        array("OffsetArray", &|event| Json::Text(event.numeric_offset().to_string())),
        array("OffsetStringArray", &|event| Json::text(&event.offset)),
        array("SequenceNumberArray", &|event| Json::Integer(event.sequence_number.into())),
        array("EnqueuedTimeUtcArray", &|event| Json::Text(dates::unspecified(event.enqueued))),
        array("PropertiesArray", &|event| event.properties.clone()),
        array("SystemPropertiesArray", &|event| event.all_system_properties(omissions)),
    ]
}

impl PartitionContext {
    fn to_json(&self) -> Json {
        Json::object([
            ("IsCheckpointingAfterInvocation", Json::Bool(true)),
            ("FullyQualifiedNamespace", Json::text(&self.namespace)),
            ("EventHubName", Json::text(&self.entity)),
            ("ConsumerGroup", Json::text(&self.consumer_group)),
            ("PartitionId", Json::text(&self.partition)),
        ])
    }
}

/// Annotation that carries the partition key (Event Hubs, AMQP 1.0 protocol guide).
const PARTITION_KEY: &str = "x-opt-partition-key";

impl Event {
    fn partition_key(&self) -> Option<&str> {
        let Json::Object(members) = &self.system_properties else {
            return None;
        };
        members.iter().find_map(|(name, value)| match value {
            Json::Text(text) if name == PARTITION_KEY => Some(text.as_str()),
            _ => None,
        })
    }

    /// Geo-replicated namespaces have offsets that are not numbers; the extension writes -1 for those.
    fn numeric_offset(&self) -> i64 {
        self.offset.parse().unwrap_or(-1)
    }

    /// The broker's annotations, the message's own properties, and what the extension adds, in that order.
    fn all_system_properties(&self, omissions: &Omissions) -> Json {
        let mut members = vec![
            ("x-opt-sequence-number".to_owned(), Json::Integer(self.sequence_number.into())),
            ("x-opt-offset".to_owned(), Json::text(&self.offset)),
            ("x-opt-enqueued-time".to_owned(), Json::Text(dates::with_offset(self.enqueued))),
        ];
        if let Json::Object(own) = &self.system_properties {
            let fresh: Members =
                own.iter().filter(|(name, _)| members.iter().all(|(key, _)| key != name)).cloned().collect();
            members.extend(fresh);
        }
        let added = Json::object([
            ("SequenceNumber", Json::Integer(self.sequence_number.into())),
            ("Offset", Json::Integer(self.numeric_offset().into())),
            ("OffsetString", Json::text(&self.offset)),
            ("PartitionKey", self.partition_key().map_or(Json::Null, Json::text)),
            ("EnqueuedTimeUtc", Json::Text(dates::unspecified(self.enqueued))),
        ]);
        if let Json::Object(added) = added {
            members.extend(added);
        }
        members.retain(|(key, _)| !omissions.system_properties.contains(key));
        Json::Object(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guid::Guid;

    const EXAMPLE: &[u8] = br#"{"temp":21.50,"ts":"2024-11-21T00:57:11.120Z"}"#;
    const NOT_JSON: &[u8] = b"\xff\x00not json";

    fn stamp() -> Stamp {
        let guid = Guid(0x5f1d_3c8e_0b57_4c0a_9a55_0d6f_2f6b_7a10);
        Stamp { now: "2024-11-21T00:57:12.1234567Z".parse().unwrap(), guid }
    }

    fn trigger(binding: &str, shape: Shape) -> EventHubTrigger {
        EventHubTrigger {
            binding: binding.to_owned(),
            entity: "iothub-ehub-demo".to_owned(),
            consumer_group: "functions".to_owned(),
            source: axum::http::uri::Authority::from_static("127.0.0.1:7072"),
            shape,
        }
    }

    fn event(number: u64, body: &[u8], offset: &str, time: &str, device: &str, properties: &str) -> Event {
        let system_properties = serde_json::from_str(&format!(
            r#"{{"iothub-connection-device-id":"{device}",
                "iothub-connection-auth-method":"{{\"scope\":\"device\",\"type\":\"sas\",\"issuer\":\"iothub\",\"acceptingIpFilterRule\":null}}",
                "iothub-connection-auth-generation-id":"638671234567890123",
                "iothub-enqueuedtime":"2024-11-21T00:57:11.101Z","iothub-message-source":"Telemetry",
                "content-type":"application/json","content-encoding":"utf-8"}}"#
        ));
        Event {
            sequence_number: number,
            offset: offset.to_owned(),
            enqueued: time.parse().unwrap(),
            body: body.to_vec(),
            properties: serde_json::from_str(properties).unwrap(),
            system_properties: system_properties.unwrap(),
        }
    }

    fn batch(events: Vec<Event>) -> Batch {
        let context = PartitionContext {
            namespace: "ihsuprodxxres.servicebus.windows.net".to_owned(),
            entity: "iothub-ehub-demo".to_owned(),
            consumer_group: "functions".to_owned(),
            partition: "0".to_owned(),
        };
        Batch { events, context: Some(context) }
    }

    fn first() -> Event {
        event(12, EXAMPLE, "4096", "2024-11-21T00:57:11.123Z", "dev-1", r#"{"sensor":"a"}"#)
    }

    fn second() -> Event {
        event(13, br#"{"temp":22}"#, "4600", "2024-11-21T00:57:11.987Z", "dev-2", "{}")
    }

    fn text(binding: &str, shape: Shape, events: Vec<Event>) -> String {
        let trigger = trigger(binding, shape);
        let omissions = Omissions::default();
        let envelope = envelope("ProcessTelemetry", &trigger, &batch(events), &omissions, &stamp(), None);
        envelope.unwrap().into_text()
    }

    /// `Data` of one event with this body.
    fn data(binding: &str, shape: Shape, body: &[u8]) -> Result<String, String> {
        let mut event = first();
        event.body = body.to_vec();
        encode_bodies(shape, &[event]).map(|value| Json::object([(binding, value)]).to_text())
    }

    #[test]
    fn every_sample_is_reproduced_byte_by_byte() {
        let many = |shape| text("events", shape, vec![first(), second()]);
        assert_eq!(many(Shape::ManyBinaries), include_str!("../../tests/samples/eventhub-many-binary.json"));
        assert_eq!(many(Shape::ManyTexts), include_str!("../../tests/samples/eventhub-many-string.json"));
        assert_eq!(
            many(Shape::ManyParsed),
            include_str!("../../tests/samples/eventhub-many-nodatatype.json")
        );
        let one = |shape| text("event", shape, vec![first()]);
        assert_eq!(one(Shape::OneBinary), include_str!("../../tests/samples/eventhub-one-binary.json"));
        assert_eq!(one(Shape::OneText), include_str!("../../tests/samples/eventhub-one-string.json"));
    }

    #[test]
    fn a_body_that_is_not_json_survives_only_as_bytes() {
        assert_eq!(
            data("events", Shape::ManyBinaries, NOT_JSON).unwrap(),
            r#"{"events":"[\"/wBub3QganNvbg==\"]"}"#
        );
        assert_eq!(data("event", Shape::OneBinary, NOT_JSON).unwrap(), r#"{"event":"/wBub3QganNvbg=="}"#);
        let replaced = "{\"events\":\"[\\\"\u{fffd}\\\\u0000not json\\\"]\"}";
        assert_eq!(data("events", Shape::ManyTexts, NOT_JSON).unwrap(), replaced);
        let error = data("events", Shape::ManyParsed, NOT_JSON).unwrap_err();
        assert_eq!(error, "the body of event 12 is not JSON at line 1 column 1");
    }

    #[test]
    fn an_empty_body_has_a_form_in_every_shape() {
        for (shape, expected) in [
            (Shape::ManyBinaries, r#"{"x":"[\"\"]"}"#),
            (Shape::ManyTexts, r#"{"x":"[\"\"]"}"#),
            (Shape::ManyParsed, r#"{"x":"[null]"}"#),
            (Shape::OneBinary, r#"{"x":""}"#),
            (Shape::OneText, r#"{"x":"\"\""}"#),
        ] {
            assert_eq!(data("x", shape, b"").unwrap(), expected);
        }
    }

    #[test]
    fn with_one_text_the_body_forges_metadata_as_it_does_in_the_real_host() {
        let mut event = first();
        event.body = br#"{"systemproperties":{"iothub-connection-device-id":"other"},"flag":true,"sys":5,"nothing":null,"list":[],"my-trigger":1}"#.to_vec();
        let envelope = envelope(
            "F",
            &trigger("e", Shape::OneText),
            &batch(vec![event]),
            &Omissions::default(),
            &stamp(),
            None,
        )
        .unwrap();
        let metadata = |key: &str| {
            envelope.metadata.iter().find(|(name, _)| name == key).map(|(_, value)| value.to_text())
        };
        let forged = r#"{"iothub-connection-device-id":"other"}"#;
        assert_eq!(metadata("SystemProperties").as_deref(), Some(forged));
        assert_eq!(metadata("flag").as_deref(), Some(r#""\"True\"""#));
        assert_eq!(metadata("sys").as_deref(), Some(r#""\"5\"""#));
        assert!(metadata("$sys").unwrap().contains("MethodName"));
        assert_eq!((metadata("nothing"), metadata("list"), metadata("my-trigger")), (None, None, None));
    }

    #[test]
    fn a_partition_key_and_an_offset_that_is_no_number_are_shown() {
        let mut event = first();
        event.offset = "geo:1".to_owned();
        if let Json::Object(members) = &mut event.system_properties {
            members.push((PARTITION_KEY.to_owned(), Json::text("k")));
        }
        let text = text("e", Shape::OneBinary, vec![event]);
        for part in [
            r#""PartitionKey":"\"k\"""#,
            r#""Offset":"\"-1\"""#,
            r#""OffsetString":"\"geo:1\"""#,
            r#""Offset":-1"#,
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
    }
}
