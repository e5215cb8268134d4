//! The reply to `POST /client/negotiate`, as ASP.NET Core's transport protocol describes it.

use crate::names::{ConnectionId, ConnectionToken};
use crate::transport::{Transport, Transports};
use serde_json::{Value, json};

/// The two forms of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// The client claims the connection with its id.
    Zero,
    /// The client claims the connection with a secret token.
    One,
}

impl Version {
    /// The form for the client's `negotiateVersion`. Clients with a newer version get the newest form. `None` when it
    /// is not a number.
    pub(crate) fn for_client(wanted: Option<&str>) -> Option<Version> {
        match wanted.unwrap_or("0").parse::<i32>() {
            Ok(..1) => Some(Version::Zero),
            Ok(_) => Some(Version::One),
            Err(_) => None,
        }
    }
}

pub(crate) fn reply(
    version: Version,
    id: &ConnectionId,
    token: &ConnectionToken,
    allowed: Transports,
) -> Value {
    let offered = Transport::OFFERED.into_iter().filter(|transport| allowed.allow(*transport));
    let transports: Vec<Value> = offered.map(transport).collect();
    match version {
        Version::Zero => json!({
            "negotiateVersion": 0,
            "connectionId": *id.0,
            "availableTransports": transports,
        }),
        Version::One => json!({
            "negotiateVersion": 1,
            "connectionId": *id.0,
            "connectionToken": token.0,
            "availableTransports": transports,
        }),
    }
}

/// Clients show the text; the status of this reply is 200.
pub(crate) fn refusal(text: &str) -> Value {
    json!({ "error": text })
}

fn transport(transport: Transport) -> Value {
    let name = match transport {
        Transport::WebSockets => "WebSockets",
        Transport::ServerSentEvents => "ServerSentEvents",
        Transport::LongPolling => "LongPolling",
    };
    let formats = if transport.carries_binary() { json!(["Text", "Binary"]) } else { json!(["Text"]) };
    json!({ "transport": name, "transferFormats": formats })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_chosen_as_asp_net_core_does() {
        for (wanted, version) in [
            (None, Some(Version::Zero)),
            (Some("0"), Some(Version::Zero)),
            (Some("1"), Some(Version::One)),
            (Some("7"), Some(Version::One)),
            (Some("one"), None),
            (Some(""), None),
        ] {
            assert_eq!(Version::for_client(wanted), version, "{wanted:?}");
        }
    }
}
