//! `getdevicestate`: every device's state. `GET` answers with it; `POST` sends it through SignalR, as the predecessor's
//! page expects, to one connection or to everyone.
//!
//! A client that has read a snapshot to its end asks from then on with its `cursor` for what has changed `since`, and never
//! misses a change: the cursor is a moment before the first row was read.

mod wanted;

use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use self::wanted::{Continuation, Cursor, Place, Wanted};
use super::{Answer, App, Call};
use crate::catalogue::{Catalogue, Measurement};
use crate::ingest::{PATIENCE, PUSH_PATIENCE};
use crate::publish::Audience;
use crate::shard::Shard;
use crate::state::{DeviceState, View};
use crate::store::StoreError;

#[derive(Serialize)]
struct Snapshot<'a> {
    devices: Vec<View<'a>>,
    measurements: Vec<Shown<'a>>,
    cursor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    continuation: Option<String>,
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

pub(super) async fn answer(app: &App, call: &Call) -> Answer {
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
        Ok(part) => {
            let body = render(&part, &app.ingest.catalogue);
            Answer::json(StatusCode::OK, body).unless_known(call.known.as_deref())
        }
        Err(error) => unavailable(&error),
    }
}

fn unavailable(error: &StoreError) -> Answer {
    tracing::error!("the snapshot could not be read: {error}");
    Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &error.to_string())
}

/// Part of a snapshot, in the order of the ids.
struct Part {
    states: Vec<DeviceState>,
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
    let mut states = Vec::new();
    while shard < shards {
        let since = wanted.since.clone().map(|Cursor(moment)| moment);
        let page = app.ingest.store.scan(Shard(shard), since, after.take(), deadline).await?;
        let cursor = cursor.get_or_insert(Cursor(page.read_at));
        states.extend(page.rows.into_iter().filter(|state| state.is_heard() && wanted.filter.takes(state)));
        after = page.next;
        if after.is_none() {
            shard += 1;
        }
        if states.len() >= wanted.limit && shard < shards {
            let next = Continuation::new(wanted, Place { shard, after, cursor: Some(cursor.clone()) });
            let cursor = cursor.clone();
            return Ok(Part { states: sorted(states), cursor, next: Some(next) });
        }
    }
    Ok(Part { states: sorted(states), cursor: cursor.unwrap_or_else(Cursor::beginning), next: None })
}

fn sorted(mut states: Vec<DeviceState>) -> Vec<DeviceState> {
    states.sort_by(|one, other| one.device.cmp(&other.device));
    states
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
            None => return Ok(sorted(states)),
        }
    }
}

fn render(part: &Part, catalogue: &Catalogue) -> String {
    let snapshot = Snapshot {
        devices: part.states.iter().map(|state| state.view(catalogue)).collect(),
        measurements: catalogue.measurements().iter().map(Shown::from).collect(),
        cursor: part.cursor.to_text(),
        continuation: part.next.as_ref().map(Continuation::to_text),
    };
    serde_json::to_string(&snapshot).expect("a snapshot is made of plain values")
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Receiver {
    connection_id: Option<String>,
}

async fn send(app: &App, call: &Call) -> Answer {
    let wanted = match call.body.trim_ascii() {
        b"" => Receiver::default(),
        body => match serde_json::from_slice::<Receiver>(body) {
            Ok(wanted) => wanted,
            Err(_) => {
                let sentence = r#"the body must be empty or {"connectionId":"…"}"#;
                return Answer::error(StatusCode::BAD_REQUEST, "bad_body", sentence);
            }
        },
    };
    let audience = match &wanted.connection_id {
        Some(id) if id.is_empty() => {
            return Answer::error(StatusCode::BAD_REQUEST, "bad_connection_id", "the connectionId is empty");
        }
        Some(id) => Audience::Connection(id),
        None => Audience::Everyone,
    };
    let states = match states(app).await {
        Ok(states) => states,
        Err(error) => return unavailable(&error),
    };
    let views: Vec<Vec<u8>> =
        states.iter().map(|state| state.view(&app.ingest.catalogue).to_json()).collect();
    match app.ingest.publisher.publish(audience, &views, PUSH_PATIENCE).await {
        Ok(()) => Answer::json(StatusCode::OK, format!(r#"{{"sent":{}}}"#, views.len())),
        Err(error) => Answer::error(StatusCode::BAD_GATEWAY, "push_failed", &error.to_string()),
    }
}
