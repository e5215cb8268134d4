//! `getdevicestate`: every device's state. `GET` answers with it; `POST` sends it through SignalR, as the predecessor's
//! page expects, to one connection, to a user or to whoever watches.
//!
//! A client that has read a snapshot to its end asks from then on with its `cursor` for what has changed `since`, and never
//! misses a change: the cursor is a moment before the first row was read.

mod wanted;

use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::wanted::{Continuation, Cursor, Place, Wanted, WantedError};
use super::names;
use crate::app::{App, Call};
use crate::devices::state::{DeviceState, View};
use crate::host::answer::Answer;
use crate::ingestion::{PATIENCE, PUSH_PATIENCE};
use crate::screens::publish::{Audience, Change};
use crate::store::StoreError;
use crate::store::shard::Shard;
use crate::telemetry::catalogue::{Catalogue, Measurement};

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
}

impl<'a> From<&'a Measurement> for Shown<'a> {
    fn from(measurement: &'a Measurement) -> Shown<'a> {
        let Measurement { name, unit, min, max, .. } = measurement;
        Shown { name, unit, min: *min, max: *max }
    }
}

pub(crate) async fn answer(app: &App, call: &Call) -> Answer {
    match call.method {
        Method::GET | Method::HEAD => read(app, call).await,
        Method::POST => send(app, call).await,
        _ => Answer::wrong_method("GET, POST"),
    }
}

async fn read(app: &App, call: &Call) -> Answer {
    let wanted = match Wanted::parse(&call.query) {
        Ok(wanted) => wanted,
        Err(error) => return Answer::error(StatusCode::BAD_REQUEST, error.code(), &error.to_string()),
    };
    match part(app, &wanted).await {
        Ok(mut part) => {
            sort(&mut part.states);
            let body = render(&part, &app.ingest.catalogue);
            Answer::json(StatusCode::OK, body).unless_known(call.known.as_deref())
        }
        Err(StoreError::NoSuchPlace(_)) => {
            let error = WantedError::Continuation;
            Answer::error(StatusCode::BAD_REQUEST, error.code(), &error.to_string())
        }
        Err(error) => Answer::store_failed("the snapshot", &error),
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
async fn part(app: &App, wanted: &Wanted) -> Result<Part, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    let Place { mut shard, mut after, mut cursor } = wanted.place.clone();
    let shards = app.ingest.shards.count();
    let (mut states, mut elsewhere) = (Vec::new(), Vec::new());
    while shard < shards {
        let since = wanted.since.clone().map(|Cursor(moment)| moment);
        let page = app.ingest.store.scan(Shard(shard), since, after.take(), deadline).await?;
        let cursor = cursor.get_or_insert(Cursor(page.read_at));
        let heard = page.rows.into_iter().filter(DeviceState::is_heard);
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
async fn states(app: &App) -> Result<Vec<DeviceState>, StoreError> {
    let mut states = Vec::new();
    let mut wanted = Wanted::everything();
    loop {
        let part = part(app, &wanted).await?;
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
    serde_json::to_string(&snapshot).expect("a snapshot is made of plain values")
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Receiver {
    connection_id: Option<String>,
    user_id: Option<String>,
}

async fn send(app: &App, call: &Call) -> Answer {
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
        if let Err(problem) = id.as_deref().map_or(Ok(()), names::check) {
            return Answer::error(StatusCode::BAD_REQUEST, code, &format!("the {name} {problem}"));
        }
    }
    let audience = match (&wanted.connection_id, &wanted.user_id) {
        (Some(id), _) => Audience::Connection(id),
        (None, Some(name)) => Audience::User(name),
        (None, None) => Audience::Watchers,
    };
    let states = match states(app).await {
        Ok(states) => states,
        Err(error) => return Answer::store_failed("the snapshot", &error),
    };
    let catalogue = &app.ingest.catalogue;
    let changes: Vec<Change> = states.iter().map(|state| Change::to(state, None, catalogue)).collect();
    match app.ingest.publisher.publish(audience, &changes, PUSH_PATIENCE).await {
        Ok(()) => Answer::json(StatusCode::OK, format!(r#"{{"sent":{}}}"#, changes.len())),
        Err(error) => Answer::error(StatusCode::BAD_GATEWAY, "push_failed", &error.to_string()),
    }
}
