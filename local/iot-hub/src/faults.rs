//! Fault injection: makes the next sends or reads fail or wait, so that devices and readers can be tested.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

/// Where in a send the failure happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPoint {
    /// The event is not stored: sending it again is right.
    BeforeStored,
    /// The event is stored and the acknowledgement is lost: sending it again makes a duplicate.
    AfterStored,
}

/// The faults of one hub. Every call takes effect at once. A send that the hub refuses anyway does not use up a fault.
#[derive(Debug, Default)]
pub struct Faults(Mutex<FaultScript>);

#[derive(Debug, Default)]
struct FaultScript {
    sends: Runs<SendFailure>,
    reads: Runs<StatusCode>,
    send_delay: Duration,
}

/// What happens next, as (how often, what): a run of any length is one entry.
type Runs<T> = VecDeque<(usize, T)>;

fn next<T: Copy>(runs: &mut Runs<T>) -> Option<T> {
    let (left, what) = runs.front_mut()?;
    let what = *what;
    *left -= 1;
    if *left == 0 {
        runs.pop_front();
    }
    Some(what)
}

/// A failure of one send.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SendFailure {
    pub(crate) status: StatusCode,
    pub(crate) point: FaultPoint,
}

impl Faults {
    /// Fails the next `count` sends with `status`; further calls add to the queue.
    pub fn fail_sends(&self, count: usize, status: StatusCode, point: FaultPoint) {
        if count > 0 {
            self.script().sends.push_back((count, SendFailure { status, point }));
        }
    }

    /// Fails the next `count` reads of a partition with `status`; further calls add to the queue.
    pub fn fail_reads(&self, count: usize, status: StatusCode) {
        if count > 0 {
            self.script().reads.push_back((count, status));
        }
    }

    /// Delays every send this long before it is stored. `Duration::ZERO` ends it.
    pub fn delay_sends(&self, delay: Duration) {
        self.script().send_delay = delay;
    }

    /// Forgets every fault not yet used.
    pub fn clear(&self) {
        *self.script() = FaultScript::default();
    }

    pub(crate) fn next_send(&self) -> (Duration, Option<SendFailure>) {
        let mut script = self.script();
        (script.send_delay, next(&mut script.sends))
    }

    pub(crate) fn next_read(&self) -> Option<StatusCode> {
        next(&mut self.script().reads)
    }

    fn script(&self) -> MutexGuard<'_, FaultScript> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
