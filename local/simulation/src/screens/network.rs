//! The network of each screen: whether there is any, which connections it has, and whether they bring anything.

use std::collections::{BTreeMap, BTreeSet};

use crate::scenario::Moment;

/// One screen's network.
#[derive(Default)]
pub(super) struct Network {
    /// How often it broke: what was under way before is lost.
    pub(super) breaks: u64,
    offline_until: Moment,
    deaf_until: Moment,
    /// Connections that are up, by the page's number, with their ids at the service.
    open: BTreeMap<u64, String>,
    /// Connections that the page has ended, perhaps before they were up.
    ended: BTreeSet<u64>,
}

impl Network {
    /// It breaks; the connections that are lost with it.
    pub(super) fn break_until(&mut self, until: Moment) -> BTreeMap<u64, String> {
        self.breaks += 1;
        self.offline_until = self.offline_until.max(until);
        std::mem::take(&mut self.open)
    }

    pub(super) fn deafen_until(&mut self, until: Moment) {
        self.deaf_until = self.deaf_until.max(until);
    }

    pub(super) fn is_offline(&self, now: Moment) -> bool {
        now < self.offline_until
    }

    pub(super) fn is_deaf(&self, now: Moment) -> bool {
        now < self.deaf_until
    }

    /// A connection is up. False when nobody wants it any more.
    pub(super) fn opened(&mut self, connection: u64, id: &str) -> bool {
        let wanted = !self.ended.contains(&connection);
        if wanted {
            self.open.insert(connection, id.to_owned());
        }
        wanted
    }

    /// The page has ended a connection; its id, if it was up.
    pub(super) fn ended(&mut self, connection: u64) -> Option<String> {
        self.ended.insert(connection);
        self.open.remove(&connection)
    }
}
