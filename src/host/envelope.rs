//! The Functions host's envelope: the only module that knows how the host wraps what a trigger or an HTTP call delivers,
//! and how it wants the answer. Source: the custom handler contract of the Functions host (`Data`, `Metadata`,
//! `Outputs`), whose value encoder turns everything that is not a JSON object into JSON text inside a JSON string.

mod bodies;
mod event;
mod http;
mod level;
mod loose;
mod metadata;
mod unescape;

use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

pub use event::{Batch, EnvelopeError, Event};
pub use http::{HttpCall, read_http_call};
use metadata::{Metadata, Places};

use crate::primitives::span::span_of;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "Data", borrow)]
    data: BTreeMap<String, &'a RawValue>,
    #[serde(rename = "Metadata", borrow, default)]
    metadata: Option<metadata::Wire<'a>>,
}

/// Reads an Event Hub invocation in every form that `cardinality` and `dataType` can give it. The request's memory
/// becomes that of the bodies: every level of wrapping is undone in place, so that a large batch is never there twice.
pub fn read_batch(request: impl Into<Vec<u8>>) -> Result<Batch, EnvelopeError> {
    let mut request = request.into();
    let (name, events, mut places) = members(&request)?;
    let fail = |problem| EnvelopeError::Events { name: name.to_owned(), problem };
    let bodies = bodies::find(&mut request, events).map_err(fail)?;
    places.open(&mut request)?;
    let request = Bytes::from(request);
    let metadata = Metadata::read(&request, &places, bodies.len())?;
    let event = |(index, body)| metadata.event(index, request.slice(body));
    let events = bodies.into_iter().enumerate().map(event).collect();
    Ok(Batch { partition: metadata.partition.clone(), events })
}

/// The binding's name, where its events are, and where the metadata are.
fn members(request: &[u8]) -> Result<(&'static str, Range<usize>, Places), EnvelopeError> {
    let envelope: Envelope<'_> =
        serde_json::from_slice(request).map_err(|error| EnvelopeError::Shape(error.to_string()))?;
    let (name, events) = ["events", "event"]
        .into_iter()
        .find_map(|name| Some((name, envelope.data.get(name)?)))
        .ok_or_else(|| EnvelopeError::NoEvents(names(&envelope.data)))?;
    let places = envelope.metadata.unwrap_or_default().places(request);
    Ok((name, span_of(events.get(), request), places))
}

fn names(data: &BTreeMap<String, &RawValue>) -> String {
    match data.is_empty() {
        true => "nothing".to_owned(),
        false => data.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    }
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
