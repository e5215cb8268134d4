//! The ways to carry a connection's frames. Each is a [`Link`]; [`pump`] serves a connection over any of them.

pub(crate) mod events;
pub(crate) mod polling;
pub(crate) mod pump;
pub(crate) mod websocket;

use crate::wire::Frame;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, PRAGMA};
use bytes::Bytes;
use polling::Ask;
use std::future::Future;
use tokio::sync::mpsc;

/// What clients may choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    WebSockets,
    ServerSentEvents,
    LongPolling,
}

impl Transport {
    /// In the order clients try them.
    pub(crate) const OFFERED: [Transport; 3] =
        [Transport::WebSockets, Transport::ServerSentEvents, Transport::LongPolling];

    /// A stream of events is text by its definition.
    pub(crate) fn carries_binary(self) -> bool {
        self != Transport::ServerSentEvents
    }
}

/// Which transports a client may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Transports(u64);

impl Transports {
    /// The sum of 1 for WebSockets, 2 for server-sent events and 4 for long polling.
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
    /// Whether an idle link needs pings to show that both ends are there.
    const PINGED: bool = true;

    /// Whether the client is there although it says nothing.
    fn waits(&self) -> bool {
        false
    }

    /// The next sign of the client. Cancel safe.
    fn receive(&mut self) -> impl Future<Output = Heard> + Send;

    /// Resolves when the transport has taken the frames.
    fn write(&mut self, frames: &[Frame]) -> impl Future<Output = Result<(), NotWritten>> + Send;

    /// Ends the transport in its polite way, after everything written.
    fn say_goodbye(&mut self) -> impl Future<Output = ()> + Send;

    /// Drops the transport as it is.
    fn cut(self);
}

/// What came from a client.
pub(crate) enum Heard {
    /// A piece of its messages, of any size.
    Data(Bytes),
    /// Nothing to read, but the client is there.
    Sign,
    /// It left.
    Gone,
}

/// The client is gone, was cut, or takes nothing.
#[derive(Debug)]
pub(crate) struct NotWritten;

/// How requests other than the one that carries the frames reach a connection.
#[derive(Clone)]
pub(crate) enum Door {
    /// They do not: the socket carries both directions.
    WebSockets,
    ServerSentEvents {
        sends: mpsc::Sender<Bytes>,
    },
    LongPolling {
        sends: mpsc::Sender<Bytes>,
        asks: mpsc::Sender<Ask>,
    },
}

/// Sends of one client that wait for their turn behind a [`Door`]; more wait in their sockets.
const WAITING_SENDS: usize = 16;

impl Door {
    pub(crate) fn transport(&self) -> Transport {
        match self {
            Door::WebSockets => Transport::WebSockets,
            Door::ServerSentEvents { .. } => Transport::ServerSentEvents,
            Door::LongPolling { .. } => Transport::LongPolling,
        }
    }
}

/// The headers that keep caches away from what a client hears.
fn uncached() -> [(HeaderName, &'static str); 2] {
    [(CACHE_CONTROL, "no-cache, no-store"), (PRAGMA, "no-cache")]
}
