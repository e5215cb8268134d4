//! `negotiate`: where a SignalR client connects, and its token.

use std::time::SystemTime;

use axum::http::{Method, StatusCode};
use fieldcast_signalr::ClientClaims;

use crate::app::{App, Call};
use crate::host::answer::Answer;

pub(crate) fn answer(app: &App, call: &Call) -> Answer {
    if !matches!(call.method, Method::GET | Method::POST) {
        return Answer::wrong_method("GET, POST");
    }
    let claims = match &call.user {
        Some(user) => ClientClaims::user(user.as_str()),
        None => ClientClaims::anonymous(),
    };
    match app.hub.negotiate(&claims, SystemTime::now(), rand::random::<u32>() as usize) {
        Ok(access) => Answer::json(
            StatusCode::OK,
            serde_json::to_string(&access).expect("an address and a token are JSON"),
        ),
        Err(error) => Answer::error(StatusCode::BAD_REQUEST, "bad_claims", &error.to_string()),
    }
}
