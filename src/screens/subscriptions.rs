//! `subscriptions/{group}`: a client's connection joins a group with `PUT` and leaves it with `DELETE`. The answer comes
//! after the service has confirmed it, so a client that subscribes first and asks the store then misses nothing.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use fieldcast_signalr::SendError;
use futures_util::future::try_join;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

use super::names;
use crate::app::{App, Call};
use crate::host::answer::Answer;
use crate::screens::groups::Group;
use crate::screens::publish::SETTLES_AFTER;

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

pub(crate) async fn answer(app: &App, call: &Call) -> Answer {
    if !matches!(call.method, Method::PUT | Method::DELETE) {
        return Answer::wrong_method("PUT, DELETE");
    }
    let bad_request = |code, sentence: &str| Answer::error(StatusCode::BAD_REQUEST, code, sentence);
    let group = match group_of(&call.path) {
        Ok(group) => group,
        Err(sentence) => return bad_request("bad_group", &sentence),
    };
    let connection = match connection_of(call) {
        Ok(connection) => connection,
        Err(sentence) => return bad_request("bad_connection", &sentence),
    };
    let result = match call.method {
        Method::PUT => join(app, &connection, &group).await,
        _ => leave(app, &connection, &group).await,
    };
    match result {
        Ok(()) => {
            let settles_after_seconds = (call.method == Method::PUT).then_some(SETTLES_AFTER.as_secs());
            let body = Subscribed { group: &group.to_string(), settles_after_seconds };
            Answer::json(StatusCode::OK, serde_json::to_string(&body).expect("a text and a number are JSON"))
        }
        Err(error) => refused(&error),
    }
}

async fn join(app: &App, connection: &str, group: &Group) -> Result<(), SendError> {
    let add = async |group: &Group| {
        app.hub.add_connection_to_group(connection, &group.to_string(), PATIENCE).await?;
        app.watched.joined(group.clone());
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
async fn leave(app: &App, connection: &str, group: &Group) -> Result<(), SendError> {
    match app.hub.connection_exists(connection, PATIENCE).await? {
        true => app.hub.remove_connection_from_group(connection, &group.to_string(), PATIENCE).await,
        false => Err(SendError::NotFound { code: "Warning.Connection.NotExisted".to_owned() }),
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

/// The group that an address names, in one percent-encoded segment behind the function's name.
fn group_of(path: &str) -> Result<Group, String> {
    let (_, name) = path.split_once("/subscriptions/").unwrap_or_default();
    if name.contains('/') {
        return Err("a `/` in the name of a group is written %2F".to_owned());
    }
    let name = percent_decode_str(name).decode_utf8().map_err(|_| "the name of the group is not UTF-8")?;
    Group::parse(&name).map_err(|error| error.to_string())
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
    match names::check(&id) {
        Ok(()) => Ok(id),
        Err(problem) => Err(format!("the connectionId {problem}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_one_segment_of_the_address() {
        for (path, name) in [
            ("/api/subscriptions/geo:Sydney", "geo:Sydney"),
            ("/api/subscriptions/geo%3AN%2FS%20%C3%BC", "geo:N/S ü"),
            ("/subscriptions/all", "all"),
            ("/api/subscriptions/device:a+b%25", "device:a+b%"),
        ] {
            assert_eq!(group_of(path).unwrap().to_string(), name);
        }
        for path in [
            "/api/subscriptions/",
            "/api/subscriptions/geo:a/b",
            "/api/subscriptions/../negotiate",
            "/api/subscriptions/%2e%2e",
            "/api/subscriptions/..%2Fnegotiate",
            "/api/subscriptions/geo:%ff",
            "/api/subscriptions/geo:%20",
            "/api/subscriptions/device:a%2F..%2Fb",
            "/api/subscriptions",
        ] {
            assert!(group_of(path).is_err(), "{path}");
        }
    }
}
