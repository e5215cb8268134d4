//! The ways to carry a connection's frames. A transport hands what the client sent to
//! [`Connection::receive`](crate::connection::Connection::receive) and writes what the outbox gives it.

pub(crate) mod websocket;

/// What clients may choose from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Transport {
    WebSockets,
}

impl Transport {
    /// In the order clients try them.
    pub(crate) const OFFERED: [Transport; 1] = [Transport::WebSockets];
}
