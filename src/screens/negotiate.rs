//! `negotiate`: where a SignalR client connects, and its token.

use std::time::SystemTime;

use axum::http::StatusCode;
use fieldcast_signalr::{ClientClaims, HubClient};

use crate::host::answer::Answer;
use crate::host::call::Call;
use crate::primitives::json::to_json;

/// Signs clients in at a SignalR hub.
pub(crate) struct Negotiation {
    pub(crate) hub: HubClient,
}

impl Negotiation {
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let claims = match &call.user {
            Some(user) => ClientClaims::user(user.as_str()),
            None => ClientClaims::anonymous(),
        };
        match self.hub.negotiate(&claims, SystemTime::now(), rand::random::<u32>() as usize) {
            Ok(access) => Answer::json(StatusCode::OK, to_json(&access)),
            Err(error) => Answer::error(StatusCode::BAD_REQUEST, "bad_claims", &error.to_string()),
        }
    }
}
