//! Turns the upstream's reply to a call into the client's completion. Rules and texts are those of the official
//! emulator.

use crate::wire::Frame;
use crate::wire::hub_protocol::{Broadcast, Protocol, ServerMessage};
use axum::http::StatusCode;
use bytes::Bytes;

/// The reply of an upstream.
#[derive(Debug)]
pub(super) enum UpstreamReply {
    Answered { status: StatusCode, body: Bytes },
    TooLarge,
}

/// The completion for the call `id`. The body of a successful reply is passed on as it is, because the application
/// writes the whole frame.
pub(super) fn to(id: String, protocol: Protocol, reply: UpstreamReply) -> Broadcast {
    let error = match reply {
        UpstreamReply::Answered { status: StatusCode::OK, body } if !body.is_empty() => {
            match as_it_is(protocol, body) {
                Some(answer) => return answer,
                None => Some("Invocation failed, response is no text.".into()),
            }
        }
        UpstreamReply::Answered { status: StatusCode::OK | StatusCode::NO_CONTENT, .. } => None,
        UpstreamReply::Answered { status, .. } => {
            Some(format!("Invocation failed, status code {}", status.as_u16()))
        }
        UpstreamReply::TooLarge => Some("Invocation failed, response too large.".into()),
    };
    ServerMessage::Completion { id, error }.into()
}

fn as_it_is(protocol: Protocol, body: Bytes) -> Option<Broadcast> {
    Some(match protocol {
        Protocol::Json => {
            let text = std::str::from_utf8(&body).ok()?;
            Broadcast::of_frames(Some(Frame::Text(text.into())), None)
        }
        Protocol::MessagePack => Broadcast::of_frames(None, Some(Frame::Binary(body))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(reply: UpstreamReply) -> String {
        let answer = to("7".into(), Protocol::Json, reply).frame(Protocol::Json).unwrap();
        String::from_utf8(answer.bytes().to_vec()).unwrap()
    }

    fn answered(status: u16, body: &'static [u8]) -> UpstreamReply {
        UpstreamReply::Answered { status: StatusCode::from_u16(status).unwrap(), body: body.into() }
    }

    #[test]
    fn good_replies_are_frames_or_nothing() {
        assert_eq!(heard(answered(200, b"{\"x\":1}\x1e")), "{\"x\":1}\u{1e}");
        let nothing = "{\"invocationId\":\"7\",\"type\":3}\u{1e}";
        assert_eq!(heard(answered(200, b"")), nothing);
        assert_eq!(heard(answered(204, b"")), nothing);
        let frame = to("7".into(), Protocol::MessagePack, answered(200, b"\x02\x91\x06"));
        let bytes = Frame::Binary(b"\x02\x91\x06".as_slice().into());
        assert_eq!(frame.frame(Protocol::MessagePack), Some(bytes));
    }

    #[test]
    fn other_replies_fail_the_call() {
        for (reply, error) in [
            (answered(202, b"x"), "Invocation failed, status code 202"),
            (answered(500, b"x"), "Invocation failed, status code 500"),
            (answered(200, b"\xff"), "Invocation failed, response is no text."),
            (UpstreamReply::TooLarge, "Invocation failed, response too large."),
        ] {
            let expected = format!("{{\"error\":\"{error}\",\"invocationId\":\"7\",\"type\":3}}\u{1e}");
            assert_eq!(heard(reply), expected);
        }
    }
}
