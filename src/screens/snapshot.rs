//! `getdevicestate`: every device's state. `GET` answers with it; `POST` sends it through SignalR, as the predecessor's
//! page expects, to one connection, to a user or to whoever watches.
//!
//! A client that has read a snapshot to its end asks from then on with its `cursor` for what has changed `since`, and never
//! misses a change: the cursor is a moment before the first row was read.

mod wanted;

use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::wanted::{Continuation, Cursor, Place, Wanted, WantedError};
use super::client_ids;
use crate::devices::rows::DeviceRows;
use crate::devices::state::{DeviceState, View};
use crate::host::answer::Answer;
use crate::host::call::{Call, PATIENCE};
use crate::primitives::chain::chain;
use crate::primitives::json::to_json;
use crate::screens::publish::{Audience, Change, PUSH_PATIENCE, Publisher};
use crate::store::StoreError;
use crate::store::shard::Shard;
use crate::telemetry::catalogue::{Catalogue, Kind, Measurement};

/// Where states are read, and where they can be sent.
pub(crate) struct Snapshots {
    pub(crate) devices: Arc<DeviceRows>,
    pub(crate) publisher: Arc<dyn Publisher>,
}

impl Snapshots {
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        match call.method {
            Method::POST => send(self, call).await,
            _ => read(self, call).await,
        }
    }
}

#[derive(Serialize)]
struct Snapshot<'a> {
    devices: Vec<View<'a>>,
    measurements: Vec<Shown<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<Elsewhere<'a>>,
    cursor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation: Option<String>,
}

/// A changed device that is in none of the areas asked for: a client that shows it as being there removes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Elsewhere<'a> {
    device_id: &'a str,
    geo: Option<&'a str>,
    version: i64,
}

impl<'a> From<&'a DeviceState> for Elsewhere<'a> {
    fn from(state: &'a DeviceState) -> Elsewhere<'a> {
        let geo = state.geo.as_ref().map(|geo| geo.value.as_str());
        Elsewhere { device_id: state.device.as_str(), geo, version: state.version }
    }
}

/// What a page needs to draw a measurement.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    unit: &'a str,
    min: Option<f64>,
    max: Option<f64>,
    /// What the values are, where they are no numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "<[serde_json::Value]>::is_empty")]
    values: &'a [serde_json::Value],
}

impl<'a> From<&'a Measurement> for Shown<'a> {
    fn from(measurement: &'a Measurement) -> Shown<'a> {
        let Measurement { name, unit, min, max, kind, values, .. } = measurement;
        let kind = Some(*kind).filter(|kind| *kind != Kind::Number);
        Shown { name, unit, min: *min, max: *max, kind, values }
    }
}

async fn read(snapshots: &Snapshots, call: &Call) -> Answer {
    let wanted = match Wanted::parse(&call.query) {
        Ok(wanted) => wanted,
        Err(error) => return Answer::error(StatusCode::BAD_REQUEST, error.code(), &error.to_string()),
    };
    match part(snapshots, &wanted).await {
        Ok(mut part) => {
            sort(&mut part.states);
            let body = render(&part, snapshots.devices.catalogue());
            Answer::json(StatusCode::OK, body).revalidated(call.if_none_match.as_deref())
        }
        Err(StoreError::NoSuchPlace(_)) => {
            let error = WantedError::Continuation;
            Answer::error(StatusCode::BAD_REQUEST, error.code(), &error.to_string())
        }
        Err(error) => unreadable(&error),
    }
}

fn unreadable(error: &StoreError) -> Answer {
    match error {
        StoreError::Misconfigured(_) => Answer::misconfigured("the snapshot", &chain(error)),
        _ => Answer::unavailable("the snapshot", &chain(error)),
    }
}

/// Part of a snapshot, in the order of the store.
struct Part {
    states: Vec<DeviceState>,
    /// Those that changed and are not in the areas asked for.
    elsewhere: Vec<DeviceState>,
    /// To ask for what changed since.
    cursor: Cursor,
    /// Where the next part begins.
    next: Option<Continuation>,
}

/// Reads until there is enough for one reply. The pages of the store are not split, so it can be a page more.
async fn part(snapshots: &Snapshots, wanted: &Wanted) -> Result<Part, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    let Place { mut shard, mut after, mut cursor } = wanted.place.clone();
    let shards = snapshots.devices.shards().count();
    let (mut states, mut elsewhere) = (Vec::new(), Vec::new());
    while shard < shards {
        let since = wanted.since.as_ref().map(|Cursor(moment)| moment);
        let page = snapshots.devices.scan(Shard(shard), since, after.as_ref(), deadline).await?;
        let cursor = cursor.get_or_insert(Cursor(page.as_of));
        let heard = page.states.into_iter().filter(DeviceState::is_heard);
        let (taken, others): (Vec<_>, Vec<_>) = heard.partition(|state| wanted.filter.takes(state));
        states.extend(taken);
        if wanted.since.is_some() && wanted.filter.has_areas() {
            elsewhere.extend(others);
        }
        after = page.next;
        if after.is_none() {
            shard += 1;
        }
        if states.len() + elsewhere.len() >= wanted.limit && shard < shards {
            let next = Continuation::new(wanted, Place { shard, after, cursor: Some(cursor.clone()) });
            let cursor = cursor.clone();
            return Ok(Part { states, elsewhere, cursor, next: Some(next) });
        }
    }
    let cursor = cursor.unwrap_or_else(Cursor::beginning);
    Ok(Part { states, elsewhere, cursor, next: None })
}

fn sort(states: &mut [DeviceState]) {
    states.sort_by(|one, other| one.device.cmp(&other.device));
}

/// All states in the order of their ids.
async fn states(snapshots: &Snapshots) -> Result<Vec<DeviceState>, StoreError> {
    let mut states = Vec::new();
    let mut wanted = Wanted::everything();
    loop {
        let part = part(snapshots, &wanted).await?;
        states.extend(part.states);
        match part.next {
            Some(next) => wanted.place = next.place,
            None => {
                sort(&mut states);
                return Ok(states);
            }
        }
    }
}

fn render(part: &Part, catalogue: &Catalogue) -> String {
    let snapshot = Snapshot {
        devices: part.states.iter().map(|state| state.view(catalogue)).collect(),
        measurements: catalogue.measurements().iter().map(Shown::from).collect(),
        elsewhere: part.elsewhere.iter().map(Elsewhere::from).collect(),
        cursor: part.cursor.to_text(),
        continuation: part.next.as_ref().map(Continuation::to_text),
    };
    to_json(&snapshot)
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Receiver {
    connection_id: Option<String>,
    user_id: Option<String>,
}

async fn send(snapshots: &Snapshots, call: &Call) -> Answer {
    let wanted = match call.body.trim_ascii() {
        b"" => Receiver::default(),
        body => match serde_json::from_slice::<Receiver>(body) {
            Ok(wanted) => wanted,
            Err(_) => {
                let sentence = r#"the body must be empty, {"connectionId":"…"} or {"userId":"…"}"#;
                return Answer::error(StatusCode::BAD_REQUEST, "bad_body", sentence);
            }
        },
    };
    for (code, name, id) in [
        ("bad_connection_id", "connectionId", &wanted.connection_id),
        ("bad_user_id", "userId", &wanted.user_id),
    ] {
        if let Err(problem) = id.as_deref().map_or(Ok(()), client_ids::check) {
            return Answer::error(StatusCode::BAD_REQUEST, code, &format!("the {name} {problem}"));
        }
    }
    let audience = match (&wanted.connection_id, &wanted.user_id) {
        (Some(id), _) => Audience::Connection(id),
        (None, Some(name)) => Audience::User(name),
        (None, None) => Audience::Watchers,
    };
    let states = match states(snapshots).await {
        Ok(states) => states,
        Err(error) => return unreadable(&error),
    };
    let catalogue = snapshots.devices.catalogue();
    let changes: Vec<Change> = states.iter().map(|state| Change::to(state, None, catalogue)).collect();
    match snapshots.publisher.publish(audience, &changes, PUSH_PATIENCE).await {
        Ok(()) => Answer::json(StatusCode::OK, format!(r#"{{"sent":{}}}"#, changes.len())),
        Err(error) => Answer::error(StatusCode::BAD_GATEWAY, "push_failed", &error.to_string()),
    }
}
