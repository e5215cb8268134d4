//! Connections by their secret token: negotiated and waiting to be claimed, or claimed and in use.

use crate::names::{ConnectionId, ConnectionToken, HubName};
use crate::outbox::Outbox;
use crate::transport::{Door, Transport};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Why a token does not lead to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimRefusal {
    /// Never negotiated at this hub, over, or not used in time.
    Unknown,
    /// It was claimed before, for this transport.
    InUse(Transport),
}

/// A connection whose transport is there.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) door: Door,
}

#[derive(Default)]
pub(crate) struct Arrivals {
    places: HashMap<ConnectionToken, Place>,
    /// Negotiated tokens by deadline. Every negotiation gets the same time, so the front is the first due;
    /// claimed ones stay until their turn comes.
    due: VecDeque<(Instant, ConnectionToken)>,
}

struct Place {
    hub: HubName,
    id: ConnectionId,
    state: State,
}

enum State {
    Negotiated,
    InUse(Line),
}

impl Arrivals {
    pub(crate) fn negotiated(
        &mut self,
        hub: HubName,
        token: ConnectionToken,
        id: ConnectionId,
        now: Instant,
        until: Instant,
    ) {
        self.drop_unused(now);
        self.due.push_back((until, token.clone()));
        self.places.insert(token, Place { hub, id, state: State::Negotiated });
    }

    pub(crate) fn arrived(&mut self, hub: HubName, token: ConnectionToken, id: ConnectionId, line: Line) {
        self.places.insert(token, Place { hub, id, state: State::InUse(line) });
    }

    pub(crate) fn claim(
        &mut self,
        hub: &HubName,
        token: &ConnectionToken,
        line: Line,
        now: Instant,
    ) -> Result<ConnectionId, ClaimRefusal> {
        self.drop_unused(now);
        let place = self.places.get_mut(token).filter(|place| place.hub == *hub);
        let place = place.ok_or(ClaimRefusal::Unknown)?;
        if let State::InUse(line) = &place.state {
            return Err(ClaimRefusal::InUse(line.door.transport()));
        }
        place.state = State::InUse(line);
        Ok(place.id.clone())
    }

    pub(crate) fn door(&self, hub: &HubName, token: &ConnectionToken) -> Option<Door> {
        let place = self.places.get(token).filter(|place| place.hub == *hub)?;
        match &place.state {
            State::InUse(line) => Some(line.door.clone()),
            State::Negotiated => None,
        }
    }

    pub(crate) fn gone(&mut self, token: &ConnectionToken) {
        self.places.remove(token);
    }

    pub(crate) fn cut(&self) {
        for place in self.places.values() {
            if let State::InUse(line) = &place.state {
                line.outbox.cut();
            }
        }
    }

    fn drop_unused(&mut self, now: Instant) {
        while let Some((_, token)) = self.due.pop_front_if(|(until, _)| *until <= now) {
            if matches!(self.places.get(&token), Some(Place { state: State::Negotiated, .. })) {
                self.places.remove(&token);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn negotiate(arrivals: &mut Arrivals, name: &str, now: Instant) -> ConnectionToken {
        let token = ConnectionToken(name.to_owned());
        let hub = HubName::of_client("chat").unwrap();
        arrivals.negotiated(hub, token.clone(), ConnectionId("c".into()), now, now + Duration::from_secs(15));
        token
    }

    #[test]
    fn unused_negotiations_do_not_pile_up_and_used_ones_stay() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        let used = negotiate(&mut arrivals, "used", start);
        negotiate(&mut arrivals, "unused", start);
        let hub = HubName::of_client("chat").unwrap();
        let line = Line { outbox: Arc::default(), door: Door::WebSockets };
        assert!(arrivals.claim(&hub, &used, line, start + Duration::from_secs(14)).is_ok());
        let later = start + Duration::from_secs(15);
        negotiate(&mut arrivals, "late", later);
        assert_eq!(arrivals.places.len(), 2, "the used and the late one");
        assert_eq!(arrivals.due.len(), 1);
        assert!(arrivals.door(&hub, &used).is_some());
    }
}
