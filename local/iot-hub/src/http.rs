//! The hub on HTTP: routes, and what all of them share.

mod batch;
mod error_response;
mod gateway;
mod headers;
mod local;
mod query;
mod read;
mod send;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, Uri};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};

use self::error_response::ErrorResponse;
pub(crate) use self::gateway::Gateway;
use crate::refusal::Refusal;

/// Bodies up to here are read to their end before they are refused: a client that is still sending would otherwise
/// see a broken connection in place of the 413.
const READ_BEFORE_REFUSING: usize = 4 << 20;

/// Device routes as IoT Hub has them, and the read side for the Functions host stand-in.
pub(crate) fn router(gateway: Arc<Gateway>) -> Router {
    Router::new()
        .route("/devices/{id}/messages/events", post(send::send))
        .route("/devices/{id}/modules/{module}/messages/events", post(send::send_of_module))
        .route("/devices/{id}/messages/devicebound", get(send::receive))
        // Microsoft's REST reference writes it so, the SDKs as above.
        .route("/devices/{id}/messages/deviceBound", get(send::receive))
        .route("/$events/{entity}/partitions", get(read::partitions))
        .route("/$events/{entity}/partitions/{id}", get(read::events))
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(READ_BEFORE_REFUSING))
        .layer(from_fn_with_state(Arc::clone(&gateway), local::refuse_foreign_hosts))
        .with_state(gateway)
}

async fn unknown_route(uri: Uri) -> ErrorResponse {
    Refusal::NoRoute(uri.path().to_owned()).into()
}

async fn wrong_method(method: Method) -> ErrorResponse {
    Refusal::Method(method).into()
}
