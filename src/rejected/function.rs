//! `rejectedtelemetry`: rejected readings with their reasons, newest first, of all devices or of one.
//!
//! They are kept by hub partition, newest first in each; this merges the partitions by time, a few readings of each at a
//! time. Events without a sequence number (a manual run) come last in their partition, in no order of time.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::reading::RejectedReading;
use super::rows::{RejectedQuery, RejectedRows};
use crate::host::answer::Answer;
use crate::host::call::{Call, PATIENCE};
use crate::primitives::ids::forbidden_in_key;
use crate::primitives::instant::Millis;
use crate::primitives::json::to_json;
use crate::primitives::opaque;
use crate::store::StoreError;

/// Readings of one answer when the caller does not say.
const USUAL_LIMIT: usize = 100;

/// The most readings of one answer.
const LARGEST_LIMIT: usize = 1_000;

/// An answer ends earlier when the readings in it are together larger than this.
const ENOUGH_BYTES: usize = 2 * 1024 * 1024;

/// The most readings that are read of a partition at a time.
const CHUNK: usize = 25;

/// A hub has at most 32 partitions, and those of a hub before it come on top. What is beyond is older or another's.
const MOST_PARTITIONS: usize = 64;

/// Characters that are kept of what a device claims to be called.
const LONGEST_DEVICE: usize = 256;

/// Bytes of a key. Table Storage takes 1 KiB, in two bytes a character.
const LONGEST_KEY: usize = 512;

/// Partitions that are read at once.
const IN_FLIGHT: usize = 8;

/// Where rejected readings are read.
pub(crate) struct RejectedReadings {
    pub(crate) rows: Arc<RejectedRows>,
}

impl RejectedReadings {
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let wanted = match Wanted::parse(&call.query) {
            Ok(wanted) => wanted,
            Err((code, sentence)) => return Answer::error(StatusCode::BAD_REQUEST, code, sentence),
        };
        match read(&self.rows, &wanted).await {
            Ok((readings, continuation)) => Answer::json(StatusCode::OK, render(&readings, continuation)),
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

/// A rejected reading as clients see it. The body is text where it was UTF-8, otherwise base64.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    device_id: Option<&'a str>,
    reason: &'static str,
    detail: &'a str,
    body: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    body_length: usize,
    partition: &'a str,
    sequence_number: Option<i64>,
    reading: usize,
    enqueued_at: Option<String>,
    rejected_at: String,
}

impl<'a> From<&'a RejectedReading> for Shown<'a> {
    fn from(reading: &'a RejectedReading) -> Shown<'a> {
        let body = std::str::from_utf8(&reading.body).ok();
        Shown {
            device_id: reading.rejection.device.as_deref(),
            reason: reading.rejection.reason.code(),
            detail: &reading.rejection.detail,
            body,
            body_base64: body.is_none().then(|| STANDARD.encode(&reading.body)),
            body_length: reading.body_length,
            partition: reading.position.partition.as_str(),
            sequence_number: reading.position.sequence,
            reading: reading.index,
            enqueued_at: reading.enqueued_at.map(Millis::to_text),
            rejected_at: reading.rejected_at.to_text(),
        }
    }
}

/// What is wanted.
struct Wanted {
    device: Option<String>,
    limit: usize,
    /// `None`: from the newest on.
    continuation: Option<Continuation>,
}

/// Where reading goes on: the partitions that are not read to their end, with the key of the last reading given out.
#[derive(Serialize, Deserialize)]
struct Continuation {
    device: Option<String>,
    partitions: Vec<Place>,
}

impl Continuation {
    /// Whether it could have been given out: a forged one must neither make the store refuse the query nor be much work.
    fn is_possible(&self) -> bool {
        let is_key = |key: &str| key.len() <= LONGEST_KEY && !key.contains(forbidden_in_key);
        let are_keys = |(partition, after): &Place| is_key(partition) && after.as_deref().is_none_or(is_key);
        self.partitions.len() <= MOST_PARTITIONS
            && self.partitions.is_sorted_by(|(one, _), (next, _)| one < next)
            && self.partitions.iter().all(are_keys)
    }
}

/// A partition, and the key of the last reading of it that was given out.
type Place = (String, Option<String>);

/// The rest of one partition.
struct Reader {
    partition: String,
    /// Of the last reading that was taken.
    after: Option<String>,
    next: VecDeque<RejectedReading>,
    is_at_end: bool,
}

fn unreadable(error: &StoreError) -> Answer {
    match error {
        StoreError::Misconfigured(_) => Answer::misconfigured("the rejected readings", error),
        _ => Answer::unavailable("the rejected readings", error),
    }
}

fn render(readings: &[RejectedReading], continuation: Option<Continuation>) -> String {
    let continuation = continuation.map(|continuation| opaque::encode(&continuation));
    let page = Page { rejected: readings.iter().map(Shown::from).collect(), continuation };
    to_json(&page)
}

async fn read(
    rows: &RejectedRows,
    wanted: &Wanted,
) -> Result<(Vec<RejectedReading>, Option<Continuation>), StoreError> {
    let deadline = Instant::now() + PATIENCE;
    let places = match &wanted.continuation {
        Some(continuation) => continuation.partitions.clone(),
        None => {
            let partitions = rows.partitions(deadline).await?;
            partitions.into_iter().take(MOST_PARTITIONS).map(|partition| (partition, None)).collect()
        }
    };
    let mut readers: Vec<Reader> =
        places.into_iter().map(|(partition, after)| Reader::new(partition, after)).collect();
    // What is read and not given out is read again by the next call.
    let chunk = (wanted.limit / readers.len().max(1) + 1).min(CHUNK);
    let (mut taken, mut bytes) = (Vec::new(), 0);
    while taken.len() < wanted.limit && bytes < ENOUGH_BYTES {
        fill(rows, &mut readers, wanted.device.as_deref(), chunk, deadline).await?;
        let Some(newest) = readers.iter_mut().max_by_key(|reader| reader.time_of_next()) else { break };
        let Some(reading) = newest.take() else { break };
        bytes += reading.body.len();
        taken.push(reading);
    }
    readers.retain(|reader| !(reader.is_at_end && reader.next.is_empty()));
    let continuation = (!readers.is_empty()).then(|| Continuation {
        device: wanted.device.clone(),
        partitions: readers.into_iter().map(|reader| (reader.partition, reader.after)).collect(),
    });
    Ok((taken, continuation))
}

/// Reads on where nothing is left.
async fn fill(
    rows: &RejectedRows,
    readers: &mut [Reader],
    device: Option<&str>,
    chunk: usize,
    deadline: Instant,
) -> Result<(), StoreError> {
    let mut reads = Vec::new();
    for reader in readers.iter_mut().filter(|reader| reader.next.is_empty() && !reader.is_at_end) {
        reads.push(reader.read(rows, device, chunk, deadline));
    }
    stream::iter(reads).buffer_unordered(IN_FLIGHT).try_collect().await
}

impl Reader {
    fn new(partition: String, after: Option<String>) -> Reader {
        Reader { partition, after, next: VecDeque::new(), is_at_end: false }
    }

    async fn read(
        &mut self,
        rows: &RejectedRows,
        device: Option<&str>,
        chunk: usize,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let query = RejectedQuery {
            partition: self.partition.clone(),
            device: device.map(str::to_owned),
            after: self.after.clone(),
            limit: chunk,
        };
        self.next = rows.read(&query, deadline).await?.into();
        self.is_at_end = self.next.len() < chunk;
        Ok(())
    }

    fn time_of_next(&self) -> Option<Millis> {
        self.next.front().map(|reading| reading.enqueued_at.unwrap_or(reading.rejected_at))
    }

    fn take(&mut self) -> Option<RejectedReading> {
        let reading = self.next.pop_front()?;
        self.after = Some(reading.row_key());
        Some(reading)
    }
}

/// Code and sentence of a query that cannot be answered.
type BadQuery = (&'static str, &'static str);

impl Wanted {
    /// Reads a query. Names that are not known are ignored: hosts and proxies add their own.
    fn parse(query: &str) -> Result<Wanted, BadQuery> {
        let mut wanted = Wanted { device: None, limit: USUAL_LIMIT, continuation: None };
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
                    let sentence =
                        "`continuation` is not one that was given out here; begin again without it";
                    let continuation: Option<Continuation> = opaque::decode(&value);
                    let possible = continuation.filter(Continuation::is_possible);
                    wanted.continuation = Some(possible.ok_or(("bad_continuation", sentence))?);
                }
                _ => {}
            }
        }
        match &wanted.continuation {
            Some(continuation) if continuation.device != wanted.device => {
                Err(("bad_continuation", "`continuation` was given out for another `deviceId`"))
            }
            _ => Ok(wanted),
        }
    }
}

#[cfg(test)]
mod tests;
