//! Counters of the service, published so that a test can wait for a condition instead of sleeping.

use std::time::Duration;
use tokio::sync::watch;

/// Numbers since the start, except for fields that say "now".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// REST calls that arrived, health checks and refused ones included.
    pub rest_calls: u64,
    /// REST calls and client requests answered with 401.
    pub unauthorized: u64,
    /// Sends that took effect: one per REST call, however many clients it reached. A held send counts as soon as it
    /// is accepted.
    pub sends_accepted: u64,
    /// Accepted sends that are held now, see [`Faults::hold_sends`](crate::Faults::hold_sends).
    pub sends_held: u64,
    /// Accepted sends that were lost, see [`Faults::lose_next_sends`](crate::Faults::lose_next_sends).
    pub sends_lost: u64,
    /// Messages queued to clients: one per client that a send reached.
    pub messages_delivered: u64,
    /// Clients that are connected now, with the hub handshake done.
    pub clients: u64,
    /// Clients that ever completed the hub handshake.
    pub clients_ever: u64,
    /// Clients dropped because they did not read what was sent to them.
    pub clients_too_slow: u64,
}

/// The shared, writable side of [`Counts`].
#[derive(Clone)]
pub(crate) struct Tally(watch::Sender<Counts>);

impl Tally {
    pub(crate) fn new() -> Tally {
        Tally(watch::Sender::new(Counts::default()))
    }

    pub(crate) fn add(&self, change: impl FnOnce(&mut Counts)) {
        self.0.send_modify(change);
    }

    pub(crate) fn get(&self) -> Counts {
        *self.0.borrow()
    }

    pub(crate) async fn when(
        &self,
        deadline: Duration,
        wanted: impl Fn(&Counts) -> bool,
    ) -> Result<Counts, Counts> {
        let mut counts = self.0.subscribe();
        let reached = tokio::time::timeout(deadline, counts.wait_for(|counts| wanted(counts))).await;
        match reached {
            Ok(Ok(counts)) => Ok(*counts),
            Ok(Err(_)) | Err(_) => Err(self.get()),
        }
    }
}
