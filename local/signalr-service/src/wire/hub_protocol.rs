//! The SignalR hub protocol as ASP.NET Core's HubProtocol specification describes it: the handshake and the
//! messages a serverless service exchanges with its clients, in JSON and in MessagePack.

mod handshake;
mod json;
mod message_pack;
mod records;

pub(crate) use handshake::{HandshakeRefusal, check_handshake, handshake_reply};
pub(crate) use records::{Framing, Records};

use super::Frame;
use bytes::Bytes;
use serde_json::value::RawValue;
use std::sync::OnceLock;

/// How a connection writes its messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Protocol {
    #[default]
    Json,
    MessagePack,
}

/// What the service says to clients.
#[derive(Debug)]
pub(crate) enum ServerMessage {
    /// Calls the client and wants no answer.
    Invocation(Invocation),
    /// Calls the client, which answers with a completion of this id.
    Call {
        id: String,
        invocation: Invocation,
    },
    /// The end of the client's call `id`, without a result.
    Completion {
        id: String,
        error: Option<String>,
    },
    Ping,
    /// The last message on a connection; clients show `error` to the application. It allows a client to
    /// reconnect automatically, as the official emulator does; what the service itself writes is not documented.
    Close {
        error: Option<String>,
    },
}

/// A client's method with its arguments.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) target: String,
    /// The caller's JSON array.
    pub(crate) arguments: Box<RawValue>,
}

/// How a call ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// JSON; `null` where the method returned nothing.
    Result(String),
    Error(String),
}

/// What a client says after the handshake, as far as the service reacts to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ClientMessage {
    /// A call of the application; with an id, it waits for its completion.
    Call {
        id: Option<String>,
        method: String,
    },
    /// A call that waits for a stream of items.
    StreamCall {
        id: String,
        method: String,
    },
    /// The answer to a call of the service.
    Completion {
        id: String,
        outcome: Outcome,
    },
    Close,
    /// Pings and every type this version does not know.
    Other,
}

/// A message that is not in its protocol, has no type, or lacks what its type needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// JSON that MessagePack cannot hold: a number beyond every double, or deeper than any reader goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inexpressible;

/// The types of messages by their numbers, the same in both protocols.
mod kind {
    pub(super) const INVOCATION: i64 = 1;
    pub(super) const COMPLETION: i64 = 3;
    pub(super) const STREAM_INVOCATION: i64 = 4;
    pub(super) const PING: i64 = 6;
    pub(super) const CLOSE: i64 = 7;
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

    /// The only message in `frame`, if it holds just that.
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

/// A message for many clients: its frame is made once per protocol, when the first client needs it, or came with it.
pub(crate) struct Broadcast {
    /// `None` when its frames were made by the caller.
    message: Option<ServerMessage>,
    json: OnceLock<Option<Frame>>,
    message_pack: OnceLock<Option<Frame>>,
}

impl Broadcast {
    /// A message in frames that its caller made; in the protocols it left out, the message cannot be expressed.
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
