//! `subscriptions/{group}`: a client's connection joins a group with `PUT` and leaves it with `DELETE`. The answer comes
//! after the service has confirmed it, so a client that subscribes first and asks the store then misses nothing.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use fieldcast_signalr::{HubClient, SendError};
use futures_util::future::try_join;
use serde::{Deserialize, Serialize};

use super::client_ids;
use crate::host::answer::Answer;
use crate::host::call::Call;
use crate::host::routes::ParameterError;
use crate::primitives::json::to_json;
use crate::screens::groups::Group;
use crate::screens::publish::{GroupOccupancy, SETTLES_AFTER};

/// The service confirms within milliseconds. A client that waits longer than this begins anew.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Subscribed<'a> {
    group: &'a str,
    /// Every process of the app sends to the group at the latest by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    settles_after_seconds: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Caller {
    connection_id: Option<String>,
}

/// Where connections join groups, and what remembers that they did.
pub(crate) struct Subscriptions {
    pub(crate) hub: HubClient,
    pub(crate) occupancy: Arc<GroupOccupancy>,
}

impl Subscriptions {
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let bad_request = |code, sentence: &str| Answer::error(StatusCode::BAD_REQUEST, code, sentence);
        let group = match group_of(call) {
            Ok(group) => group,
            Err(sentence) => return bad_request("bad_group", &sentence),
        };
        let connection = match connection_of(call) {
            Ok(connection) => connection,
            Err(sentence) => return bad_request("bad_connection", &sentence),
        };
        let (result, settles_after) = match call.method {
            Method::PUT => (self.join(&connection, &group).await, Some(SETTLES_AFTER.as_secs())),
            _ => (self.leave(&connection, &group).await, None),
        };
        match result {
            Ok(()) => {
                let body = Subscribed { group: &group.to_string(), settles_after_seconds: settles_after };
                Answer::json(StatusCode::OK, to_json(&body))
            }
            Err(error) => refused(&error),
        }
    }

    async fn join(&self, connection: &str, group: &Group) -> Result<(), SendError> {
        let add = async |group: &Group| {
            self.hub.add_connection_to_group(connection, &group.to_string(), PATIENCE).await?;
            self.occupancy.joined(group.clone());
            Ok(())
        };
        match group {
            Group::Device(device) => {
                let bucket = Group::bucket(device);
                try_join(add(&bucket), add(group)).await.map(|_| ())
            }
            _ => add(group).await,
        }
    }

    /// The bucket of a device is not left: the connection may follow another device of it.
    async fn leave(&self, connection: &str, group: &Group) -> Result<(), SendError> {
        match self.hub.connection_exists(connection, PATIENCE).await? {
            true => self.hub.remove_connection_from_group(connection, &group.to_string(), PATIENCE).await,
            false => Err(SendError::NotFound { code: "Warning.Connection.NotExisted".to_owned() }),
        }
    }
}

fn refused(error: &SendError) -> Answer {
    match error {
        SendError::NotFound { .. } => Answer::error(
            StatusCode::NOT_FOUND,
            "unknown_connection",
            "no connection has this id, or it has ended; connect, then subscribe with the id of that connection",
        ),
        SendError::InvalidName(_) | SendError::Token(_) | SendError::Refused { status: 400, .. } => {
            let sentence = "the SignalR service takes no such connectionId or group";
            Answer::error(StatusCode::BAD_REQUEST, "bad_connection", sentence)
        }
        error => {
            // The cause is the operator's: callers may be anybody.
            tracing::warn!("a subscription could not be made: {error}");
            let sentence = "the SignalR service did not confirm it; try again in a moment";
            Answer::error(StatusCode::SERVICE_UNAVAILABLE, "signalr_unavailable", sentence)
        }
    }
}

/// The group that an address names.
fn group_of(call: &Call) -> Result<Group, String> {
    let name = call.parameters.get("group").map_err(|error| match error {
        ParameterError::TooManySegments => "a `/` in the name of a group is written %2F",
        ParameterError::NotUtf8 => "the name of the group is not UTF-8",
    })?;
    Group::parse(&name.unwrap_or_default()).map_err(|error| error.to_string())
}

fn connection_of(call: &Call) -> Result<String, String> {
    let mut of_query = form_urlencoded::parse(call.query.as_bytes())
        .filter_map(|(name, value)| (name == "connectionId").then(|| value.into_owned()));
    let of_body = match call.body.trim_ascii() {
        b"" => Caller::default(),
        body => {
            serde_json::from_slice(body).map_err(|_| r#"the body must be empty or {"connectionId":"…"}"#)?
        }
    };
    let id = of_query
        .next()
        .or(of_body.connection_id)
        .ok_or("the connectionId is missing: the SignalR client knows it once it is connected")?;
    match client_ids::check(&id) {
        Ok(()) => Ok(id),
        Err(problem) => Err(format!("the connectionId {problem}")),
    }
}
