//! `POST /admin/functions/{name}` with `{"input": …}`: a manual run of an Event Hub or a timer function.

use axum::{
    body::{Body, to_bytes},
    extract::Request,
    http::{Method, Response, StatusCode, header},
};
use serde_json::Value;

use super::{Site, status, text};

/// The largest body of a run, which is one event: IoT Hub messages are at most 256 KB.
const INPUT_LIMIT: usize = 1024 * 1024;

impl Site {
    pub(super) async fn admin(&self, name: &str, request: Request) -> Response<Body> {
        let event =
            self.manual.events.iter().find(|function| function.name.eq_ignore_ascii_case(name)).cloned();
        let timer =
            self.manual.timers.iter().find(|function| function.name.eq_ignore_ascii_case(name)).cloned();
        if event.is_none() && timer.is_none() {
            return status(StatusCode::NOT_FOUND);
        }
        if request.method() != Method::POST {
            return status(StatusCode::NOT_FOUND);
        }
        if !is_json(&request) {
            return status(StatusCode::FORBIDDEN);
        }
        let Some(input) = read_input(request).await else {
            let mut response = text("expected a JSON object with the member \"input\"\n");
            *response.status_mut() = StatusCode::BAD_REQUEST;
            return response;
        };
        // The run ends with the handler at the latest; its result is logged.
        tokio::spawn(async move {
            match (event, timer) {
                (Some(function), _) => drop(function.run_manually(input).await),
                // What a timer is called with is its own; the input is not read.
                (None, Some(function)) => function.run_manually().await,
                (None, None) => {}
            }
        });
        status(StatusCode::ACCEPTED)
    }
}

/// The host has no master key. A page of another site cannot pass this check, because its browser sends a preflight before
/// JSON.
fn is_json(request: &Request) -> bool {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/json"))
}

/// The body of the event: a text as it is, anything else as JSON.
async fn read_input(request: Request) -> Option<Vec<u8>> {
    let body = to_bytes(request.into_body(), INPUT_LIMIT).await.ok()?;
    let value: Value = serde_json::from_slice(&body).ok()?;
    match value.get("input")? {
        Value::String(text) => Some(text.clone().into_bytes()),
        other => Some(other.to_string().into_bytes()),
    }
}
