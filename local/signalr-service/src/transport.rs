//! The transports that carry a connection's frames. Each is a [`Link`], and [`pump`] serves a connection over any of
//! them.

pub(crate) mod events;
mod inbound;
pub(crate) mod polling;
pub(crate) mod pump;
pub(crate) mod websocket;

pub(crate) use inbound::{InboundChannel, PollingRequest};

use crate::wire::Frame;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use bytes::Bytes;
use std::future::Future;

/// The transports that clients can choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
}

impl Transport {
    /// In the order in which clients try them.
    pub(crate) const OFFERED: [Transport; 3] =
        [Transport::WebSockets, Transport::ServerSentEvents, Transport::LongPolling];

    /// Whether binary frames can be sent. A stream of events is text by definition.
    pub(crate) fn carries_binary(self) -> bool {
        self != Transport::ServerSentEvents
    }
}

/// Which transports a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transports(u64);

impl Transports {
    /// From the sum of 1 for WebSockets, 2 for server-sent events and 4 for long polling.
    pub(crate) fn of_mask(mask: u64) -> Transports {
        Transports(mask)
    }

    pub(crate) fn allow(self, transport: Transport) -> bool {
        let bit = match transport {
            Transport::WebSockets => 1,
            Transport::ServerSentEvents => 2,
            Transport::LongPolling => 4,
        };
        self.0 & bit != 0
    }
}

impl Default for Transports {
    fn default() -> Transports {
        Transports(1 | 2 | 4)
    }
}

/// One client at the other end of a transport.
pub(crate) trait Link: Send {
    /// Whether an idle link needs pings, so that each side notices when the other is gone.
    const PINGED: bool = true;

    /// Whether the client is known to be connected although it sends nothing.
    fn waits(&self) -> bool {
        false
    }

    /// The next thing that the client sends. Cancel safe.
    fn receive(&mut self) -> impl Future<Output = Received> + Send;

    /// Resolves when the transport has taken the frames.
    fn write(&mut self, frames: &[Frame]) -> impl Future<Output = Result<(), NotWritten>> + Send;

    /// Closes the transport gracefully, after everything that was written.
    fn close(&mut self) -> impl Future<Output = ()> + Send;

    /// Drops the transport at once.
    fn cut(self);
}

/// What a client sent.
pub(crate) enum Received {
    /// A piece of its messages, of any size.
    Data(Bytes),
    /// No data, but the client is connected.
    SignOfLife,
    /// The client has disconnected.
    Gone,
}

/// The client is gone, was cut, or does not read.
#[derive(Debug)]
pub(crate) struct NotWritten;

/// Headers that forbid caches to store the response.
fn uncached() -> [(HeaderName, &'static str); 2] {
    [(CACHE_CONTROL, "no-cache, no-store"), (PRAGMA, "no-cache")]
}
