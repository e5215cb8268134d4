//! Connections by their secret token: negotiated and waiting to be claimed, or claimed and in use.

use crate::names::{ConnectionId, ConnectionToken, HubName};
use crate::outbox::Outbox;
use crate::transport::{InboundChannel, Transport};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Why a connection cannot be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimRefusal {
    /// The token was never negotiated at this hub, has ended, or was not used in time.
    Unknown,
    /// It was claimed before, for this transport.
    InUse(Transport),
}

/// The transport of a claimed connection.
#[derive(Clone)]
pub(crate) struct AttachedTransport {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) inbound: InboundChannel,
}

#[derive(Default)]
pub(crate) struct Arrivals {
    by_token: HashMap<ConnectionToken, Arrival>,
    /// Negotiated tokens by deadline. Every negotiation has the same time, so the front is due first. Claimed tokens
    /// stay in the list until they are due.
    due: VecDeque<(Instant, ConnectionToken)>,
}

struct Arrival {
    hub: HubName,
    id: ConnectionId,
    state: ArrivalState,
}

enum ArrivalState {
    Negotiated,
    InUse(AttachedTransport),
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
        self.by_token.insert(token, Arrival { hub, id, state: ArrivalState::Negotiated });
    }

    pub(crate) fn arrived(
        &mut self,
        hub: HubName,
        token: ConnectionToken,
        id: ConnectionId,
        attached: AttachedTransport,
    ) {
        self.by_token.insert(token, Arrival { hub, id, state: ArrivalState::InUse(attached) });
    }

    pub(crate) fn claim(
        &mut self,
        hub: &HubName,
        token: &ConnectionToken,
        attached: AttachedTransport,
        now: Instant,
    ) -> Result<ConnectionId, ClaimRefusal> {
        self.drop_unused(now);
        let arrival = self.by_token.get_mut(token).filter(|arrival| arrival.hub == *hub);
        let arrival = arrival.ok_or(ClaimRefusal::Unknown)?;
        if let ArrivalState::InUse(attached) = &arrival.state {
            return Err(ClaimRefusal::InUse(attached.inbound.transport()));
        }
        arrival.state = ArrivalState::InUse(attached);
        Ok(arrival.id.clone())
    }

    pub(crate) fn inbound(&self, hub: &HubName, token: &ConnectionToken) -> Option<InboundChannel> {
        let arrival = self.by_token.get(token).filter(|arrival| arrival.hub == *hub)?;
        match &arrival.state {
            ArrivalState::InUse(attached) => Some(attached.inbound.clone()),
            ArrivalState::Negotiated => None,
        }
    }

    pub(crate) fn gone(&mut self, token: &ConnectionToken) {
        self.by_token.remove(token);
    }

    pub(crate) fn cut(&self) {
        for arrival in self.by_token.values() {
            if let ArrivalState::InUse(attached) = &arrival.state {
                attached.outbox.cut();
            }
        }
    }

    fn drop_unused(&mut self, now: Instant) {
        while let Some((_, token)) = self.due.pop_front_if(|(until, _)| *until <= now) {
            if matches!(self.by_token.get(&token), Some(Arrival { state: ArrivalState::Negotiated, .. })) {
                self.by_token.remove(&token);
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
        let attached = AttachedTransport { outbox: Arc::default(), inbound: InboundChannel::WebSockets };
        assert!(arrivals.claim(&hub, &used, attached, start + Duration::from_secs(14)).is_ok());
        let later = start + Duration::from_secs(15);
        negotiate(&mut arrivals, "late", later);
        assert_eq!(arrivals.by_token.len(), 2, "the used and the late one");
        assert_eq!(arrivals.due.len(), 1);
        assert!(arrivals.inbound(&hub, &used).is_some());
    }
}
