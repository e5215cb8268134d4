//! The SignalR hub protocol as ASP.NET Core's HubProtocol specification describes it: the handshake, and the messages
//! that a serverless service exchanges with its clients, in JSON and in MessagePack.

mod handshake;
mod json;
mod message_pack;
mod messages;
mod records;

pub(crate) use handshake::{HandshakeRefusal, check_handshake, handshake_reply};
pub(crate) use messages::{CallResult, ClientMessage, Invocation, ServerMessage};
pub(crate) use records::{Framing, Records};

use super::Frame;
use bytes::Bytes;
use messages::{Inexpressible, Unreadable};
use std::sync::OnceLock;

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Json,
    MessagePack,
}

impl Protocol {
    pub(crate) fn framing(self) -> Framing {
        match self {
            Protocol::Json => Framing::Separated,
            Protocol::MessagePack => Framing::Counted,
        }
    }

    pub(crate) fn read(self, record: &[u8]) -> Result<ClientMessage, Unreadable> {
        match self {
            Protocol::Json => json::read(record),
            Protocol::MessagePack => message_pack::read(record),
        }
    }

    /// The message in `frame`, if it holds exactly one.
    pub(crate) fn unframe(self, frame: &[u8]) -> Option<Bytes> {
        let mut records = Records::default();
        records.add(frame);
        let record = records.next(self.framing()).ok().flatten()?;
        records.is_empty().then_some(record)
    }

    pub(crate) fn write(self, message: &ServerMessage) -> Result<Frame, Inexpressible> {
        match self {
            Protocol::Json => Ok(json::write(message)),
            Protocol::MessagePack => message_pack::write(message),
        }
    }
}

/// A message for many clients. Its frame is rendered once per protocol, when the first client needs it, unless the
/// caller provided the frame.
pub(crate) struct Broadcast {
    /// `None` when the caller provided the frames.
    message: Option<ServerMessage>,
    json: OnceLock<Option<Frame>>,
    message_pack: OnceLock<Option<Frame>>,
}

impl Broadcast {
    /// A message whose caller provides the frames. It cannot be expressed in the protocols that the caller left out.
    pub(crate) fn of_frames(json: Option<Frame>, message_pack: Option<Frame>) -> Broadcast {
        Broadcast { message: None, json: json.into(), message_pack: message_pack.into() }
    }

    /// `None` when the protocol cannot express the message.
    pub(crate) fn frame(&self, protocol: Protocol) -> Option<Frame> {
        let made = match protocol {
            Protocol::Json => &self.json,
            Protocol::MessagePack => &self.message_pack,
        };
        let write = || self.message.as_ref().and_then(|message| protocol.write(message).ok());
        made.get_or_init(write).clone()
    }
}

impl From<ServerMessage> for Broadcast {
    fn from(message: ServerMessage) -> Broadcast {
        Broadcast { message: Some(message), json: OnceLock::new(), message_pack: OnceLock::new() }
    }
}
