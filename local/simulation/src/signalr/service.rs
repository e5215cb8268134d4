//! What the service does: it keeps connections and groups, and lets messages travel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Response, StatusCode};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::sleep;

use super::call::{RestCall, absent, answer};
use super::hub::{Audience, Hub, Message};
use crate::plan::SignalRTrouble;
use crate::scenario::Moment;
use crate::world::World;

/// The service.
pub(crate) struct SignalR {
    pub(super) world: Arc<World>,
    hub: Mutex<Hub>,
}

/// A screen's end of a connection.
pub(crate) struct Connection {
    pub(crate) id: String,
    pub(crate) messages: UnboundedReceiver<Arc<Message>>,
}

impl SignalR {
    pub(crate) fn new(world: &Arc<World>) -> SignalR {
        SignalR { world: Arc::clone(world), hub: Mutex::default() }
    }

    /// Opens a connection, which is in no group.
    pub(crate) fn connect(&self) -> Connection {
        let (outbox, messages) = unbounded_channel();
        Connection { id: self.hub().open(outbox), messages }
    }

    /// Notices that a connection has ended.
    pub(crate) fn close(&self, id: &str) {
        self.hub().close(id, self.world.now());
    }

    /// Does what a call asks for.
    pub(super) fn perform(
        self: &Arc<SignalR>,
        call: RestCall,
        number: u64,
        trouble: Option<SignalRTrouble>,
    ) -> Response<Bytes> {
        let now = self.world.now();
        match call {
            RestCall::Send(to, message) => self.send(&to, message, number, trouble),
            RestCall::GroupExists(group) => {
                let age = if let Some(SignalRTrouble::Stale(age)) = trouble { age } else { 0 };
                self.world.count("questions about groups");
                let has_members = self.hub().had_members(&group, now.saturating_sub(age));
                self.world.tell(|| {
                    format!("signalr: {group} has {} members", if has_members { "some" } else { "no" })
                });
                found(has_members, "Warning.Group.NotExisted")
            }
            RestCall::ConnectionExists(id) => found(self.hub().is_open(&id), "Warning.Connection.NotExisted"),
            RestCall::Join { connection, group } => {
                self.world.tell(|| format!("signalr: {connection} joins {group}"));
                let joined = self.hub().join(&connection, &group, now);
                found(joined, "Error.Connection.NotExisted")
            }
            RestCall::Leave { connection, group } => {
                self.world.tell(|| format!("signalr: {connection} leaves {group}"));
                let left = self.hub().leave(&connection, &group, now);
                found(left, "Error.Connection.NotExisted")
            }
        }
    }

    fn send(
        self: &Arc<SignalR>,
        to: &Audience,
        message: Message,
        number: u64,
        trouble: Option<SignalRTrouble>,
    ) -> Response<Bytes> {
        let receivers = self.hub().receivers(to);
        self.world.count("messages sent");
        self.world
            .tell(|| format!("signalr: a message to {to:?}, which {} connections hear", receivers.len()));
        let message = Arc::new(message);
        let late: &[Moment] = match trouble {
            Some(SignalRTrouble::Unheard) => &[],
            Some(SignalRTrouble::Late(late)) => &[late],
            Some(SignalRTrouble::Doubled(again)) => &[0, again],
            _ => &[0],
        };
        for late in late {
            for receiver in &receivers {
                let mut dice = self.world.dice(&format!("message to {receiver}"), number);
                self.travel(receiver.clone(), &message, late + dice.between(1, 60));
            }
        }
        answer(StatusCode::ACCEPTED)
    }

    /// A message reaches a connection at a moment of its own.
    fn travel(self: &Arc<SignalR>, receiver: String, message: &Arc<Message>, delay: Moment) {
        let (service, message, under_way) = (Arc::clone(self), Arc::clone(message), self.world.begin());
        tokio::spawn(async move {
            sleep(Duration::from_millis(delay)).await;
            if service.hub().deliver(&receiver, &message) {
                service.world.count("messages heard");
            }
            drop(under_way);
        });
    }

    fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn found(found: bool, code: &'static str) -> Response<Bytes> {
    if found { answer(StatusCode::OK) } else { absent(code) }
}
