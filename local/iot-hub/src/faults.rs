//! Faults on request: makes the next sends or reads fail or wait, so that devices and readers can be tested.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;

/// Where in a send the failure happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultPoint {
    /// The event was not stored: sending again is right.
    BeforeStored,
    /// The event was stored and the acknowledgement lost: sending again makes a duplicate.
    AfterStored,
}

/// The faults of one hub; every call takes effect at once. Sends that the hub refuses anyway use up no fault.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    sends: Runs<Failure>,
    reads: Runs<StatusCode>,
    send_delay: Duration,
}

/// What to do next, as (how often, what): a run of any length takes one entry.
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

/// One failure to come.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) point: FaultPoint,
}

impl Faults {
    /// Fails the next `count` sends with `status`; further calls queue behind.
    pub fn fail_sends(&self, count: usize, status: StatusCode, point: FaultPoint) {
        if count > 0 {
            self.plan().sends.push_back((count, Failure { status, point }));
        }
    }

    /// Fails the next `count` reads of a partition with `status`; further calls queue behind.
    pub fn fail_reads(&self, count: usize, status: StatusCode) {
        if count > 0 {
            self.plan().reads.push_back((count, status));
        }
    }

    /// Holds every send for this long before it is stored. `Duration::ZERO` ends it.
    pub fn delay_sends(&self, delay: Duration) {
        self.plan().send_delay = delay;
    }

    /// Forgets every fault not yet used.
    pub fn clear(&self) {
        *self.plan() = Plan::default();
    }

    pub(crate) fn next_send(&self) -> (Duration, Option<Failure>) {
        let mut plan = self.plan();
        (plan.send_delay, next(&mut plan.sends))
    }

    pub(crate) fn next_read(&self) -> Option<StatusCode> {
        next(&mut self.plan().reads)
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
