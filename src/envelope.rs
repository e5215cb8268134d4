//! The Functions host's envelope: the only module that knows how the host wraps what a trigger or an HTTP call delivers,
//! and how it wants the answer. Source: the custom handler contract of the Functions host (`Data`, `Metadata`,
//! `Outputs`), whose value encoder turns everything that is not a JSON object into JSON text inside a JSON string.

mod http;
mod loose;
mod metadata;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

pub use http::{HttpCall, read_http_call};
use metadata::Metadata;

use crate::ids::{Partition, Position};
use crate::instant::Millis;

/// Events of one partition, in the order of the stream.
#[derive(Debug, PartialEq)]
pub struct Batch {
    /// Where they come from.
    pub partition: Partition,
    /// The events.
    pub events: Vec<Event>,
}

/// One message of the hub.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// Where it stands in the stream.
    pub position: Position,
    /// When the hub enqueued it.
    pub enqueued_at: Option<Millis>,
    /// The identity that the hub authenticated (`iothub-connection-device-id`).
    pub stamped_device: Option<String>,
    /// The hub's message id, where the device gave one.
    pub message_id: Option<String>,
    /// The bytes that the device sent, as far as the binding's data type preserves them.
    pub body: Bytes,
}

/// Why a request is not an invocation that can be worked on. The host never sends such a thing; a person with a
/// command line does, so it says what is expected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The request body is not JSON of the outer shape.
    #[error("the request is not an invocation envelope ({{\"Data\":{{…}},\"Metadata\":{{…}}}}): {0}")]
    Shape(String),
    /// There is no event under the names that a trigger binding of this app has.
    #[error("`Data` must hold the events under `events` (or `event`), found {0}")]
    NoEvents(String),
    /// The events are there but are neither an array nor one event.
    #[error("`Data.{name}` cannot be read: {problem}")]
    Events {
        /// The binding's name.
        name: String,
        /// What was found.
        problem: String,
    },
    /// A metadata array is there but cannot belong to these events.
    #[error("`Metadata.{name}` cannot be read: {problem}")]
    Metadata {
        /// The metadata key.
        name: &'static str,
        /// What was found.
        problem: String,
    },
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Data", borrow)]
    data: std::collections::BTreeMap<String, &'a RawValue>,
    #[serde(rename = "Metadata", borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// Reads an Event Hub invocation in every form that `cardinality` and `dataType` can give it.
pub fn read_batch(request: &[u8]) -> Result<Batch, EnvelopeError> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(request).map_err(|error| EnvelopeError::Shape(error.to_string()))?;
    let (name, value) = ["events", "event"]
        .iter()
        .find_map(|name| envelope.data.get_key_value(*name))
        .ok_or_else(|| EnvelopeError::NoEvents(names(&envelope.data)))?;
    let bodies =
        bodies(value.get()).map_err(|problem| EnvelopeError::Events { name: name.clone(), problem })?;
    let metadata = Metadata::read(envelope.metadata, bodies.len())?;
    let event = |(index, body)| metadata.event(index, body);
    let events = bodies.into_iter().enumerate().map(event).collect();
    Ok(Batch { partition: metadata.partition(), events })
}

fn names(data: &std::collections::BTreeMap<String, &RawValue>) -> String {
    match data.is_empty() {
        true => "nothing".to_owned(),
        false => data.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
}

/// The event bodies of a `Data` value: a native array or object, or JSON text inside a string. An event that is
/// neither is base64 (`dataType` binary with `cardinality` one).
fn bodies(value: &str) -> Result<Vec<Vec<u8>>, String> {
    let owned;
    let inner = match value.as_bytes().first() {
        Some(b'"') => {
            owned = serde_json::from_str::<String>(value).map_err(|error| error.to_string())?;
            owned.as_str()
        }
        _ => value,
    };
    match inner.trim_ascii_start().as_bytes().first() {
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(inner).map_err(|error| error.to_string())?;
            elements.into_iter().map(|element| element_body(element.get())).collect()
        }
        Some(b'{' | b'"') => Ok(vec![element_body(inner)?]),
        Some(_) if inner != "null" => Ok(vec![text_body(inner)]),
        _ => Err("it is empty".to_owned()),
    }
}

/// One event of an array: a string (base64 or the text itself) or, without `dataType`, the parsed JSON.
fn element_body(raw: &str) -> Result<Vec<u8>, String> {
    match raw.as_bytes().first() {
        Some(b'"') => {
            let text =
                serde_json::from_str::<std::borrow::Cow<'_, str>>(raw).map_err(|error| error.to_string())?;
            Ok(text_body(&text))
        }
        _ if raw == "null" => Ok(Vec::new()),
        _ => Ok(raw.as_bytes().to_vec()),
    }
}

/// Telemetry that can be counted starts with `{` or `[`, which are no base64 characters, so the two cannot be confused.
fn text_body(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec())
}

/// The answer to a trigger: never empty, because the host waits for ever for a body that never comes.
pub fn trigger_reply(log: &str) -> String {
    serde_json::json!({ "Outputs": {}, "Logs": [log], "ReturnValue": null }).to_string()
}

/// The answer to an HTTP call that came in an envelope. `statusCode` is the only spelling that the host reads.
pub fn http_reply(status: u16, headers: &[(&str, String)], body: &str) -> String {
    let headers: serde_json::Map<_, _> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
    let response = serde_json::json!({ "statusCode": status, "headers": headers, "body": body });
    serde_json::json!({ "Outputs": { "res": response }, "Logs": [], "ReturnValue": null }).to_string()
}

#[cfg(test)]
mod tests;
