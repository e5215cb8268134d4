//! Checks the host's envelopes: every event must be found with its bytes, and an envelope that cannot be read must be
//! answered with the expected error.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde_json::Value;

use crate::bodies::check_body;
use crate::host::envelope::{self, Batch, EnvelopeError, Event};

/// The number of events whose bodies are checked as well, which is enough to test the way from the envelope to the
/// reading.
const LOOKED_INTO: usize = 4;

fn read_batch(request: &[u8]) -> Result<Batch, EnvelopeError> {
    envelope::read_batch(request)
}

/// A trigger's envelope.
pub fn check_envelope(request: &[u8]) {
    let outcome = read_batch(request);
    assert_eq!(outcome, read_batch(request), "reading twice gives the same");
    let envelope: Option<Value> = serde_json::from_slice(request).ok();
    match outcome {
        Ok(batch) => check_batch(&batch, envelope.as_ref()),
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal says why"),
    }
}

fn check_batch(batch: &Batch, envelope: Option<&Value>) {
    if let Some(expected) = envelope.and_then(expected_bodies) {
        assert_eq!(batch.events.len(), expected.len(), "one body for each event");
        for (event, expected) in batch.events.iter().zip(expected) {
            check_event_body(&event.body, &expected);
        }
    }
    for event in &batch.events {
        assert_eq!(event.position.partition, batch.partition);
        assert!(event.position.sequence.is_none_or(|sequence| (0..1 << 62).contains(&sequence)), "{event:?}");
        assert_ne!(event.stamped_device.as_deref(), Some(""), "an empty stamp is none");
    }
    for Event { body, content_encoding, stamped_device, .. } in batch.events.iter().take(LOOKED_INTO) {
        check_body(body, content_encoding.as_deref(), stamped_device.as_deref());
    }
}

/// The events of an envelope, by a parser that builds a tree. `None` where that parser has narrower limits, and for a
/// JSON string or a null with white space around it, which no host writes and which the handler takes as it is.
fn expected_bodies(envelope: &Value) -> Option<Vec<Value>> {
    let data = &envelope["Data"];
    let handed_over = data.get("events").or_else(|| data.get("event"))?;
    let events = match handed_over {
        Value::String(text)
            if text.trim_ascii() != text && (is_string(text) || text.trim_ascii() == "null") =>
        {
            return None;
        }
        Value::String(text) => match serde_json::from_str(text) {
            Ok(events) => events,
            // JSON with a number or a nesting that no tree takes.
            Err(_) if serde_json::from_str::<IgnoredAny>(text).is_ok() => return None,
            Err(_) => Value::String(text.clone()),
        },
        native => native.clone(),
    };
    match events {
        Value::Array(events) => Some(events),
        one => Some(vec![one]),
    }
}

fn is_string(json: &str) -> bool {
    json.trim_ascii_start().starts_with('"')
}

fn check_event_body(body: &[u8], expected: &Value) {
    match expected {
        Value::String(text) => {
            let bytes = STANDARD.decode(text).unwrap_or_else(|_| text.clone().into_bytes());
            assert_eq!(body, bytes, "the bytes that the device sent");
        }
        Value::Null => assert_eq!(body, b"", "an event without a body"),
        // As the single event of a trigger, they can also be base64 that is not a JSON string; neither is telemetry.
        Value::Bool(_) | Value::Number(_) => {}
        Value::Array(_) | Value::Object(_) => {
            let read: Value = serde_json::from_slice(body).unwrap_or_default();
            assert_eq!(&read, expected, "the event as it was handed over");
        }
    }
}

/// A wrapped HTTP call.
pub fn check_http_call(request: &[u8]) {
    let outcome = envelope::read_http_call(request);
    assert_eq!(outcome, envelope::read_http_call(request), "reading twice gives the same");
    match outcome {
        Ok(call) => {
            assert!(call.target.starts_with('/'), "{call:?}");
            let lower = |name: &String| !name.bytes().any(|byte| byte.is_ascii_uppercase());
            assert!(call.headers.keys().all(lower), "{call:?}");
            check_reply(&call.body);
        }
        Err(error) => assert!(!error.to_string().is_empty(), "a refusal says why"),
    }
}

/// Any text in an answer must arrive unchanged.
fn check_reply(text: &str) {
    let reply: Value = serde_json::from_str(&envelope::http_reply(200, &[], text)).expect("a reply is JSON");
    assert_eq!(reply["Outputs"]["res"]["body"], text);
}
