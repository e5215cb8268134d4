//! How further requests of a client reach its connection, for transports that need several requests.

use super::Transport;
use crate::listener::ConnectionAborter;
use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

/// How requests other than the one that carries the frames reach a connection.
#[derive(Clone)]
pub(crate) enum InboundChannel {
    /// There are none: the socket carries both directions.
    WebSockets,
    ServerSentEvents {
        sends: mpsc::Sender<Bytes>,
    },
    LongPolling {
        sends: mpsc::Sender<Bytes>,
        requests: mpsc::Sender<PollingRequest>,
    },
}

/// Sends of one client that wait in its [`InboundChannel`]; more wait in their sockets.
pub(super) const WAITING_SENDS: usize = 16;

impl InboundChannel {
    pub(crate) fn transport(&self) -> Transport {
        match self {
            InboundChannel::WebSockets => Transport::WebSockets,
            InboundChannel::ServerSentEvents { .. } => Transport::ServerSentEvents,
            InboundChannel::LongPolling { .. } => Transport::LongPolling,
        }
    }
}

/// A request of a polling client to its connection.
pub(crate) enum PollingRequest {
    Poll(Poll),
    End,
}

/// A request that waits for frames.
pub(crate) struct Poll {
    /// Dropping it without a value tells the poll that the connection has ended.
    pub(super) answer: oneshot::Sender<Bytes>,
    pub(super) aborter: ConnectionAborter,
}
