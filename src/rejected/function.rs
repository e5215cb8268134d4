//! `rejectedtelemetry`: bodies of which something was rejected, with the reasons, newest first, of all devices or of one.

use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::body::{RejectedBody, Sample};
use super::row::LONGEST_ELEMENTS;
use super::rows::{ListQuery, Listed, Place, RejectedRows};
use crate::host::answer::Answer;
use crate::host::call::{Call, PATIENCE};
use crate::host::gate::Gate;
use crate::primitives::ids::forbidden_in_key;
use crate::primitives::instant::Millis;
use crate::primitives::json::to_json;
use crate::primitives::opaque;
use crate::store::StoreError;

/// Bodies of one answer when the caller does not say.
const USUAL_LIMIT: usize = 100;

/// The most bodies of one answer.
const LARGEST_LIMIT: usize = 1_000;

/// An answer ends earlier when the bodies in it are together larger than this.
const ENOUGH_BYTES: usize = 2 * 1024 * 1024;

/// Characters that are kept of what a device claims to be called.
const LONGEST_DEVICE: usize = 256;

/// Bytes of a key. Table Storage takes 1 KiB, in two bytes a character.
const LONGEST_KEY: usize = 512;

/// Where rejected bodies are read.
pub(crate) struct RejectedReadings {
    pub(crate) rows: Arc<RejectedRows>,
    pub(crate) gate: Gate,
}

impl RejectedReadings {
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let query = match parse(&call.query) {
            Ok(query) => query,
            Err((code, sentence)) => return Answer::error(StatusCode::BAD_REQUEST, code, sentence),
        };
        let _turn = match self.gate.enter().await {
            Ok(turn) => turn,
            Err(busy) => return busy.answer(),
        };
        match self.rows.list(&query, Instant::now() + PATIENCE).await {
            Ok(listed) => Answer::json(StatusCode::OK, render(&listed, query.device)),
            Err(error) => unreadable(&error),
        }
    }
}

#[derive(Serialize)]
struct Page<'a> {
    rejected: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation: Option<String>,
}

/// A rejected body as clients see it. `deviceId`, `reason`, `detail` and `reading` are those of its first rejected element.
/// The body is text where it was UTF-8, otherwise base64.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    device_id: Option<&'a str>,
    reason: &'a str,
    detail: &'a str,
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    body_length: usize,
    partition: &'a str,
    sequence_number: Option<i64>,
    reading: usize,
    /// How many elements were rejected.
    count: usize,
    /// Which ones, such as `0-3,7`.
    elements: String,
    /// The first of them.
    samples: Vec<ShownSample<'a>>,
    enqueued_at: Option<String>,
    rejected_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ShownSample<'a> {
    index: usize,
    reason: &'a str,
    detail: &'a str,
    device_id: Option<&'a str>,
    text: &'a str,
}

impl<'a> From<&'a RejectedBody> for Shown<'a> {
    fn from(rejected: &'a RejectedBody) -> Shown<'a> {
        let body = std::str::from_utf8(&rejected.body).ok();
        let first = rejected.rejected.first();
        Shown {
            device_id: rejected.device(),
            reason: first.map_or("", |first| &first.reason),
            detail: first.map_or("", |first| &first.detail),
            body,
            body_base64: body.is_none().then(|| STANDARD.encode(&rejected.body)),
            body_length: rejected.body_length,
            partition: rejected.position.partition.as_str(),
            sequence_number: rejected.position.sequence,
            reading: first.map_or(0, |first| first.index),
            count: rejected.rejected.count(),
            elements: rejected.rejected.all().to_text(LONGEST_ELEMENTS),
            samples: rejected.rejected.samples().iter().map(ShownSample::from).collect(),
            enqueued_at: rejected.enqueued_at.map(Millis::to_text),
            rejected_at: rejected.rejected_at.to_text(),
        }
    }
}

impl<'a> From<&'a Sample> for ShownSample<'a> {
    fn from(sample: &'a Sample) -> ShownSample<'a> {
        let Sample { index, reason, detail, device, text } = sample;
        ShownSample { index: *index, reason, detail, device_id: device.as_deref(), text }
    }
}

/// Where the list goes on, as the caller hands it back.
#[derive(Serialize, Deserialize)]
struct Continuation {
    device: Option<String>,
    group: String,
    row: Option<String>,
}

impl Continuation {
    /// Whether it could have been given out: a forged one must not make the store refuse the query.
    fn is_possible(&self) -> bool {
        let is_key = |key: &str| key.len() <= LONGEST_KEY && !key.contains(forbidden_in_key);
        is_key(&self.group) && self.row.as_deref().is_none_or(is_key)
    }
}

fn unreadable(error: &StoreError) -> Answer {
    match error {
        StoreError::Misconfigured(_) => Answer::misconfigured("the rejected readings", error),
        _ => Answer::unavailable("the rejected readings", error),
    }
}

fn render(listed: &Listed, device: Option<String>) -> String {
    let continuation = listed.next.clone().map(|Place { group, row }| Continuation { device, group, row });
    let continuation = continuation.map(|continuation| opaque::encode(&continuation));
    to_json(&Page { rejected: listed.bodies.iter().map(Shown::from).collect(), continuation })
}

/// Code and sentence of a query that cannot be answered.
type BadQuery = (&'static str, &'static str);

/// Reads a query. Names that are not known are ignored: hosts and proxies add their own.
fn parse(query: &str) -> Result<ListQuery, BadQuery> {
    let mut wanted = ListQuery { device: None, after: None, limit: USUAL_LIMIT, enough_bytes: ENOUGH_BYTES };
    let mut continuation: Option<Continuation> = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            "deviceId" if value.is_empty() => return Err(("bad_filter", "the `deviceId` is empty")),
            "deviceId" if value.chars().count() > LONGEST_DEVICE => {
                return Err(("bad_filter", "the `deviceId` has more than 256 characters"));
            }
            "deviceId" => wanted.device = Some(value.into_owned()),
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=LARGEST_LIMIT).contains(limit));
                wanted.limit = limit.ok_or(("bad_limit", "`limit` must be a number from 1 to 1000"))?;
            }
            "continuation" => {
                let sentence = "`continuation` is not one that was given out here; begin again without it";
                let given: Option<Continuation> = opaque::decode(&value);
                let possible = given.filter(Continuation::is_possible);
                continuation = Some(possible.ok_or(("bad_continuation", sentence))?);
            }
            _ => {}
        }
    }
    if let Some(Continuation { device, group, row }) = continuation {
        if device != wanted.device {
            return Err(("bad_continuation", "`continuation` was given out for another `deviceId`"));
        }
        wanted.after = Some(Place { group, row });
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests;
