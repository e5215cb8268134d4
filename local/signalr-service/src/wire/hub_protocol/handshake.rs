//! The first message of each side. It is JSON in every protocol.

use super::Protocol;
use super::json::frame;
use crate::wire::Frame;
use serde::Deserialize;
use serde_json::json;

/// A refused handshake. The texts are those of ASP.NET Core, and clients show them to users.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeRefusal {
    #[error("An unexpected error occurred during connection handshake.")]
    Unreadable,
    #[error("The protocol '{0}' is not supported.")]
    Protocol(String),
    #[error("The server does not support version {version} of the '{protocol}' protocol.")]
    Version { protocol: String, version: i64 },
    #[error(
        "Cannot use the '{0}' protocol on the current transport. \
         The transport does not support 'Binary' transfer format."
    )]
    TextOnly(String),
    #[error("Handshake was canceled.")]
    TimedOut,
}

/// Checks a client's first message, on a transport that carries binary messages or not.
pub(crate) fn check_handshake(record: &[u8], binary: bool) -> Result<Protocol, HandshakeRefusal> {
    #[derive(Deserialize)]
    struct Request {
        protocol: String,
        version: i64,
    }
    // Version 2 only adds the messages of stateful reconnect, which need the server's consent.
    const NEWEST: i64 = 2;
    let Request { protocol: name, version } =
        serde_json::from_slice(record).map_err(|_| HandshakeRefusal::Unreadable)?;
    let protocol = match name.as_str() {
        "json" => Protocol::Json,
        "messagepack" => Protocol::MessagePack,
        _ => return Err(HandshakeRefusal::Protocol(name)),
    };
    if version > NEWEST {
        return Err(HandshakeRefusal::Version { protocol: name, version });
    }
    if protocol == Protocol::MessagePack && !binary {
        return Err(HandshakeRefusal::TextOnly(name));
    }
    Ok(protocol)
}

/// The answer to a client's handshake.
pub(crate) fn handshake_reply(outcome: &Result<Protocol, HandshakeRefusal>) -> Frame {
    match outcome {
        Ok(_) => frame("{}".into()),
        Err(refusal) => frame(json!({ "error": refusal.to_string() }).to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(request: &str, binary: bool) -> String {
        check_handshake(request.as_bytes(), binary).unwrap_err().to_string()
    }

    #[test]
    fn handshakes_are_answered_in_the_words_clients_know() {
        let json = check_handshake(br#"{"protocol":"json","version":1}"#, false);
        assert_eq!(json, Ok(Protocol::Json));
        assert_eq!(handshake_reply(&json), Frame::Text("{}\u{1e}".into()));
        let refusal = Err(HandshakeRefusal::Protocol("cbor".into()));
        let reply = "{\"error\":\"The protocol 'cbor' is not supported.\"}\u{1e}";
        assert_eq!(check_handshake(br#"{"protocol":"cbor","version":1}"#, true), refusal);
        assert_eq!(handshake_reply(&refusal), Frame::Text(reply.into()));
        assert_eq!(
            refused(r#"{"version":3,"protocol":"json"}"#, true),
            "The server does not support version 3 of the 'json' protocol."
        );
        assert_eq!(refused("{}", true), "An unexpected error occurred during connection handshake.");
    }

    #[test]
    fn message_pack_needs_a_transport_that_carries_it() {
        let request = r#"{"protocol":"messagepack","version":1}"#;
        assert_eq!(check_handshake(request.as_bytes(), true), Ok(Protocol::MessagePack));
        assert!(refused(request, false).contains("does not support 'Binary' transfer format"));
    }
}
