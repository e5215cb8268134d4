//! Messages in MessagePack, each with its length before it.

use super::{ClientMessage, Inexpressible, ServerMessage, Unreadable, kind};
use crate::wire::Frame;
use rmpv::Value;
use rmpv::decode::read_value_with_max_depth;

/// Says in a completion that it holds an error.
const ERROR: i64 = 1;

/// The reader counts two for each level, so that it goes about as deep as the JSON reader does. Its own limit
/// is more than a thread's stack holds in a build without optimisations.
const DEEPEST: usize = 256;

/// Reads one message. Calls have five or six parts: the npm client leaves the last one out.
pub(super) fn read(mut record: &[u8]) -> Result<ClientMessage, Unreadable> {
    let value = read_value_with_max_depth(&mut record, DEEPEST).map_err(|_| Unreadable)?;
    let parts = value.as_array().filter(|_| record.is_empty()).ok_or(Unreadable)?;
    match parts.first().and_then(Value::as_i64).ok_or(Unreadable)? {
        kind::INVOCATION | kind::STREAM_INVOCATION => match parts.as_slice() {
            [_, _headers, Value::Nil, Value::String(_), Value::Array(_), ..] => Ok(ClientMessage::Other),
            [_, _headers, Value::String(id), Value::String(method), Value::Array(_), ..] => {
                let text = |text: &rmpv::Utf8String| text.as_str().map(str::to_owned).ok_or(Unreadable);
                Ok(ClientMessage::Call { id: text(id)?, method: text(method)? })
            }
            _ => Err(Unreadable),
        },
        kind::CLOSE => Ok(ClientMessage::Close),
        _ => Ok(ClientMessage::Other),
    }
}

pub(super) fn write(message: &ServerMessage) -> Result<Frame, Inexpressible> {
    let headers = Value::Map(Vec::new());
    Ok(frame(match message {
        ServerMessage::Invocation { target, arguments } => {
            let arguments = serde_json::from_str(arguments.get()).map_err(|_| Inexpressible)?;
            let streams = Value::Array(Vec::new());
            vec![kind::INVOCATION.into(), headers, Value::Nil, target.as_str().into(), arguments, streams]
        }
        ServerMessage::FailedCompletion { id, error } => {
            vec![kind::COMPLETION.into(), headers, id.as_str().into(), ERROR.into(), error.as_str().into()]
        }
        ServerMessage::Ping => vec![kind::PING.into()],
        ServerMessage::Close { error } => {
            let error = error.as_deref().map_or(Value::Nil, Value::from);
            vec![kind::CLOSE.into(), error, true.into()]
        }
    }))
}

fn frame(parts: Vec<Value>) -> Frame {
    let mut message = Vec::new();
    rmpv::encode::write_value(&mut message, &Value::Array(parts)).expect("a vector takes every write");
    let mut frame = length(message.len());
    frame.append(&mut message);
    Frame::Binary(frame.into())
}

/// Seven bits a byte, the lowest first; the top bit says that more follow.
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
        ServerMessage::Invocation { target: target.into(), arguments }
    }

    #[test]
    fn messages_have_the_bytes_the_npm_client_was_checked_with() {
        assert_eq!(written(&ServerMessage::Ping), hex("02 91 06"));
        let call = "15 96 01 80 c0 aa 6e65774d657373616765 92 a2 6869 01 90";
        assert_eq!(written(&invocation("newMessage", r#"["hi",1]"#)), hex(call));
        let failed = ServerMessage::FailedCompletion { id: "0".into(), error: "bad".into() };
        assert_eq!(written(&failed), hex("0a 95 03 80 a1 30 01 a3 626164"));
        assert_eq!(written(&ServerMessage::Close { error: None }), hex("04 93 07 c0 c3"));
    }

    #[test]
    fn messages_of_the_npm_client_are_read() {
        let read = |frame: &str| read(&hex(frame)[1..]);
        assert_eq!(read("02 91 06"), Ok(ClientMessage::Other));
        assert_eq!(read("03 92 07 c0"), Ok(ClientMessage::Close));
        assert_eq!(read("0d 95 01 80 c0 a4 66697265 92 a1 78 01"), Ok(ClientMessage::Other));
        assert_eq!(read("07 95 03 80 a1 30 03 05"), Ok(ClientMessage::Other));
        let call = Ok(ClientMessage::Call { id: "0".into(), method: "fire".into() });
        assert_eq!(read("0b 95 01 80 a1 30 a4 66697265 90"), call);
        assert_eq!(read("0c 96 01 80 a1 30 a4 66697265 90 90"), call);
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
