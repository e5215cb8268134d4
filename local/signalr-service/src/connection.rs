//! One client between its transport and the world: hub messages in, frames out through the outbox. It knows
//! nothing of the transport that carries it.

use crate::names::{ConnectionId, ConnectionToken, HubName, UserId};
use crate::outbox::Outbox;
use crate::service::{Shared, Timings, now};
use crate::wire::hub_protocol::{
    ClientMessage, HandshakeRefusal, Records, check_handshake, close, failed_completion, handshake_reply,
    ping, read_message,
};
use crate::world::Opening;
use std::sync::Arc;

/// Who a connection is.
pub(crate) struct Identity {
    pub(crate) hub: HubName,
    pub(crate) token: ConnectionToken,
    pub(crate) id: ConnectionId,
    pub(crate) user: Option<UserId>,
}

/// A connection that the world knows; it is forgotten there when this is dropped.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    identity: Identity,
    outbox: Arc<Outbox>,
    records: Records,
    phase: Phase,
}

/// Where a connection is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Handshake,
    Open,
    /// The outbox ends with what it holds; what the client still says is not read.
    Over,
}

impl Connection {
    pub(crate) fn new(shared: Arc<Shared>, identity: Identity, outbox: Arc<Outbox>) -> Connection {
        Connection { shared, identity, outbox, records: Records::default(), phase: Phase::Handshake }
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    pub(crate) fn phase(&self) -> Phase {
        self.phase
    }

    pub(crate) fn timings(&self) -> Timings {
        self.shared.timings
    }

    /// Takes what the transport delivered, in pieces of any size.
    pub(crate) fn receive(&mut self, data: &[u8]) {
        if self.phase == Phase::Over {
            return;
        }
        let Ok(records) = self.records.receive(data) else {
            return self.end_with_error();
        };
        for record in records {
            match self.phase {
                Phase::Handshake => self.shake_hands(check_handshake(&record)),
                Phase::Open => self.react(&record),
                Phase::Over => return,
            }
        }
    }

    pub(crate) fn handshake_timed_out(&mut self) {
        self.shake_hands(Err(HandshakeRefusal::TimedOut));
    }

    pub(crate) fn was_silent(&mut self) {
        self.end(Some("The client was silent for longer than the client timeout."));
    }

    pub(crate) fn ping(&self) {
        self.outbox.push(ping());
    }

    /// The reply is queued before the world knows the connection, so that it is the first frame.
    fn shake_hands(&mut self, outcome: Result<(), HandshakeRefusal>) {
        self.outbox.push(handshake_reply(&outcome));
        if outcome.is_err() {
            self.outbox.close();
            self.phase = Phase::Over;
            return;
        }
        let Identity { hub, id, user, .. } = &self.identity;
        let opening =
            Opening { hub: hub.clone(), id: id.clone(), user: user.clone(), outbox: self.outbox.clone() };
        self.shared.world().open(opening, now());
        self.phase = Phase::Open;
    }

    fn react(&mut self, record: &[u8]) {
        match read_message(record) {
            Ok(ClientMessage::Call { id, method }) => {
                let error =
                    format!("No upstream is configured, so nothing can answer the call of '{method}'.");
                self.outbox.push(failed_completion(&id, &error));
            }
            Ok(ClientMessage::Close) => self.end(None),
            Ok(ClientMessage::Other) => {}
            Err(_) => self.end_with_error(),
        }
    }

    /// ASP.NET Core's words for a client that broke the protocol.
    fn end_with_error(&mut self) {
        self.end(Some("Connection closed with an error."));
    }

    fn end(&mut self, error: Option<&str>) {
        if error.is_some() {
            self.outbox.push(close(error));
        }
        self.outbox.close();
        self.phase = Phase::Over;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Identity { hub, token, id, .. } = &self.identity;
        self.shared.world().gone(hub, token, id);
    }
}
