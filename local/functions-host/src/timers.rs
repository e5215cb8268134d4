//! Timer triggers: one loop for each function, which calls it when it is due, one call at a time.
//!
//! As in the real host (WebJobs extensions, `TimerListener`): the next time is computed from the begin of a call, so that
//! of all times that pass during a call one is made up for after it, and the others are left out. A time that passed while
//! the host was down is made up for once, with `IsPastDue`, if the timer is monitored. Failures do not stop the schedule.

pub(crate) mod memory;
mod schedule;

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    app::{function::timer::TimerTrigger, retry::RetryPolicy},
    envelope::{
        Stamp,
        timer::{self, ScheduleStatus},
    },
    faults::{Faults, Tick, TimerOrder},
    guid::Guid,
    invoke::{Invoker, attempts::Attempts},
};
use memory::TimerMemory;
use schedule::Cause;

/// A function with a timer trigger.
pub(crate) struct TimerFunction {
    pub(crate) name: String,
    pub(crate) trigger: TimerTrigger,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) memory: Arc<TimerMemory>,
    pub(crate) faults: Arc<Faults>,
}

/// The longest sleep: a clock that is set anew is noticed after it.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Ticks until the handler has ended for good or the task is dropped.
pub(crate) async fn run(function: Arc<TimerFunction>) {
    let now = Timestamp::now();
    let is_monitored = function.is_monitored(now);
    let stored = if is_monitored { function.memory.load(&function.name).await } else { None };
    let is_new = stored.is_none();
    let (status, is_past_due) = schedule::begin(stored, &function.trigger.schedule, now);
    let mut timer = Timer { changes: function.faults.changes(), function, status, is_monitored };
    if is_new {
        timer.remember(ScheduleStatus { last_updated: Some(now), ..status }).await;
    }
    let at_start = match (is_past_due, timer.function.trigger.run_on_startup) {
        (true, _) => Some(Cause::PastDue),
        (false, true) => Some(Cause::Unscheduled),
        (false, false) => None,
    };
    if let Some(cause) = at_start {
        timer.tick(cause).await;
    }
    timer.function.invoker.status.count_ticks(&timer.function.name, 0);
    while !timer.function.invoker.handler.has_ended() {
        timer.next().await;
    }
}

/// A timer that runs.
struct Timer {
    function: Arc<TimerFunction>,
    status: ScheduleStatus,
    is_monitored: bool,
    changes: watch::Receiver<()>,
}

impl Timer {
    /// Makes the next tick when it is due or ordered. May also return without one.
    async fn next(&mut self) {
        self.changes.mark_unchanged();
        match self.function.faults.timer_order(&self.function.name) {
            TimerOrder::Tick(tick) => self.ordered(tick).await,
            TimerOrder::Clock => {
                let pause = self.status.next.map_or(LONGEST_SLEEP, until).min(LONGEST_SLEEP);
                let is_changed = tokio::time::timeout(pause, self.changes.changed()).await.is_ok();
                if !is_changed && self.status.next.is_some_and(|next| next <= Timestamp::now()) {
                    self.tick(Cause::Due).await;
                }
            }
            TimerOrder::Nothing => drop(self.changes.changed().await),
        }
    }

    async fn ordered(&mut self, tick: Tick) {
        match tick {
            Tick::OnTime => self.tick(Cause::Due).await,
            Tick::Late => self.tick(Cause::PastDue).await,
            Tick::Doubled => {
                self.function.call(self.shown(), false).await;
                self.tick(Cause::Due).await;
            }
            Tick::Missed => self.finish(Cause::Due, Timestamp::now()).await,
        }
    }

    async fn tick(&mut self, cause: Cause) {
        let begun = Timestamp::now();
        self.function.call(self.shown(), cause == Cause::PastDue).await;
        self.finish(cause, begun).await;
    }

    async fn finish(&mut self, cause: Cause, begun: Timestamp) {
        self.status = schedule::after(&self.status, &self.function.trigger.schedule, cause, begun);
        self.remember(self.status).await;
        self.function.invoker.status.count_ticks(&self.function.name, 1);
    }

    fn shown(&self) -> Option<&ScheduleStatus> {
        self.is_monitored.then_some(&self.status)
    }

    async fn remember(&self, status: ScheduleStatus) {
        if !self.is_monitored {
            return;
        }
        if let Err(error) = self.function.memory.save(&self.function.name, &status).await {
            let log = &self.function.invoker.log;
            log.warn(&self.function.name, format_args!("the timer's status cannot be kept: {error}"));
        }
    }
}

impl TimerFunction {
    fn is_monitored(&self, now: Timestamp) -> bool {
        self.trigger.use_monitor && !self.trigger.schedule.is_frequent(now)
    }

    /// Calls the function with its retries. Failures are logged where they happen.
    async fn call(&self, status: Option<&ScheduleStatus>, is_past_due: bool) {
        let mut attempts = Attempts::new(self.retry.as_ref());
        loop {
            let stamp = Stamp { now: Timestamp::now(), guid: Guid::random() };
            let retry = attempts.context();
            let envelope =
                timer::envelope(&self.name, &self.trigger, status, is_past_due, &stamp, retry.as_ref());
            let Err(failure) = self.invoker.run(&self.name, envelope.into_text(), None).await else { return };
            let announce = |text: &dyn std::fmt::Display| self.invoker.log.warn(&self.name, text);
            if attempts.pause_after(failure, &self.invoker.status, announce).await.is_err() {
                return;
            }
        }
    }

    /// Calls the function once, as the admin API does. The schedule does not change.
    pub(crate) async fn run_manually(&self) {
        let now = Timestamp::now();
        let status = if self.is_monitored(now) { self.memory.load(&self.name).await } else { None };
        self.call(status.as_ref(), false).await;
    }
}

/// How long it is until a moment.
fn until(moment: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(Timestamp::now())).unwrap_or(Duration::ZERO)
}
