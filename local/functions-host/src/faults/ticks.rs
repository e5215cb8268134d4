//! Stepped mode of timers: ticks that a test orders, instead of those of the clock.

use std::collections::{BTreeMap, VecDeque};

/// One tick of a timer, as the real host may make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Tick {
    /// Calls the function as at the time that was due.
    OnTime,
    /// Calls it with `IsPastDue`, as a host does that was down when the tick was due.
    Late,
    /// Calls it twice with the same status, as when a host ends before it has recorded that the tick is done.
    Doubled,
    /// Does not call it and waits for the time after, as a host that was down and does not monitor the timer.
    Missed,
}

/// What a timer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimerOrder {
    Tick(Tick),
    Clock,
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct TimerScript {
    is_held: bool,
    ticks: BTreeMap<String, VecDeque<Tick>>,
}

impl TimerScript {
    pub(super) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    pub(super) fn order(&mut self, function: &str, tick: Tick) {
        self.ticks.entry(function.to_owned()).or_default().push_back(tick);
    }

    /// The next order for a function; a tick is used up.
    pub(super) fn next(&mut self, function: &str) -> TimerOrder {
        match self.ticks.get_mut(function).and_then(VecDeque::pop_front) {
            Some(tick) => TimerOrder::Tick(tick),
            None if self.is_held => TimerOrder::Nothing,
            None => TimerOrder::Clock,
        }
    }
}
