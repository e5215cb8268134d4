//! One hub: who is connected, as which user, in which groups.
//!
//! Invariants: `users` and `groups` name only connections that are in `connections` and are never empty;
//! a connection's own set of groups holds every group that lists it.

use super::addressing::{JoinDuration, Subject, Target};
use super::calls::Calls;
use super::user_memberships::UserMemberships;
use crate::names::{ConnectionId, GroupName, UserId};
use crate::outbox::{Pushed, Recipient};
use crate::wire::hub_protocol::{Broadcast, CallResult, Invocation, ServerMessage};
use std::collections::{HashMap, HashSet};
use std::time::Instant;
use tokio::sync::oneshot;

#[derive(Default)]
pub(crate) struct Hub {
    connections: HashMap<ConnectionId, ConnectedClient>,
    users: HashMap<UserId, HashSet<ConnectionId>>,
    groups: HashMap<GroupName, HashMap<ConnectionId, Until>>,
    user_memberships: UserMemberships,
}

struct ConnectedClient {
    user: Option<UserId>,
    groups: HashSet<GroupName>,
    recipient: Recipient,
    calls: Calls,
}

/// When a connection's membership in a group ends by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    Disconnect,
    At(Instant),
}

/// How many clients a delivery reached.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DeliveryCounts {
    pub(crate) queued: u64,
    pub(crate) overflowed: u64,
}

impl Hub {
    pub(crate) fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.user_memberships.is_empty()
    }

    pub(crate) fn open(
        &mut self,
        id: ConnectionId,
        user: Option<UserId>,
        recipient: Recipient,
        now: Instant,
    ) {
        if let Some(user) = &user {
            self.users.entry(user.clone()).or_default().insert(id.clone());
        }
        let memberships = user.as_ref().map(|user| self.user_memberships.of(user, now)).unwrap_or_default();
        let connection = ConnectedClient { user, groups: HashSet::new(), recipient, calls: Calls::default() };
        self.connections.insert(id.clone(), connection);
        for (group, until) in memberships {
            self.add_to_group(&id, group, Until::At(until));
        }
    }

    pub(crate) fn remove(&mut self, id: &ConnectionId) -> Option<Recipient> {
        let connection = self.connections.remove(id)?;
        for group in &connection.groups {
            self.remove_from_group(id, group);
        }
        if let Some(user) = connection.user
            && let Some(ids) = self.users.get_mut(&user)
        {
            ids.remove(id);
            if ids.is_empty() {
                self.users.remove(&user);
            }
        }
        Some(connection.recipient)
    }

    pub(crate) fn recipients(&mut self, target: &Target, now: Instant) -> Vec<ConnectionId> {
        match target {
            Target::All => self.connections.keys().cloned().collect(),
            Target::Group(group) => self.members(group, now).collect(),
            Target::User(user) => self.users.get(user).into_iter().flatten().cloned().collect(),
            Target::Connection(id) => {
                self.connections.contains_key(id).then(|| id.clone()).into_iter().collect()
            }
        }
    }

    pub(crate) fn deliver(
        &mut self,
        target: &Target,
        excluded: &HashSet<ConnectionId>,
        message: &Broadcast,
        now: Instant,
    ) -> DeliveryCounts {
        let mut reached = DeliveryCounts::default();
        for id in self.recipients(target, now) {
            if excluded.contains(&id) {
                continue;
            }
            match self.connections[&id].recipient.tell(message) {
                Pushed::Queued => reached.queued += 1,
                Pushed::Overflow => reached.overflowed += 1,
                Pushed::Ended => {}
            }
        }
        reached
    }

    pub(crate) fn invoke(
        &mut self,
        id: &ConnectionId,
        invocation: Invocation,
    ) -> Option<oneshot::Receiver<CallResult>> {
        let connection = self.connections.get_mut(id)?;
        let (call, outcome) = connection.calls.begin();
        connection.recipient.tell(&ServerMessage::Call { id: call, invocation }.into());
        Some(outcome)
    }

    pub(crate) fn answered(&mut self, id: &ConnectionId, call: &str, outcome: CallResult) {
        if let Some(connection) = self.connections.get_mut(id) {
            connection.calls.end(call, outcome);
        }
    }

    pub(crate) fn exists(&mut self, subject: &Subject, now: Instant) -> bool {
        match subject {
            Subject::Connection(id) => self.connections.contains_key(id),
            Subject::User(user) => self.users.contains_key(user),
            Subject::Group(group) => self.members(group, now).next().is_some(),
            Subject::UserInGroup(user, group) => {
                let present = self.users.get(user).cloned().unwrap_or_default();
                self.members(group, now).any(|id| present.contains(&id))
                    || self.user_memberships.holds(user, group, now)
            }
        }
    }

    pub(crate) fn listed(&mut self, group: &GroupName, now: Instant) -> Vec<(ConnectionId, Option<UserId>)> {
        let members = self.members(group, now);
        let with_user = |id: ConnectionId| {
            let user = self.connections[&id].user.clone();
            (id, user)
        };
        let mut listed: Vec<_> = members.map(with_user).collect();
        listed.sort_by(|(one, _), (other, _)| one.0.cmp(&other.0));
        listed
    }

    pub(crate) fn join_connection(&mut self, id: ConnectionId, group: GroupName) -> bool {
        let known = self.connections.contains_key(&id);
        if known {
            self.add_to_group(&id, group, Until::Disconnect);
        }
        known
    }

    pub(crate) fn join_user(&mut self, user: UserId, group: GroupName, duration: JoinDuration, now: Instant) {
        let until = match duration {
            JoinDuration::PresentConnections => {
                self.user_memberships.forget(&user, &group);
                Until::Disconnect
            }
            JoinDuration::Default => Until::At(self.user_memberships.keep_by_default(&user, &group, now)),
            JoinDuration::For(time) => Until::At(self.user_memberships.keep_for(&user, &group, now, time)),
        };
        for id in self.users.get(&user).cloned().unwrap_or_default() {
            self.add_to_group(&id, group.clone(), until);
        }
    }

    pub(crate) fn leave_connection(&mut self, id: &ConnectionId, group: &GroupName) -> bool {
        let Some(connection) = self.connections.get_mut(id) else {
            return false;
        };
        connection.groups.remove(group);
        self.remove_from_group(id, group);
        true
    }

    pub(crate) fn leave_user(&mut self, user: &UserId, group: &GroupName) {
        self.user_memberships.forget(user, group);
        for id in self.users.get(user).cloned().unwrap_or_default() {
            self.leave_connection(&id, group);
        }
    }

    pub(crate) fn leave_all_connection(&mut self, id: &ConnectionId) {
        let Some(connection) = self.connections.get_mut(id) else {
            return;
        };
        for group in std::mem::take(&mut connection.groups) {
            self.remove_from_group(id, &group);
        }
    }

    pub(crate) fn leave_all_user(&mut self, user: &UserId) {
        self.user_memberships.forget_all(user);
        for id in self.users.get(user).cloned().unwrap_or_default() {
            self.leave_all_connection(&id);
        }
    }

    /// A membership that lasts as long as the connection is never replaced by a timed one; of two timed ones the
    /// newer counts. Does nothing for an id that is not connected.
    fn add_to_group(&mut self, id: &ConnectionId, group: GroupName, until: Until) {
        let Some(connection) = self.connections.get_mut(id) else { return };
        connection.groups.insert(group.clone());
        let current = self.groups.entry(group).or_default().entry(id.clone()).or_insert(until);
        if *current != Until::Disconnect {
            *current = until;
        }
    }

    /// The connections in a group. Those whose time is up are removed first.
    fn members(&mut self, group: &GroupName, now: Instant) -> impl Iterator<Item = ConnectionId> + use<> {
        let Some(members) = self.groups.get_mut(group) else {
            return Vec::new().into_iter();
        };
        members.retain(|_, until| match until {
            Until::Disconnect => true,
            Until::At(end) => now < *end,
        });
        let ids: Vec<ConnectionId> = members.keys().cloned().collect();
        if ids.is_empty() {
            self.groups.remove(group);
        }
        ids.into_iter()
    }

    fn remove_from_group(&mut self, id: &ConnectionId, group: &GroupName) {
        if let Some(members) = self.groups.get_mut(group) {
            members.remove(id);
            if members.is_empty() {
                self.groups.remove(group);
            }
        }
    }
}

#[cfg(test)]
mod tests;
