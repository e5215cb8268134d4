//! Every form of the envelope, against the recorded shapes in `tests/samples`.

use proptest::prelude::*;
use serde_json::{Value, json};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::primitives::ids::HubPartition;
use crate::primitives::instant::Millis;

const FIRST: &str = r#"{"temp":21.50,"ts":"2024-11-21T00:57:11.120Z"}"#;

fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/samples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn batch(envelope: &Value) -> Result<Batch, EnvelopeError> {
    read_batch(envelope.to_string().as_bytes())
}

#[test]
fn a_binary_batch_is_byte_exact() {
    let batch = read_batch(sample("eventhub-many-binary.json")).unwrap();
    assert_eq!(batch.partition.as_str(), "iothub-ehub-demo/0");
    let seen: Vec<_> = batch
        .events
        .iter()
        .map(|e| (e.position.sequence, e.enqueued_at.unwrap().0, e.stamped_device.as_deref(), &e.body[..]))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(12), 1_732_150_631_123, Some("dev-1"), FIRST.as_bytes()),
            (Some(13), 1_732_150_631_987, Some("dev-2"), br#"{"temp":22}"#.as_slice()),
        ]
    );
}

/// A forged number near the end of the range would make the app deaf to all that follows.
#[test]
fn sequence_numbers_that_no_hub_reaches_are_refused_with_the_member() {
    let of = |member: &str, value: Value| {
        batch(&json!({ "Data": { "events": "[\"e30=\"]" }, "Metadata": { member: value.to_string() } }))
    };
    let limit = 1_i64 << 62;
    let far = [
        json!(limit),
        json!(limit.to_string()),
        json!(i64::MAX),
        json!(u64::MAX),
        json!(1e300),
        json!("9223372036854775808"),
    ];
    for far in far {
        for (member, value, named) in [
            ("SequenceNumberArray", json!([far]), "SequenceNumberArray"),
            ("SequenceNumber", far.clone(), "SequenceNumberArray"),
            ("SystemPropertiesArray", json!([{ "SequenceNumber": far }]), "SystemPropertiesArray"),
            ("SystemProperties", json!({ "x-opt-sequence-number": far }), "SystemPropertiesArray"),
        ] {
            let error = of(member, value).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`Metadata.{named}` cannot be read: no hub")),
                "{far}: {error}"
            );
        }
    }
    for near in [json!(limit - 1), json!((limit - 1).to_string())] {
        let batch = of("SequenceNumberArray", json!([near])).unwrap();
        assert_eq!(batch.events[0].position.sequence, Some(limit - 1));
    }
    for none in [json!(-1), json!("-9223372036854775809"), json!("NaN"), json!(null)] {
        assert_eq!(of("SequenceNumberArray", json!([none])).unwrap().events[0].position.sequence, None);
    }
}

#[test]
fn string_and_untyped_batches_carry_the_same_readings() {
    let text = read_batch(sample("eventhub-many-string.json")).unwrap();
    assert_eq!(text.events[0].body, FIRST.as_bytes());
    let untyped = read_batch(sample("eventhub-many-nodatatype.json")).unwrap();
    assert_eq!(untyped.events[0].body[..], *br#"{"temp":21.5,"ts":"2024-11-21T00:57:11.12Z"}"#);
    assert_eq!(untyped.events[1].position.sequence, Some(13));
}

#[test]
fn single_events_have_the_same_position_time_and_device() {
    for name in ["eventhub-one-binary.json", "eventhub-one-string.json"] {
        let batch = read_batch(sample(name)).unwrap();
        assert_eq!(batch.events.len(), 1);
        let event = &batch.events[0];
        assert_eq!(event.body, FIRST.as_bytes(), "{name}");
        assert_eq!(event.position.sequence, Some(12), "{name}");
        assert_eq!(event.enqueued_at, Some(Millis(1_732_150_631_000)), "{name}");
        assert_eq!(event.stamped_device.as_deref(), Some("dev-1"), "{name}");
    }
}

#[test]
fn every_level_may_be_native_instead_of_text() {
    let native = batch(&json!({
        "Data": { "events": ["eyJ0ZW1wIjoyMn0=", { "temp": 23 }, "{\"temp\":24}", null] },
        "Metadata": {
            "PartitionContext": "{\"EventHubPath\":\"old\",\"PartitionId\":2}",
            "SequenceNumberArray": ["7", 8, 9, 10],
            "SystemPropertiesArray": [{ "iothub-connection-device-id": "a" }, {}, {}, { "EnqueuedTimeUtc": 5 }],
        },
    }))
    .unwrap();
    assert_eq!(native.partition.as_str(), "old/2");
    let bodies: Vec<_> =
        native.events.iter().map(|event| String::from_utf8_lossy(&event.body).into_owned()).collect();
    assert_eq!(bodies, [r#"{"temp":22}"#, r#"{"temp":23}"#, r#"{"temp":24}"#, ""]);
    let sequences: Vec<_> = native.events.iter().map(|event| event.position.sequence).collect();
    assert_eq!(sequences, [Some(7), Some(8), Some(9), Some(10)]);
}

#[test]
fn metadata_may_be_missing() {
    for envelope in [
        json!({ "Data": { "events": "[\"eyJ0ZW1wIjoyMn0=\"]" } }),
        json!({ "Data": { "events": "[\"eyJ0ZW1wIjoyMn0=\"]" }, "Metadata": null }),
        json!({ "Data": { "events": "[\"eyJ0ZW1wIjoyMn0=\"]" }, "Metadata": { "PartitionContext": null, "SequenceNumberArray": "null" } }),
    ] {
        let batch = batch(&envelope).unwrap();
        assert_eq!(batch.partition, HubPartition::unknown());
        assert_eq!(batch.events[0].position.sequence, None);
        assert_eq!(batch.events[0].body[..], *br#"{"temp":22}"#);
    }
}

#[test]
fn an_event_knows_its_sequence_from_its_own_properties() {
    let old = batch(&json!({
        "Data": { "events": "[\"e30=\"]" },
        "Metadata": { "SystemPropertiesArray": "[{\"x-opt-sequence-number\":41,\"x-opt-enqueued-time\":\"2024-11-21T00:57:11.123+00:00\"}]" },
    }))
    .unwrap();
    assert_eq!(old.events[0].position.sequence, Some(41));
    assert_eq!(old.events[0].enqueued_at, Some(Millis(1_732_150_631_123)));
}

#[test]
fn an_event_knows_its_content_encoding_where_it_is_not_utf_8() {
    let batch = batch(&json!({
        "Data": { "events": "[\"e30=\",\"e30=\",\"e30=\"]" },
        "Metadata": { "SystemPropertiesArray": [{ "content-encoding": "UTF-16" }, { "content-encoding": "UTF-8" }, {}] },
    }))
    .unwrap();
    let encodings: Vec<_> = batch.events.iter().map(|event| event.content_encoding.as_deref()).collect();
    assert_eq!(encodings, [Some("UTF-16"), None, None]);
}

#[test]
fn malformed_envelopes_say_what_is_wrong() {
    for (request, expected) in [
        ("", "the request is not an invocation envelope"),
        ("[]", "the request is not an invocation envelope"),
        ("{}", "missing field `Data`"),
        (r#"{"Data":{}}"#, "`Data` must hold the events under `events` (or `event`), found nothing"),
        (r#"{"Data":{"req":{}}}"#, "found `req`"),
        (r#"{"Data":{"events":null}}"#, "`Data.events` cannot be read: it is empty"),
        (r#"{"Data":{"events":"[1,"}}"#, "`Data.events` cannot be read: EOF while parsing"),
        (
            r#"{"Data":{"events":"[\"e30=\"]"},"Metadata":{"SequenceNumberArray":"[1,2]"}}"#,
            "`Metadata.SequenceNumberArray` cannot be read: it has 2 entries for 1 events",
        ),
        (
            r#"{"Data":{"events":"[\"e30=\"]"},"Metadata":{"SystemPropertiesArray":"[{},{}]"}}"#,
            "`Metadata.SystemPropertiesArray` cannot be read: it has 2 entries for 1 events",
        ),
    ] {
        let error = read_batch(request.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expected), "{request}: {error}");
    }
}

#[test]
fn a_wrapped_http_call_is_unwrapped() {
    let call = read_http_call(&sample("http-nonforwarded.json")).unwrap();
    assert_eq!((call.method.as_str(), call.target.as_str()), ("GET", "/api/getdevicestate?deviceId=dev-1"));
    assert_eq!(call.headers["accept"], "*/*");
    assert_eq!(call.body, "");
    let negotiate = read_http_call(&sample("http-negotiate-signalrconnectioninfo.json")).unwrap();
    assert_eq!((negotiate.method.as_str(), negotiate.target.as_str()), ("POST", "/api/negotiate"));
}

#[test]
fn replies_are_never_empty() {
    let reply: Value = serde_json::from_str(&trigger_reply("2 accepted")).unwrap();
    assert_eq!(reply, json!({ "Outputs": {}, "Logs": ["2 accepted"], "ReturnValue": null }));
    let reply: Value =
        serde_json::from_str(&http_reply(404, &[("Content-Type", "application/json".into())], "{}")).unwrap();
    assert_eq!(
        reply["Outputs"]["res"],
        json!({ "statusCode": 404, "headers": { "Content-Type": "application/json" }, "body": "{}" })
    );
}

proptest! {
    #[test]
    fn no_request_panics(request: Vec<u8>) {
        let _outcome = read_batch(request.clone());
        let _call = read_http_call(&request);
    }

    #[test]
    fn no_data_value_panics(value in r#"[\[\]{}",:0-9a-zA-Z \\=+/]{0,100}"#) {
        let _outcome = batch(&json!({ "Data": { "events": value }, "Metadata": { "SequenceNumberArray": value } }));
    }
}

/// A JSON string that means `text`, of whose characters some are escaped although they need not be.
fn literal(text: &str, escaped: &[bool]) -> String {
    let mut written = String::from('"');
    for (c, &escape) in text.chars().zip(escaped.iter().chain(std::iter::repeat(&false))) {
        match c {
            '/' if escape => written.push_str("\\/"),
            '"' if !escape => written.push_str("\\\""),
            '\\' if !escape => written.push_str("\\\\"),
            c if escape || c.is_control() => {
                let units = c.encode_utf16(&mut [0; 2]).to_vec();
                units.iter().for_each(|unit| written.push_str(&format!("\\u{unit:04X}")));
            }
            c => written.push(c),
        }
    }
    written + "\""
}

/// An envelope whose strings are escaped at random at every level.
fn escaped_envelope(events: &[String], devices: &[String], escaped: &[bool]) -> Vec<u8> {
    let list = |items: Vec<String>| literal(&format!(" [{}]", items.join(" ,")), escaped);
    let properties = |device: &String| {
        format!(r#"{{"skipped":[{{}}],"iothub-connection-device-id":{}}}"#, literal(device, escaped))
    };
    format!(
        r#"{{"Metadata":{{"SystemPropertiesArray":{}}},"Data":{{"events":{}}}}}"#,
        list(devices.iter().map(properties).collect()),
        list(events.to_vec()),
    )
    .into_bytes()
}

fn stamped(batch: &Batch) -> Vec<&str> {
    batch.events.iter().map(|event| event.stamped_device.as_deref().unwrap_or_default()).collect()
}

#[test]
fn bodies_are_parts_of_the_request_and_not_copies() {
    for name in ["eventhub-many-binary.json", "eventhub-many-string.json", "eventhub-many-nodatatype.json"] {
        let request = sample(name);
        let memory = request.as_ptr_range();
        for event in read_batch(request).unwrap().events {
            assert!(memory.contains(&event.body.as_ptr()), "{name}");
        }
    }
}

#[test]
fn text_that_is_base64_only_at_its_beginning_stays_as_it_is() {
    let text = format!("{}!", "QUJD".repeat(5_000));
    let read = batch(&json!({ "Data": { "events": json!([text]).to_string() } })).unwrap();
    assert_eq!(read.events[0].body, text.as_bytes());
}

proptest! {
    #[test]
    fn bytes_come_back_however_their_base64_is_escaped(
        bodies in proptest::collection::vec((any::<Vec<u8>>(), "[a-zü\"/+]{1,9}"), 0..6),
        escaped in proptest::collection::vec(any::<bool>(), 0..300),
    ) {
        let (bodies, devices): (Vec<Vec<u8>>, Vec<String>) = bodies.into_iter().unzip();
        let events: Vec<_> = bodies.iter().map(|body| literal(&STANDARD.encode(body), &escaped)).collect();
        let batch = read_batch(escaped_envelope(&events, &devices, &escaped)).unwrap();
        prop_assert_eq!(stamped(&batch), devices);
        let read: Vec<_> = batch.events.iter().map(|event| event.body.to_vec()).collect();
        prop_assert_eq!(read, bodies);
    }

    #[test]
    fn texts_and_values_come_back_however_they_are_escaped(
        texts in proptest::collection::vec(any::<String>(), 0..6),
        as_text: bool,
        escaped in proptest::collection::vec(any::<bool>(), 0..300),
    ) {
        let bodies: Vec<_> = texts.iter().map(|text| json!({ "note": text }).to_string()).collect();
        let event = |body: &String| if as_text { literal(body, &escaped) } else { body.clone() };
        let events: Vec<_> = bodies.iter().map(event).collect();
        let devices = vec!["sensor-1".to_owned(); bodies.len()];
        let batch = read_batch(escaped_envelope(&events, &devices, &escaped)).unwrap();
        prop_assert_eq!(stamped(&batch), devices);
        let read: Vec<_> = batch.events.iter().map(|event| String::from_utf8(event.body.to_vec()).unwrap()).collect();
        prop_assert_eq!(read, bodies);
    }
}
