//! The hub on HTTP: routes, and what all of them share.

mod answer;
mod batch;
mod headers;
mod query;
mod read;
mod send;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::routing::{get, post};
use tokio::sync::watch;

use self::answer::Answer;
use crate::door::Door;
use crate::intake::Intake;
use crate::refusal::Refusal;

/// What the routes work with.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) door: Door,
    pub(crate) intake: Intake,
    pub(crate) stop: watch::Receiver<bool>,
    entity: String,
}

impl Wire {
    pub(crate) fn new(door: Door, intake: Intake, entity: String, stop: watch::Receiver<bool>) -> Wire {
        Wire { door, intake, stop, entity }
    }
}

/// Bodies up to here are read to their end before they are refused: a client that is still sending would otherwise
/// see a broken connection in place of the 413.
const READ_BEFORE_REFUSING: usize = 4 << 20;

/// Device routes as IoT Hub has them, and the read side for the Functions host stand-in.
pub(crate) fn router(wire: Arc<Wire>) -> Router {
    Router::new()
        .route("/devices/{id}/messages/events", post(send::send))
        .route("/devices/{id}/messages/devicebound", get(send::receive))
        // Microsoft's REST reference writes it so, the SDKs as above.
        .route("/devices/{id}/messages/deviceBound", get(send::receive))
        .route("/$events/{entity}/partitions", get(read::partitions))
        .route("/$events/{entity}/partitions/{id}", get(read::events))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(READ_BEFORE_REFUSING))
        .with_state(wire)
}

async fn unknown_route(uri: Uri) -> Answer {
    Refusal::NoRoute(uri.path().to_owned()).into()
}

async fn wrong_method(method: Method) -> Answer {
    Refusal::Method(method).into()
}
