//! One client between its transport and the world: takes hub messages in, and sends frames through the outbox. It is
//! independent of the kind of transport.

use crate::identity::Identity;
use crate::outbox::{Outbox, Recipient};
use crate::shared::Shared;
use crate::timings::{Timings, now};
use crate::transport::Transport;
use crate::upstream::{Feed, UpstreamCall};
use crate::wire::hub_protocol::{
    ClientMessage, Framing, HandshakeRefusal, Protocol, Records, ServerMessage, check_handshake,
    handshake_reply,
};
use crate::world::OpenedConnection;
use bytes::Bytes;
use std::sync::Arc;

/// A connection. Dropping it removes the connection from the world.
pub(crate) struct Connection {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    transport: Transport,
    recipient: Recipient,
    records: Records,
    phase: Phase,
    /// Set after the handshake, if any upstream is configured.
    feed: Option<Feed>,
    /// Why the connection failed, if it did.
    failure: Option<String>,
}

/// The phase of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Handshake,
    Open,
    /// The outbox sends what it holds, then ends. Messages of the client are no longer read.
    Over,
}

impl Connection {
    pub(crate) fn new(
        shared: Arc<Shared>,
        identity: Identity,
        transport: Transport,
        outbox: Arc<Outbox>,
    ) -> Connection {
        // Everything is JSON until the handshake names the protocol.
        let recipient = Recipient { outbox, protocol: Protocol::Json };
        Connection {
            shared,
            identity: Arc::new(identity),
            transport,
            recipient,
            records: Records::default(),
            phase: Phase::Handshake,
            feed: None,
            failure: None,
        }
    }

    pub(crate) fn outbox(&self) -> &Arc<Outbox> {
        &self.recipient.outbox
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
        self.records.add(data);
        loop {
            let framing = match self.phase {
                Phase::Handshake => Framing::Separated,
                Phase::Open => self.recipient.protocol.framing(),
                Phase::Over => return,
            };
            match self.records.next(framing) {
                Ok(None) => return,
                Ok(Some(record)) if self.phase == Phase::Handshake => {
                    self.shake_hands(check_handshake(&record, self.transport.carries_binary()));
                }
                Ok(Some(record)) => self.react(record),
                Err(_) => self.end_with_error(),
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
        self.recipient.tell(&ServerMessage::Ping.into());
    }

    /// Queues the reply before the world knows the connection, so that it is the first frame.
    fn shake_hands(&mut self, outcome: Result<Protocol, HandshakeRefusal>) {
        self.outbox().push(handshake_reply(&outcome));
        let Ok(protocol) = outcome else {
            self.outbox().close();
            self.phase = Phase::Over;
            return;
        };
        self.recipient.protocol = protocol;
        let Identity { hub, id, user, .. } = &*self.identity;
        let recipient = self.recipient.clone();
        let opened = OpenedConnection { hub: hub.clone(), id: id.clone(), user: user.clone(), recipient };
        self.shared.world().open(opened, now());
        self.feed = Feed::open(&self.shared.upstreams, &self.identity, &self.recipient);
        self.phase = Phase::Open;
    }

    fn react(&mut self, record: Bytes) {
        match self.recipient.protocol.read(&record) {
            Ok(ClientMessage::Call { id, method }) => self.pass_on(id, method, record),
            Ok(ClientMessage::StreamCall { id, method }) => {
                self.refuse(id, format!("Nothing can stream an answer to the call of '{method}'."));
            }
            Ok(ClientMessage::Completion { id: call, outcome }) => {
                let Identity { hub, id, .. } = &*self.identity;
                self.shared.world().answered(hub, id, &call, outcome);
            }
            Ok(ClientMessage::Close) => self.end(None),
            Ok(ClientMessage::Other) => {}
            Err(_) => self.end_with_error(),
        }
    }

    fn pass_on(&mut self, id: Option<String>, method: String, record: Bytes) {
        let url = self.shared.upstreams.url_of_call(&self.identity.hub, &method);
        match (url, &self.feed, id) {
            (Some(url), Some(feed), id) => {
                if feed.take(UpstreamCall { url, id, method, record }).is_err() {
                    self.end(Some("The upstream has too many calls of this client to answer."));
                }
            }
            (_, _, Some(id)) => {
                let error =
                    format!("No upstream is configured, so nothing can answer the call of '{method}'.");
                self.refuse(id, error);
            }
            (_, _, None) => {}
        }
    }

    fn refuse(&self, id: String, error: String) {
        self.recipient.tell(&ServerMessage::Completion { id, error: Some(error) }.into());
    }

    /// Ends the connection with ASP.NET Core's text for a client that broke the protocol.
    fn end_with_error(&mut self) {
        self.end(Some("Connection closed with an error."));
    }

    fn end(&mut self, error: Option<&str>) {
        self.failure = error.map(str::to_owned);
        match error {
            Some(_) => {
                self.recipient.end_with(&ServerMessage::Close { error: self.failure.clone() }.into());
            }
            None => self.outbox().close(),
        }
        self.phase = Phase::Over;
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Identity { hub, token, id, .. } = &*self.identity;
        self.shared.world().gone(hub, token, id);
        if let Some(feed) = self.feed.take() {
            feed.end(self.failure.take());
        }
    }
}
