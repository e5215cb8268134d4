//! The state of the service: hubs, connections, groups, users, and accepted sends. Pure: the time is a parameter and
//! there is no I/O; frames leave through the clients' outboxes.

mod addressing;
mod arrivals;
mod calls;
mod hub;
mod user_memberships;

pub(crate) use addressing::{JoinDuration, Member, Subject, Target};
pub(crate) use arrivals::{AttachedTransport, ClaimRefusal};

use crate::counts::{Counts, Tally};
use crate::names::{ConnectionId, ConnectionToken, GroupName, HubName, UserId};
use crate::outbox::Recipient;
use crate::transport::InboundChannel;
use crate::wire::hub_protocol::{Broadcast, CallResult, Invocation};
use arrivals::Arrivals;
use hub::{DeliveryCounts, Hub};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Instant;
use tokio::sync::oneshot;

/// A connection that completed its handshake.
pub(crate) struct OpenedConnection {
    pub(crate) hub: HubName,
    pub(crate) id: ConnectionId,
    pub(crate) user: Option<UserId>,
    pub(crate) recipient: Recipient,
}

/// A message accepted for delivery.
pub(crate) struct Send {
    pub(crate) hub: HubName,
    pub(crate) to: Target,
    pub(crate) excluded: HashSet<ConnectionId>,
    pub(crate) message: Broadcast,
}

pub(crate) struct World {
    hubs: HashMap<HubName, Hub>,
    arrivals: Arrivals,
    /// `Some` while sends are held, oldest first.
    held: Option<VecDeque<Send>>,
    /// How many of the next sends are lost.
    losses: usize,
    tally: Tally,
}

impl World {
    pub(crate) fn new(tally: Tally) -> World {
        World { hubs: HashMap::new(), arrivals: Arrivals::default(), held: None, losses: 0, tally }
    }

    /// Adds a negotiated connection, which can be claimed until `until`.
    pub(crate) fn negotiated(
        &mut self,
        hub: HubName,
        token: ConnectionToken,
        id: ConnectionId,
        now: Instant,
        until: Instant,
    ) {
        self.arrivals.negotiated(hub, token, id, now, until);
    }

    /// A client claims the connection it negotiated. The claim lasts until [`World::gone`].
    pub(crate) fn claim(
        &mut self,
        hub: &HubName,
        token: &ConnectionToken,
        attached: AttachedTransport,
        now: Instant,
    ) -> Result<ConnectionId, ClaimRefusal> {
        self.arrivals.claim(hub, token, attached, now)
    }

    /// A client connects without having negotiated.
    pub(crate) fn arrived(
        &mut self,
        hub: HubName,
        token: ConnectionToken,
        id: ConnectionId,
        attached: AttachedTransport,
    ) {
        self.arrivals.arrived(hub, token, id, attached);
    }

    /// The inbound channel of the connection that was claimed with `token` at `hub`.
    pub(crate) fn inbound(&self, hub: &HubName, token: &ConnectionToken) -> Option<InboundChannel> {
        self.arrivals.inbound(hub, token)
    }

    /// From now on the connection receives messages.
    pub(crate) fn open(&mut self, opened: OpenedConnection, now: Instant) {
        let OpenedConnection { hub, id, user, recipient } = opened;
        self.hubs.entry(hub).or_default().open(id, user, recipient, now);
        self.tally.add(|counts| {
            counts.clients += 1;
            counts.clients_ever += 1;
        });
    }

    /// The connection's transport is gone. Does nothing when the connection never opened or was closed before.
    pub(crate) fn gone(&mut self, hub: &HubName, token: &ConnectionToken, id: &ConnectionId) {
        self.arrivals.gone(token);
        let Some(known) = self.hubs.get_mut(hub) else {
            return;
        };
        if known.remove(id).is_some() {
            self.tally.add(|counts| counts.clients -= 1);
        }
        if known.is_empty() {
            self.hubs.remove(hub);
        }
    }

    /// Accepts a send: delivers it, keeps it while sends are held, or loses it.
    pub(crate) fn send(&mut self, send: Send, now: Instant) {
        self.tally.add(|counts| counts.sends_accepted += 1);
        if let Some(left) = self.losses.checked_sub(1) {
            self.losses = left;
            return self.tally.add(|counts| counts.sends_lost += 1);
        }
        match &mut self.held {
            Some(held) => {
                held.push_back(send);
                self.tally.add(|counts| counts.sends_held += 1);
            }
            None => self.deliver(&send, now),
        }
    }

    /// Calls a method of one client. The result arrives later, or never when the connection ends. `None` when the
    /// connection is unknown. Calls are not held with the sends.
    pub(crate) fn invoke(
        &mut self,
        hub: &HubName,
        id: &ConnectionId,
        invocation: Invocation,
    ) -> Option<oneshot::Receiver<CallResult>> {
        self.hubs.get_mut(hub)?.invoke(id, invocation)
    }

    /// A client answered its call `call`.
    pub(crate) fn answered(&mut self, hub: &HubName, id: &ConnectionId, call: &str, outcome: CallResult) {
        if let Some(hub) = self.hubs.get_mut(hub) {
            hub.answered(id, call, outcome);
        }
    }

    pub(crate) fn lose_sends(&mut self, count: usize) {
        self.losses = count;
    }

    pub(crate) fn hold_sends(&mut self) {
        self.held.get_or_insert_default();
    }

    /// Delivers the oldest `count` held sends, in the order in which they were accepted, to those who are connected
    /// now.
    pub(crate) fn release(&mut self, count: usize, now: Instant) -> usize {
        let Some(held) = &mut self.held else { return 0 };
        let count = count.min(held.len());
        let released: Vec<Send> = held.drain(..count).collect();
        self.tally.add(|counts| counts.sends_held -= count as u64);
        for send in &released {
            self.deliver(send, now);
        }
        count
    }

    /// Delivers all held sends, and holds no further ones.
    pub(crate) fn release_all(&mut self, now: Instant) {
        self.release(usize::MAX, now);
        self.held = None;
    }

    /// Sends `last_message` to the target's connections and ends them after it. Returns how many there were.
    pub(crate) fn close(
        &mut self,
        hub: &HubName,
        whom: &Target,
        excluded: &HashSet<ConnectionId>,
        last_message: &Broadcast,
        now: Instant,
    ) -> usize {
        let Some(hub) = self.hubs.get_mut(hub) else {
            return 0;
        };
        let leaving: Vec<ConnectionId> =
            hub.recipients(whom, now).into_iter().filter(|id| !excluded.contains(id)).collect();
        for recipient in leaving.iter().filter_map(|id| hub.remove(id)) {
            recipient.end_with(last_message);
        }
        self.tally.add(|counts| counts.clients -= leaving.len() as u64);
        leaving.len()
    }

    /// Drops every client, in or after its handshake, without a close message.
    pub(crate) fn cut_clients(&mut self) {
        self.arrivals.cut();
    }

    pub(crate) fn exists(&mut self, hub: &HubName, subject: &Subject, now: Instant) -> bool {
        self.hubs.get_mut(hub).is_some_and(|hub| hub.exists(subject, now))
    }

    /// The connections in a group and their users, in the order of their ids.
    pub(crate) fn members(
        &mut self,
        hub: &HubName,
        group: &GroupName,
        now: Instant,
    ) -> Vec<(ConnectionId, Option<UserId>)> {
        self.hubs.get_mut(hub).map(|hub| hub.listed(group, now)).unwrap_or_default()
    }

    /// `false` when the connection is unknown. A user need not be connected: the membership is remembered.
    pub(crate) fn join(
        &mut self,
        hub: &HubName,
        member: Member,
        group: GroupName,
        duration: JoinDuration,
        now: Instant,
    ) -> bool {
        match member {
            Member::Connection(id) => {
                self.hubs.get_mut(hub).is_some_and(|hub| hub.join_connection(id, group))
            }
            Member::User(user) => {
                self.hubs.entry(hub.clone()).or_default().join_user(user, group, duration, now);
                true
            }
        }
    }

    /// `false` when the connection is unknown; a member that is not in the group is no error.
    pub(crate) fn leave(&mut self, hub: &HubName, member: &Member, group: &GroupName) -> bool {
        match (member, self.hubs.get_mut(hub)) {
            (Member::Connection(id), hub) => hub.is_some_and(|hub| hub.leave_connection(id, group)),
            (Member::User(user), Some(hub)) => {
                hub.leave_user(user, group);
                true
            }
            (Member::User(_), None) => true,
        }
    }

    pub(crate) fn leave_all(&mut self, hub: &HubName, member: &Member) {
        let Some(hub) = self.hubs.get_mut(hub) else { return };
        match member {
            Member::Connection(id) => hub.leave_all_connection(id),
            Member::User(user) => hub.leave_all_user(user),
        }
    }

    fn deliver(&mut self, send: &Send, now: Instant) {
        let Some(hub) = self.hubs.get_mut(&send.hub) else {
            return;
        };
        let DeliveryCounts { queued, overflowed } = hub.deliver(&send.to, &send.excluded, &send.message, now);
        self.tally.add(|counts: &mut Counts| {
            counts.messages_delivered += queued;
            counts.clients_too_slow += overflowed;
        });
    }
}
