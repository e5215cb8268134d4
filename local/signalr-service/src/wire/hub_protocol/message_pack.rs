//! Messages in MessagePack, each with its length before it.

use super::messages::{
    CallResult, ClientMessage, Inexpressible, Invocation, ServerMessage, Unreadable, kind,
};
use crate::wire::Frame;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rmpv::decode::read_value_with_max_depth;
use rmpv::{Utf8String, Value};

/// The values of a completion's fourth part, which says what it holds.
mod holds {
    pub(super) const ERROR: i64 = 1;
    pub(super) const NOTHING: i64 = 2;
    pub(super) const RESULT: i64 = 3;
}

/// The reader counts two for each level, so this is about as deep as the JSON reader goes. Its default limit needs
/// more stack than a thread has in a build without optimisations.
const DEEPEST: usize = 256;

/// Reads one message. Calls have five or six parts: the npm client leaves the last one out.
pub(super) fn read(mut record: &[u8]) -> Result<ClientMessage, Unreadable> {
    let value = read_value_with_max_depth(&mut record, DEEPEST).map_err(|_| Unreadable)?;
    let parts = value.as_array().filter(|_| record.is_empty()).ok_or(Unreadable)?;
    match parts.first().and_then(Value::as_i64).ok_or(Unreadable)? {
        kind::INVOCATION => match parts.as_slice() {
            [_, _headers, Value::Nil, Value::String(method), Value::Array(_), ..] => {
                Ok(ClientMessage::Call { id: None, method: text(method)? })
            }
            [_, _headers, Value::String(id), Value::String(method), Value::Array(_), ..] => {
                Ok(ClientMessage::Call { id: Some(text(id)?), method: text(method)? })
            }
            _ => Err(Unreadable),
        },
        kind::STREAM_INVOCATION => match parts.as_slice() {
            [_, _headers, Value::String(id), Value::String(method), Value::Array(_), ..] => {
                Ok(ClientMessage::StreamCall { id: text(id)?, method: text(method)? })
            }
            _ => Err(Unreadable),
        },
        kind::COMPLETION => match parts.as_slice() {
            [_, _headers, Value::String(id), holds, rest @ ..] => {
                let outcome = outcome(holds.as_i64().ok_or(Unreadable)?, rest.first())?;
                Ok(ClientMessage::Completion { id: text(id)?, outcome })
            }
            _ => Err(Unreadable),
        },
        kind::CLOSE => Ok(ClientMessage::Close),
        _ => Ok(ClientMessage::Other),
    }
}

fn text(text: &Utf8String) -> Result<String, Unreadable> {
    text.as_str().map(str::to_owned).ok_or(Unreadable)
}

/// A result that JSON cannot hold is the client's failure, not a broken message.
fn outcome(holds: i64, value: Option<&Value>) -> Result<CallResult, Unreadable> {
    match (holds, value) {
        (holds::ERROR, Some(Value::String(error))) => Ok(CallResult::Failed(text(error)?)),
        (holds::NOTHING, None) => Ok(CallResult::Returned("null".into())),
        (holds::RESULT, Some(value)) => Ok(match as_json(value) {
            Some(json) => CallResult::Returned(json.to_string()),
            None => CallResult::Failed("The client's result cannot be expressed in JSON.".into()),
        }),
        _ => Err(Unreadable),
    }
}

/// `None` for values that JSON cannot express: infinities, keys other than texts, extension types. Bytes become
/// base64, as .NET writes them.
fn as_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Nil => serde_json::Value::Null,
        Value::Boolean(boolean) => (*boolean).into(),
        Value::Integer(integer) => match integer.as_i64() {
            Some(signed) => signed.into(),
            None => integer.as_u64()?.into(),
        },
        Value::F32(number) => serde_json::Number::from_f64(f64::from(*number))?.into(),
        Value::F64(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::String(text) => text.as_str()?.into(),
        Value::Binary(bytes) => BASE64_STANDARD.encode(bytes).into(),
        Value::Array(items) => items.iter().map(as_json).collect::<Option<Vec<_>>>()?.into(),
        Value::Map(members) => {
            let member = |(name, value): &(Value, Value)| Some((name.as_str()?.to_owned(), as_json(value)?));
            members.iter().map(member).collect::<Option<serde_json::Map<_, _>>>()?.into()
        }
        Value::Ext(..) => return None,
    })
}

pub(super) fn write(message: &ServerMessage) -> Result<Frame, Inexpressible> {
    Ok(frame(match message {
        ServerMessage::Invocation(call) => invocation(Value::Nil, call)?,
        ServerMessage::Call { id, invocation: call } => invocation(id.as_str().into(), call)?,
        ServerMessage::Completion { id, error } => {
            let mut parts = vec![kind::COMPLETION.into(), no_headers(), id.as_str().into()];
            match error {
                Some(error) => parts.extend([holds::ERROR.into(), error.as_str().into()]),
                None => parts.push(holds::NOTHING.into()),
            }
            parts
        }
        ServerMessage::Ping => vec![kind::PING.into()],
        ServerMessage::Close { error } => {
            let error = error.as_deref().map_or(Value::Nil, Value::from);
            vec![kind::CLOSE.into(), error, true.into()]
        }
    }))
}

fn invocation(id: Value, Invocation { target, arguments }: &Invocation) -> Result<Vec<Value>, Inexpressible> {
    let arguments = serde_json::from_str(arguments.get()).map_err(|_| Inexpressible)?;
    let streams = Value::Array(Vec::new());
    Ok(vec![kind::INVOCATION.into(), no_headers(), id, target.as_str().into(), arguments, streams])
}

fn no_headers() -> Value {
    Value::Map(Vec::new())
}

fn frame(parts: Vec<Value>) -> Frame {
    let mut message = Vec::new();
    rmpv::encode::write_value(&mut message, &Value::Array(parts)).expect("a vector takes every write");
    let mut frame = length(message.len());
    frame.append(&mut message);
    Frame::Binary(frame.into())
}

/// Seven bits per byte, the lowest first. The top bit is set if more bytes follow.
fn length(mut rest: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while rest > 0x7f {
        bytes.push((rest & 0x7f) as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::value::RawValue;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
        let pairs = digits.chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn written(message: &ServerMessage) -> Vec<u8> {
        match write(message) {
            Ok(Frame::Binary(bytes)) => bytes.to_vec(),
            other => panic!("{other:?}"),
        }
    }

    fn invocation(target: &str, arguments: &str) -> ServerMessage {
        let arguments = RawValue::from_string(arguments.into()).unwrap();
        ServerMessage::Invocation(Invocation { target: target.into(), arguments })
    }

    #[test]
    fn messages_have_the_bytes_the_npm_client_was_checked_with() {
        assert_eq!(written(&ServerMessage::Ping), hex("02 91 06"));
        let call = "15 96 01 80 c0 aa 6e65774d657373616765 92 a2 6869 01 90";
        assert_eq!(written(&invocation("newMessage", r#"["hi",1]"#)), hex(call));
        let completion = |error: Option<&str>| {
            written(&ServerMessage::Completion { id: "0".into(), error: error.map(Into::into) })
        };
        assert_eq!(completion(Some("bad")), hex("0a 95 03 80 a1 30 01 a3 626164"));
        assert_eq!(completion(None), hex("06 94 03 80 a1 30 02"));
        assert_eq!(written(&ServerMessage::Close { error: None }), hex("04 93 07 c0 c3"));
    }

    #[test]
    fn messages_of_the_npm_client_are_read() {
        let read = |frame: &str| read(&hex(frame)[1..]);
        assert_eq!(read("02 91 06"), Ok(ClientMessage::Other));
        assert_eq!(read("03 92 07 c0"), Ok(ClientMessage::Close));
        let fire = |id: Option<&str>| ClientMessage::Call { id: id.map(Into::into), method: "fire".into() };
        assert_eq!(read("0d 95 01 80 c0 a4 66697265 92 a1 78 01"), Ok(fire(None)));
        let call = Ok(fire(Some("0")));
        let stream = ClientMessage::StreamCall { id: "0".into(), method: "fire".into() };
        assert_eq!(read("0b 95 04 80 a1 30 a4 66697265 90"), Ok(stream));
        assert_eq!(read("0b 95 01 80 a1 30 a4 66697265 90"), call);
        assert_eq!(read("0c 96 01 80 a1 30 a4 66697265 90 90"), call);
    }

    #[test]
    fn completions_of_the_npm_client_are_read() {
        let read = |frame: &str| match read(&hex(frame)[1..]) {
            Ok(ClientMessage::Completion { id, outcome }) if id == "0" => outcome,
            other => panic!("{other:?}"),
        };
        assert_eq!(read("07 95 03 80 a1 30 03 05"), CallResult::Returned("5".into()));
        assert_eq!(read("06 94 03 80 a1 30 02"), CallResult::Returned("null".into()));
        assert_eq!(read("0a 95 03 80 a1 30 01 a3 626164"), CallResult::Failed("bad".into()));
        let value = "82 a1 61 93 c0 c2 cb3ff8000000000000 a1 62 c4 02 0102";
        let json = r#"{"a":[null,false,1.5],"b":"AQI="}"#;
        assert_eq!(read(&format!("00 95 03 80 a1 30 03 {value}")), CallResult::Returned(json.into()));
        for beyond in ["cb7ff0000000000000", "81 01 02", "d4 05 00"] {
            let outcome = read(&format!("00 95 03 80 a1 30 03 {beyond}"));
            assert!(matches!(outcome, CallResult::Failed(_)), "{beyond}: {outcome:?}");
        }
    }

    #[test]
    fn a_call_that_wants_an_answer_has_an_id() {
        let arguments = RawValue::from_string("[1]".into()).unwrap();
        let invocation = Invocation { target: "ask".into(), arguments };
        let call = written(&ServerMessage::Call { id: "7".into(), invocation });
        assert_eq!(call, hex("0c 96 01 80 a1 37 a3 61736b 91 01 90"));
    }

    #[test]
    fn what_is_no_message_is_unreadable() {
        let deep = [0x91; 100_000];
        let endless = hex("dd ffffffff");
        for bad in [
            "",
            "c0",
            "90",
            "91 a1 78",
            "91 06 06",
            "93 01 80 c0",
            "95 01 80 c0 01 90",
            "95 01 80 05 a1 78 90",
            "95 04 80 c0 a1 78 90",
            "93 03 80 a1 30",
            "94 03 80 a1 30 03",
            "95 03 80 a1 30 09 05",
        ] {
            assert_eq!(read(&hex(bad)), Err(Unreadable), "{bad}");
        }
        assert_eq!((read(&deep), read(&endless)), (Err(Unreadable), Err(Unreadable)));
    }

    #[test]
    fn json_values_keep_their_meaning_and_members_their_order() {
        let json = r#"[null,true,-1,1.5,18446744073709551615,"\u00e9",{"b":[],"a":{}}]"#;
        let parts = "97 c0 c3 ff cb3ff8000000000000 cfffffffffffffffff a2c3a9 82 a162 90 a161 80";
        let call = [hex("96 01 80 c0 a1 74"), hex(parts), hex("90")].concat();
        assert_eq!(written(&invocation("t", json)), [vec![call.len() as u8], call].concat());
    }

    #[test]
    fn what_no_double_holds_is_inexpressible() {
        assert_eq!(write(&invocation("t", "[1e400]")), Err(Inexpressible));
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(write(&invocation("t", &deep)), Err(Inexpressible));
    }

    #[test]
    fn long_messages_have_long_lengths() {
        assert_eq!((length(0x7f), length(0x80), length(300)), (hex("7f"), hex("80 01"), hex("ac 02")));
    }
}
