//! The hub as it really is: who is connected, and who is in which group, now and a moment ago.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::value::RawValue;
use tokio::sync::mpsc::UnboundedSender;

use crate::scenario::Moment;

/// A message as it travels: a target and its arguments.
#[derive(Debug)]
pub(crate) struct Message {
    pub(crate) target: String,
    pub(crate) arguments: Box<RawValue>,
}

/// Where messages to a connection go.
pub(super) type Outbox = UnboundedSender<Arc<Message>>;

/// Whom a message is for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Audience {
    All,
    Group(String),
    Connection(String),
}

/// Connections and groups.
#[derive(Default)]
pub(super) struct Hub {
    opened: u64,
    connections: BTreeMap<String, Outbox>,
    groups: BTreeMap<String, Group>,
}

#[derive(Default)]
struct Group {
    members: BTreeSet<String>,
    /// When it got its first member, lost its last one, and so on in turn.
    turns: Vec<Moment>,
}

impl Group {
    fn note(&mut self, now: Moment) {
        let has_members = self.turns.len() % 2 == 1;
        if has_members == self.members.is_empty() {
            self.turns.push(now);
        }
    }

    fn had_members(&self, at: Moment) -> bool {
        self.turns.iter().take_while(|turn| **turn <= at).count() % 2 == 1
    }
}

impl Hub {
    /// A new connection and its id.
    pub(super) fn open(&mut self, outbox: Outbox) -> String {
        let id = format!("connection-{}", self.opened);
        self.opened += 1;
        self.connections.insert(id.clone(), outbox);
        id
    }

    pub(super) fn close(&mut self, id: &str, now: Moment) {
        self.connections.remove(id);
        for group in self.groups.values_mut() {
            group.members.remove(id);
            group.note(now);
        }
    }

    pub(super) fn is_open(&self, id: &str) -> bool {
        self.connections.contains_key(id)
    }

    /// False when there is no such connection.
    pub(super) fn join(&mut self, id: &str, group: &str, now: Moment) -> bool {
        if !self.is_open(id) {
            return false;
        }
        let group = self.groups.entry(group.to_owned()).or_default();
        group.members.insert(id.to_owned());
        group.note(now);
        true
    }

    /// False when there is no such connection.
    pub(super) fn leave(&mut self, id: &str, group: &str, now: Moment) -> bool {
        if let Some(group) = self.groups.get_mut(group) {
            group.members.remove(id);
            group.note(now);
        }
        self.is_open(id)
    }

    pub(super) fn had_members(&self, group: &str, at: Moment) -> bool {
        self.groups.get(group).is_some_and(|group| group.had_members(at))
    }

    /// The connections that a message goes to.
    pub(super) fn receivers(&self, to: &Audience) -> Vec<String> {
        match to {
            Audience::All => self.connections.keys().cloned().collect(),
            Audience::Group(group) => self
                .groups
                .get(group)
                .map(|group| group.members.iter().cloned().collect())
                .unwrap_or_default(),
            Audience::Connection(id) => self.connections.keys().filter(|open| *open == id).cloned().collect(),
        }
    }

    /// A message reaches a connection, if that is still open.
    pub(super) fn deliver(&self, id: &str, message: &Arc<Message>) -> bool {
        self.connections.get(id).is_some_and(|outbox| outbox.send(Arc::clone(message)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    #[test]
    fn a_group_remembers_when_it_had_members() {
        let (outbox, _inbox) = unbounded_channel();
        let mut hub = Hub::default();
        let (one, other) = (hub.open(outbox.clone()), hub.open(outbox));
        assert!(hub.join(&one, "g", 10) && hub.join(&other, "g", 20));
        assert!(hub.leave(&one, "g", 30));
        hub.close(&other, 40);
        assert!(!hub.join(&other, "g", 50), "it is closed");
        assert!(hub.join(&one, "g", 60));
        let had: Vec<Moment> = (0..8).map(|at| at * 10).filter(|at| hub.had_members("g", *at)).collect();
        assert_eq!(had, [10, 20, 30, 60, 70]);
        assert_eq!(hub.receivers(&Audience::Group("g".to_owned())), [one]);
    }
}
