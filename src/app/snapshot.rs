//! `getdevicestate`: every device's state. `GET` answers with it; `POST` sends it through SignalR, as the predecessor's
//! page expects, to one connection or to everyone.

use axum::http::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Answer, App, Call};
use crate::catalogue::{Catalogue, Measurement};
use crate::ingest::{PATIENCE, PUSH_PATIENCE};
use crate::publish::Audience;
use crate::state::{DeviceState, View};
use crate::store::StoreError;

#[derive(Serialize)]
struct Snapshot<'a> {
    devices: Vec<View<'a>>,
    measurements: Vec<Shown<'a>>,
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
        Method::GET | Method::HEAD => match states(app).await {
            Ok(states) => Answer::json(StatusCode::OK, render(&states, &app.ingest.catalogue)),
            Err(error) => unavailable(&error),
        },
        Method::POST => send(app, call).await,
        _ => Answer::wrong_method("GET, POST"),
    }
}

fn unavailable(error: &StoreError) -> Answer {
    tracing::error!("the snapshot could not be read: {error}");
    Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &error.to_string())
}

/// All states in the order of their ids.
async fn states(app: &App) -> Result<Vec<DeviceState>, StoreError> {
    let deadline = Instant::now() + PATIENCE;
    let mut states = Vec::new();
    for shard in app.ingest.shards.all() {
        let mut after = None;
        loop {
            let page = app.ingest.store.scan(shard, after, deadline).await?;
            states.extend(page.rows.into_iter().filter(DeviceState::is_heard));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    states.sort_by(|one, other| one.device.cmp(&other.device));
    Ok(states)
}

fn render(states: &[DeviceState], catalogue: &Catalogue) -> String {
    let devices = states.iter().map(|state| state.view(catalogue)).collect();
    let measurements = catalogue.measurements().iter().map(Shown::from).collect();
    serde_json::to_string(&Snapshot { devices, measurements }).expect("a snapshot is made of plain values")
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Wanted {
    connection_id: Option<String>,
}

async fn send(app: &App, call: &Call) -> Answer {
    let wanted = match call.body.trim_ascii() {
        b"" => Wanted::default(),
        body => match serde_json::from_slice::<Wanted>(body) {
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
