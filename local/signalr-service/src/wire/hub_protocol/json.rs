//! Messages in JSON, each with a separator after it.

use super::messages::{CallResult, ClientMessage, Invocation, ServerMessage, Unreadable, kind};
use super::records::SEPARATOR;
use crate::wire::Frame;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// Reads one message. Members may come in any order: the npm client writes `type` last.
pub(super) fn read(record: &[u8]) -> Result<ClientMessage, Unreadable> {
    #[derive(Deserialize)]
    struct Kind {
        r#type: i64,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Call {
        invocation_id: Option<String>,
        target: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Completion {
        invocation_id: String,
        result: Option<Box<RawValue>>,
        error: Option<String>,
    }
    let Kind { r#type } = serde_json::from_slice(record).map_err(|_| Unreadable)?;
    match r#type {
        kind::INVOCATION => {
            let call: Call = serde_json::from_slice(record).map_err(|_| Unreadable)?;
            Ok(ClientMessage::Call { id: call.invocation_id, method: call.target })
        }
        kind::STREAM_INVOCATION => {
            let call: Call = serde_json::from_slice(record).map_err(|_| Unreadable)?;
            let id = call.invocation_id.ok_or(Unreadable)?;
            Ok(ClientMessage::StreamCall { id, method: call.target })
        }
        kind::COMPLETION => {
            let completion: Completion = serde_json::from_slice(record).map_err(|_| Unreadable)?;
            let result = || completion.result.map_or("null".into(), |result| result.get().to_owned());
            let outcome = completion.error.map_or_else(|| CallResult::Returned(result()), CallResult::Failed);
            Ok(ClientMessage::Completion { id: completion.invocation_id, outcome })
        }
        kind::CLOSE => Ok(ClientMessage::Close),
        _ => Ok(ClientMessage::Other),
    }
}

/// The arguments of a call are passed on byte for byte.
pub(super) fn write(message: &ServerMessage) -> Frame {
    frame(match message {
        ServerMessage::Invocation(invocation) => {
            format!(r#"{{"type":{},{}}}"#, kind::INVOCATION, members(invocation))
        }
        ServerMessage::Call { id, invocation } => {
            let id = Value::from(id.as_str());
            format!(r#"{{"type":{},"invocationId":{id},{}}}"#, kind::INVOCATION, members(invocation))
        }
        ServerMessage::Completion { id, error } => {
            with_error(json!({ "type": kind::COMPLETION, "invocationId": id }), error.as_deref())
        }
        ServerMessage::Ping => json!({ "type": kind::PING }).to_string(),
        ServerMessage::Close { error } => {
            with_error(json!({ "type": kind::CLOSE, "allowReconnect": true }), error.as_deref())
        }
    })
}

fn with_error(mut message: Value, error: Option<&str>) -> String {
    if let Some(error) = error {
        message["error"] = error.into();
    }
    message.to_string()
}

fn members(Invocation { target, arguments }: &Invocation) -> String {
    let target = Value::from(target.as_str());
    format!(r#""target":{target},"arguments":{arguments}"#)
}

pub(super) fn frame(mut message: String) -> Frame {
    message.push(char::from(SEPARATOR));
    Frame::Text(message.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_may_come_last() {
        let call = br#"{"target":"save","arguments":[{"type":7}],"invocationId":"0","type":1}"#;
        assert_eq!(read(call), Ok(ClientMessage::Call { id: Some("0".into()), method: "save".into() }));
    }

    #[test]
    fn only_a_stream_needs_an_id() {
        let read = |kind: u8| read(format!(r#"{{"type":{kind},"target":"x","arguments":[]}}"#).as_bytes());
        assert_eq!(read(1), Ok(ClientMessage::Call { id: None, method: "x".into() }));
        assert_eq!(read(4), Err(Unreadable));
    }

    #[test]
    fn a_completion_holds_a_result_or_an_error() {
        for (message, outcome) in [
            (
                r#"{"result":[1.0, "x"],"invocationId":"7","type":3}"#,
                CallResult::Returned(r#"[1.0, "x"]"#.into()),
            ),
            (r#"{"type":3,"invocationId":"7"}"#, CallResult::Returned("null".into())),
            (r#"{"type":3,"invocationId":"7","result":null}"#, CallResult::Returned("null".into())),
            (r#"{"type":3,"invocationId":"7","error":"no"}"#, CallResult::Failed("no".into())),
        ] {
            let completion = ClientMessage::Completion { id: "7".into(), outcome };
            assert_eq!(read(message.as_bytes()), Ok(completion), "{message}");
        }
        assert_eq!(read(br#"{"type":3,"result":1}"#), Err(Unreadable));
    }

    #[test]
    fn a_call_that_wants_an_answer_has_an_id() {
        let arguments = RawValue::from_string("[1]".into()).unwrap();
        let invocation = Invocation { target: "ask".into(), arguments };
        let expected = "{\"type\":1,\"invocationId\":\"7\",\"target\":\"ask\",\"arguments\":[1]}\u{1e}";
        assert_eq!(write(&ServerMessage::Call { id: "7".into(), invocation }), Frame::Text(expected.into()));
    }

    #[test]
    fn unknown_types_are_ignored_whatever_they_hold() {
        for other in [r#"{"type":99,"target":5}"#, r#"{"type":6}"#] {
            assert_eq!(read(other.as_bytes()), Ok(ClientMessage::Other), "{other}");
        }
    }

    #[test]
    fn what_is_no_message_is_unreadable() {
        let deep = "[".repeat(100_000);
        for bad in ["", "{}", "[]", "null", "{\"type\":\"1\"}", "{\"type\":1}", "{\"type\":6", &deep] {
            assert_eq!(read(bad.as_bytes()), Err(Unreadable), "{bad:.20}");
        }
    }

    fn invocation(target: &str, arguments: &str) -> Frame {
        let arguments = RawValue::from_string(arguments.into()).unwrap();
        write(&ServerMessage::Invocation(Invocation { target: target.into(), arguments }))
    }

    #[test]
    fn an_invocation_has_the_bytes_the_npm_client_was_checked_with() {
        let expected = "{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"hi\",1]}\u{1e}";
        assert_eq!(invocation("newMessage", r#"["hi",1]"#), Frame::Text(expected.into()));
    }

    #[test]
    fn texts_are_escaped() {
        let expected = "{\"type\":1,\"target\":\"a\\\"b\",\"arguments\":[]}\u{1e}";
        assert_eq!(invocation("a\"b", "[]"), Frame::Text(expected.into()));
        let close = write(&ServerMessage::Close { error: Some("so \"long\"".into()) });
        let expected = "{\"allowReconnect\":true,\"error\":\"so \\\"long\\\"\",\"type\":7}\u{1e}";
        assert_eq!(close, Frame::Text(expected.into()));
    }
}
