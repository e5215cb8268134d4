//! The binary body of a send: a MessagePack map from names of protocols to complete frames of the same call, which
//! the service passes on as they are.

use super::Frame;
use super::hub_protocol::{Broadcast, ClientMessage, Protocol};
use rmpv::Value;
use rmpv::decode::read_value_with_max_depth;

/// Deep enough for a map of texts to bytes: the reader counts two for each level.
const DEEPEST: usize = 8;

/// What is wrong with a body, for its sender.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadFrames {
    #[error("the body must be a MessagePack map of protocol names to frames")]
    NoMap,
    #[error("the frame of the protocol {0} must hold one call and nothing else")]
    NoCall(&'static str),
    #[error("the protocol {0} may be given once")]
    Repeated(&'static str),
    #[error("the body must have a frame for the protocol json or messagepack")]
    NoFrame,
}

/// Parses a body. Frames of other protocols are ignored: there are no such clients here.
pub(crate) fn parse(mut bytes: &[u8]) -> Result<Broadcast, BadFrames> {
    let value = read_value_with_max_depth(&mut bytes, DEEPEST).map_err(|_| BadFrames::NoMap)?;
    let entries = value.as_map().filter(|_| bytes.is_empty()).ok_or(BadFrames::NoMap)?;
    let (mut json, mut message_pack) = (None, None);
    for entry in entries {
        let (Value::String(name), Value::Binary(frame)) = entry else { return Err(BadFrames::NoMap) };
        let (slot, frame, name) = match name.as_str() {
            Some("json") => (&mut json, text_frame(frame), "json"),
            Some("messagepack") => (&mut message_pack, binary_frame(frame), "messagepack"),
            _ => continue,
        };
        if slot.replace(frame.ok_or(BadFrames::NoCall(name))?).is_some() {
            return Err(BadFrames::Repeated(name));
        }
    }
    if json.is_none() && message_pack.is_none() {
        return Err(BadFrames::NoFrame);
    }
    Ok(Broadcast::of_frames(json, message_pack))
}

fn text_frame(frame: &[u8]) -> Option<Frame> {
    holds_a_call(Protocol::Json, frame)?;
    std::str::from_utf8(frame).ok().map(|text| Frame::Text(text.into()))
}

fn binary_frame(frame: &[u8]) -> Option<Frame> {
    holds_a_call(Protocol::MessagePack, frame)?;
    Some(Frame::Binary(frame.to_vec().into()))
}

/// Checks that a frame holds one call, because anything else would break the clients that get it.
fn holds_a_call(protocol: Protocol, frame: &[u8]) -> Option<()> {
    let record = protocol.unframe(frame)?;
    matches!(protocol.read(&record), Ok(ClientMessage::Call { .. })).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &[u8] = b"{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"hi\",1]}\x1e";
    const MESSAGE_PACK: &[u8] = b"\x15\x96\x01\x80\xc0\xaanewMessage\x92\xa2hi\x01\x90";

    fn body(frames: &[(&str, &[u8])]) -> Vec<u8> {
        let entry = |(name, frame): &(&str, &[u8])| (Value::from(*name), Value::from(*frame));
        let mut body = Vec::new();
        rmpv::encode::write_value(&mut body, &Value::Map(frames.iter().map(entry).collect())).unwrap();
        body
    }

    fn refused(body: &[u8]) -> BadFrames {
        parse(body).err().expect("it is refused")
    }

    #[test]
    fn frames_pass_as_they_are() {
        let known = body(&[("json", JSON), ("messagepack", MESSAGE_PACK)]);
        let start = [b"\x82\xa4json\xc4\x36".as_slice(), JSON, b"\xabmessagepack\xc4\x16", MESSAGE_PACK];
        assert_eq!(known, start.concat(), "the bytes that the SDK writes");
        let message = parse(&known).unwrap();
        let json = String::from_utf8(JSON.to_vec()).unwrap();
        assert_eq!(message.frame(Protocol::Json), Some(Frame::Text(json.into())));
        assert_eq!(message.frame(Protocol::MessagePack), Some(Frame::Binary(MESSAGE_PACK.into())));
    }

    #[test]
    fn a_protocol_may_be_left_out() {
        let message = parse(&body(&[("json", JSON), ("another", b"?")])).unwrap();
        assert!(message.frame(Protocol::Json).is_some());
        assert_eq!(message.frame(Protocol::MessagePack), None);
    }

    #[test]
    fn what_would_break_clients_is_refused() {
        for json in
            [b"".as_slice(), &JSON[1..], &JSON[..JSON.len() - 1], &JSON.repeat(2), b"{\"type\":6}\x1e"]
        {
            assert_eq!(refused(&body(&[("json", json)])), BadFrames::NoCall("json"));
        }
        for packed in [b"".as_slice(), &MESSAGE_PACK[1..], &MESSAGE_PACK.repeat(2), b"\x02\x91\x06"] {
            assert_eq!(refused(&body(&[("messagepack", packed)])), BadFrames::NoCall("messagepack"));
        }
    }

    #[test]
    fn what_is_no_map_of_frames_is_refused() {
        for bad in [
            b"".as_slice(),
            b"\xc0",
            b"\x81\x01\xc4\x00",
            b"\x81\xa4json\xa0",
            b"\xdf\xff\xff\xff\xff",
            b"{}",
        ] {
            assert_eq!(refused(bad), BadFrames::NoMap, "{bad:?}");
        }
        assert_eq!(refused(&[body(&[("json", JSON)]), b"x".to_vec()].concat()), BadFrames::NoMap);
        assert_eq!(refused(&body(&[("json", JSON), ("json", JSON)])), BadFrames::Repeated("json"));
        assert_eq!(refused(&body(&[("another", JSON)])), BadFrames::NoFrame);
    }
}
