//! The messages, independent of their protocol.

use serde_json::value::RawValue;

/// The messages from the service to clients.
#[derive(Debug)]
pub(crate) enum ServerMessage {
    /// Calls a method of the client, without an answer.
    Invocation(Invocation),
    /// Calls a method of the client, which answers with a completion of this id.
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
pub(crate) enum CallResult {
    /// JSON; `null` where the method returned nothing.
    Returned(String),
    Failed(String),
}

/// The messages from a client after the handshake that the service reacts to.
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
        outcome: CallResult,
    },
    Close,
    /// Pings and every type this version does not know.
    Other,
}

/// A message that does not follow the protocol, has no type, or lacks a part that its type needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unreadable;

/// JSON that MessagePack cannot express: a number outside the range of doubles, or deeper nesting than readers
/// accept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Inexpressible;

/// The numbers of the message types, the same in both protocols.
pub(super) mod kind {
    pub(crate) const INVOCATION: i64 = 1;
    pub(crate) const COMPLETION: i64 = 3;
    pub(crate) const STREAM_INVOCATION: i64 = 4;
    pub(crate) const PING: i64 = 6;
    pub(crate) const CLOSE: i64 = 7;
}
