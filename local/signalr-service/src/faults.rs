//! Fault injection and stepped mode: makes the service fail, or delay its sends, for a test.

use crate::timings::now;
use crate::world::World;
use axum::http::StatusCode;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Switches for tests. Scripted faults apply to REST calls in the order they were scripted, one each, before any
/// other check. Health checks are REST calls as well.
pub struct Faults {
    script: Mutex<FaultScript>,
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct FaultScript {
    rest: VecDeque<RestFault>,
    every_nth: Option<EveryNth>,
    delay: Duration,
    refused_clients: Option<StatusCode>,
}

struct EveryNth {
    nth: usize,
    calls: usize,
    status: StatusCode,
}

/// What happens to one REST call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RestFault {
    /// Answered with the status; no effect.
    Fail { status: StatusCode, retry_after: Option<Duration> },
    /// No effect, and the socket closes without an answer.
    DropBefore,
    /// The call takes effect, and the socket closes without an answer.
    DropAfter,
}

impl Faults {
    pub(crate) fn new(world: Arc<Mutex<World>>) -> Faults {
        Faults { script: Mutex::default(), world }
    }

    /// The next `count` REST calls are answered with `status` and have no effect.
    ///
    /// # Panics
    /// `status` is no HTTP status.
    pub fn fail_next(&self, count: usize, status: u16) {
        self.add_faults(count, RestFault::Fail { status: http_status(status), retry_after: None });
    }

    /// As [`Faults::fail_next`], with a `Retry-After` header in whole seconds.
    ///
    /// # Panics
    /// `status` is no HTTP status.
    pub fn fail_next_with_retry_after(&self, count: usize, status: u16, retry_after: Duration) {
        let status = http_status(status);
        self.add_faults(count, RestFault::Fail { status, retry_after: Some(retry_after) });
    }

    /// Every `nth` REST call from now on is answered with `status` and has no effect. Calls with a scripted fault
    /// are not counted.
    ///
    /// # Panics
    /// `nth` is zero, or `status` is no HTTP status.
    pub fn fail_every(&self, nth: usize, status: u16) {
        assert!(nth > 0, "every call is every first one");
        let status = http_status(status);
        self.script().every_nth = Some(EveryNth { nth, calls: 0, status });
    }

    /// The next `count` sends are accepted and answered, but delivered to no one.
    pub fn lose_next_sends(&self, count: usize) {
        self.world().lose_sends(count);
    }

    /// The next `count` REST calls have no effect; their sockets close without an answer.
    pub fn drop_next_before_effect(&self, count: usize) {
        self.add_faults(count, RestFault::DropBefore);
    }

    /// The next `count` REST calls take effect; their sockets close without an answer.
    pub fn drop_next_after_effect(&self, count: usize) {
        self.add_faults(count, RestFault::DropAfter);
    }

    /// Every REST reply waits this long after the call took effect. Zero ends it.
    pub fn delay_replies(&self, delay: Duration) {
        self.script().delay = delay;
    }

    /// Negotiations and new connections are answered with `status`, e.g. 429 for a used-up quota.
    /// Connected clients stay.
    ///
    /// # Panics
    /// `status` is no HTTP status.
    pub fn refuse_clients(&self, status: u16) {
        self.script().refused_clients = Some(http_status(status));
    }

    /// Ends [`Faults::refuse_clients`].
    pub fn accept_clients(&self) {
        self.script().refused_clients = None;
    }

    /// Drops the sockets of all clients, in or after their handshake, without a close message.
    pub fn cut_clients(&self) {
        self.world().cut_clients();
    }

    /// Stepped mode: from now on sends are accepted and answered, but held. [`Counts::sends_held`] is their number.
    /// The recipients of a send are those who are connected when it is released.
    ///
    /// [`Counts::sends_held`]: crate::Counts::sends_held
    pub fn hold_sends(&self) {
        self.world().hold_sends();
    }

    /// Delivers the oldest `count` held sends in their order; returns how many there were.
    pub fn release_sends(&self, count: usize) -> usize {
        self.world().release(count, now())
    }

    /// Delivers all held sends and ends stepped mode.
    pub fn release_all_sends(&self) {
        self.world().release_all(now());
    }

    /// Removes every fault that has not happened yet. Held sends stay held.
    pub fn clear(&self) {
        *self.script() = FaultScript::default();
        self.world().lose_sends(0);
    }

    pub(crate) fn next_rest(&self) -> Option<RestFault> {
        let mut script = self.script();
        script.rest.pop_front().or_else(|| script.every_nth.as_mut()?.next())
    }

    pub(crate) fn delay(&self) -> Duration {
        self.script().delay
    }

    pub(crate) fn refused_clients(&self) -> Option<StatusCode> {
        self.script().refused_clients
    }

    fn add_faults(&self, count: usize, fault: RestFault) {
        self.script().rest.extend(std::iter::repeat_n(fault, count));
    }

    fn script(&self) -> MutexGuard<'_, FaultScript> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EveryNth {
    fn next(&mut self) -> Option<RestFault> {
        self.calls += 1;
        let is_hit = self.calls.is_multiple_of(self.nth);
        is_hit.then_some(RestFault::Fail { status: self.status, retry_after: None })
    }
}

fn http_status(status: u16) -> StatusCode {
    StatusCode::from_u16(status).expect("faults are given an HTTP status")
}
