//! The SignalR hub protocol in JSON, as ASP.NET Core's HubProtocol specification describes it: the handshake
//! and the messages a serverless service exchanges with its clients.

use super::Frame;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

/// Ends every message.
const RECORD_SEPARATOR: char = '\u{1e}';

/// Collects what a transport delivers into whole messages: one delivery may hold several, or a part of one.
#[derive(Default)]
pub(crate) struct Records {
    buffer: Vec<u8>,
}

/// A client sent more than [`Records::LONGEST`] without ending its message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RecordTooLong;

impl Records {
    /// Bytes of one client message; the service's documentation advises to stay below 16 MB.
    pub(crate) const LONGEST: usize = 16 * 1024 * 1024;

    /// The messages completed by `data`, without their separators.
    pub(crate) fn receive(&mut self, data: &[u8]) -> Result<Vec<Vec<u8>>, RecordTooLong> {
        let mut whole = Vec::new();
        for piece in data.split_inclusive(|byte| *byte == RECORD_SEPARATOR as u8) {
            if self.buffer.len() + piece.len() > Self::LONGEST {
                return Err(RecordTooLong);
            }
            self.buffer.extend_from_slice(piece);
            if self.buffer.last() == Some(&(RECORD_SEPARATOR as u8)) {
                self.buffer.pop();
                whole.push(std::mem::take(&mut self.buffer));
            }
        }
        Ok(whole)
    }
}

/// A handshake that cannot be granted, in the words of ASP.NET Core, which clients show to people.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HandshakeRefusal {
    #[error("An unexpected error occurred during connection handshake.")]
    Unreadable,
    #[error("The protocol '{0}' is not supported.")]
    Protocol(String),
    #[error("The server does not support version {version} of the '{protocol}' protocol.")]
    Version { protocol: String, version: i64 },
    #[error("Handshake was canceled.")]
    TimedOut,
}

/// Checks a client's first message.
pub(crate) fn check_handshake(record: &[u8]) -> Result<(), HandshakeRefusal> {
    #[derive(Deserialize)]
    struct Request {
        protocol: String,
        version: i64,
    }
    // Version 2 only adds the messages of stateful reconnect, which are never sent unless it was granted.
    const NEWEST: i64 = 2;
    let Request { protocol, version } =
        serde_json::from_slice(record).map_err(|_| HandshakeRefusal::Unreadable)?;
    match protocol.as_str() {
        "json" if version <= NEWEST => Ok(()),
        "json" => Err(HandshakeRefusal::Version { protocol, version }),
        _ => Err(HandshakeRefusal::Protocol(protocol)),
    }
}

/// The answer to a client's handshake.
pub(crate) fn handshake_reply(outcome: &Result<(), HandshakeRefusal>) -> Frame {
    match outcome {
        Ok(()) => frame("{}".into()),
        Err(refusal) => frame(json!({ "error": refusal.to_string() }).to_string()),
    }
}

/// What a client says after the handshake, as far as the service reacts to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientMessage {
    /// A call that waits for its completion.
    Call {
        id: String,
        method: String,
    },
    Close,
    /// Pings, calls that want no answer, answers, and every type this version does not know.
    Other,
}

/// A message that is not JSON, has no type, or lacks what its type needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// Reads one message. Members may come in any order: the npm client writes `type` last.
pub(crate) fn read_message(record: &[u8]) -> Result<ClientMessage, Unreadable> {
    const INVOCATION: i64 = 1;
    const STREAM_INVOCATION: i64 = 4;
    const CLOSE: i64 = 7;
    #[derive(Deserialize)]
    struct Kind {
        r#type: i64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Invocation {
        invocation_id: Option<String>,
        target: String,
    }
    let Kind { r#type } = serde_json::from_slice(record).map_err(|_| Unreadable)?;
    match r#type {
        INVOCATION | STREAM_INVOCATION => {
            let call: Invocation = serde_json::from_slice(record).map_err(|_| Unreadable)?;
            Ok(match call.invocation_id {
                Some(id) => ClientMessage::Call { id, method: call.target },
                None => ClientMessage::Other,
            })
        }
        CLOSE => Ok(ClientMessage::Close),
        _ => Ok(ClientMessage::Other),
    }
}

/// A call of `target` on the client. `arguments` is the caller's JSON array, passed on byte for byte.
pub(crate) fn invocation(target: &str, arguments: &RawValue) -> Frame {
    let target = serde_json::Value::from(target);
    frame(format!(r#"{{"type":1,"target":{target},"arguments":{arguments}}}"#))
}

/// The failed end of the client's call `id`.
pub(crate) fn failed_completion(id: &str, error: &str) -> Frame {
    frame(json!({ "type": 3, "invocationId": id, "error": error }).to_string())
}

pub(crate) fn ping() -> Frame {
    frame(r#"{"type":6}"#.into())
}

/// The last message on a connection; clients show `error` to the application. It allows a client to reconnect
/// automatically, as the official emulator does; what the service itself writes is not documented.
pub(crate) fn close(error: Option<&str>) -> Frame {
    let mut message = json!({ "type": 7, "allowReconnect": true });
    if let Some(error) = error {
        message["error"] = error.into();
    }
    frame(message.to_string())
}

fn frame(mut message: String) -> Frame {
    message.push(RECORD_SEPARATOR);
    Frame::from(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_may_be_joined_or_split() {
        let mut records = Records::default();
        assert_eq!(records.receive(b"{\"a\":1}\x1e{\"b\""), Ok(vec![b"{\"a\":1}".to_vec()]));
        assert_eq!(records.receive(b":2}"), Ok(vec![]));
        assert_eq!(records.receive(b"\x1e\x1e"), Ok(vec![b"{\"b\":2}".to_vec(), vec![]]));
    }

    #[test]
    fn a_record_without_end_is_refused() {
        let mut records = Records::default();
        let half = vec![b'x'; Records::LONGEST / 2];
        assert_eq!(records.receive(&half), Ok(vec![]));
        assert_eq!(records.receive(&half), Ok(vec![]));
        assert_eq!(records.receive(b"x"), Err(RecordTooLong));
    }

    #[test]
    fn handshakes_are_answered_in_the_words_clients_know() {
        let answer = |request: &str| handshake_reply(&check_handshake(request.as_bytes())).text().to_owned();
        assert_eq!(answer(r#"{"protocol":"json","version":1}"#), "{}\u{1e}");
        assert_eq!(
            answer(r#"{"protocol":"cbor","version":1}"#),
            "{\"error\":\"The protocol 'cbor' is not supported.\"}\u{1e}"
        );
        assert_eq!(
            answer(r#"{"version":3,"protocol":"json"}"#),
            "{\"error\":\"The server does not support version 3 of the 'json' protocol.\"}\u{1e}"
        );
        assert_eq!(
            answer("{}"),
            "{\"error\":\"An unexpected error occurred during connection handshake.\"}\u{1e}"
        );
    }

    #[test]
    fn the_type_may_come_last() {
        let call = br#"{"target":"save","arguments":[{"type":7}],"invocationId":"0","type":1}"#;
        assert_eq!(read_message(call), Ok(ClientMessage::Call { id: "0".into(), method: "save".into() }));
    }

    #[test]
    fn unknown_types_are_ignored_whatever_they_hold() {
        for other in
            [r#"{"type":99,"target":5}"#, r#"{"type":6}"#, r#"{"type":1,"target":"x","arguments":[]}"#]
        {
            assert_eq!(read_message(other.as_bytes()), Ok(ClientMessage::Other), "{other}");
        }
    }

    #[test]
    fn what_is_no_message_is_unreadable() {
        let deep = "[".repeat(100_000);
        for bad in ["", "{}", "[]", "null", "{\"type\":\"1\"}", "{\"type\":1}", "{\"type\":6", &deep] {
            assert_eq!(read_message(bad.as_bytes()), Err(Unreadable), "{bad:.20}");
        }
    }

    #[test]
    fn an_invocation_has_the_bytes_the_npm_client_was_checked_with() {
        let arguments = RawValue::from_string(r#"["hi",1]"#.into()).unwrap();
        let expected = "{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"hi\",1]}\u{1e}";
        assert_eq!(invocation("newMessage", &arguments).text(), expected);
    }

    #[test]
    fn texts_are_escaped() {
        let arguments = RawValue::from_string("[]".into()).unwrap();
        assert!(invocation("a\"b", &arguments).text().contains(r#""target":"a\"b""#));
        assert_eq!(
            close(Some("so \"long\"")).text(),
            "{\"allowReconnect\":true,\"error\":\"so \\\"long\\\"\",\"type\":7}\u{1e}"
        );
    }
}
