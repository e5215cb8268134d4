//! `subscriptions`: a client's connection joins a group with `PUT` and leaves it with `DELETE`. The answer comes after the
//! service has confirmed it, so a client that subscribes first and asks the store then misses nothing. It names the group,
//! so that a client whose call was changed on its way sees that it is another one.

mod wanted;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{Method, StatusCode};
use fieldcast_signalr::{HubClient, SendError};
use futures_util::future::try_join;
use serde::Serialize;

use self::wanted::Wanted;
use crate::host::answer::Answer;
use crate::host::call::Call;
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

/// Where connections join groups, and what remembers that they did.
pub(crate) struct Subscriptions {
    pub(crate) hub: HubClient,
    pub(crate) occupancy: Arc<GroupOccupancy>,
}

impl Subscriptions {
    pub(crate) async fn answer(&self, call: &Call) -> Answer {
        let Wanted { group, connection } = match Wanted::parse(call) {
            Ok(wanted) => wanted,
            Err((code, sentence)) => return Answer::error(StatusCode::BAD_REQUEST, code, &sentence),
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
