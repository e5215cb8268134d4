//! When a timer is due: an NCRONTAB expression, or a pause that is always the same. In UTC, as in Azure. Pure: the moment
//! is a parameter.

mod cron;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::time_span;
use cron::Cron;

/// The schedule of a timer (WebJobs extensions, `TimerSchedule.Create`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Schedule {
    Cron(Cron),
    /// Counted from each invocation on.
    Every(Duration),
}

impl Schedule {
    /// Reads an expression: first as NCRONTAB with five or six fields, then as a time span. A span of zero, for which the
    /// real host would call the function without a pause, is refused.
    pub(crate) fn parse(text: &str) -> Option<Schedule> {
        let every = || time_span::parse(text).filter(|span| !span.is_zero()).map(Schedule::Every);
        Cron::parse(text).map(Schedule::Cron).or_else(every)
    }

    /// The first time after `moment`; `None` where there is none, as on 31 February.
    pub(crate) fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        match self {
            Schedule::Cron(cron) => cron.next_after(moment),
            Schedule::Every(pause) => moment.checked_add(SignedDuration::try_from(*pause).ok()?).ok(),
        }
    }

    /// Whether it is due more than once in the minute after `moment`. The host keeps no status of such a timer.
    pub(crate) fn is_frequent(&self, moment: Timestamp) -> bool {
        const MINUTE: SignedDuration = SignedDuration::from_secs(60);
        match self {
            Schedule::Every(pause) => *pause < MINUTE.unsigned_abs(),
            Schedule::Cron(cron) => {
                let second = cron.next_after(moment).and_then(|first| cron.next_after(first));
                second.is_some_and(|second| second.duration_since(moment) < MINUTE)
            }
        }
    }

    /// `Schedule.AdjustForDST` in the trigger's value.
    pub(crate) fn adjusts_for_dst(&self) -> bool {
        matches!(self, Schedule::Cron(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_span_is_a_pause_after_each_invocation() {
        let schedule = Schedule::parse("00:05:00").unwrap();
        assert_eq!(schedule, Schedule::Every(Duration::from_secs(300)));
        assert_eq!(schedule.next_after(at("2026-03-01T00:00:01.5Z")), Some(at("2026-03-01T00:05:01.5Z")));
        assert!(!schedule.adjusts_for_dst());
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in ["", "soon", "00:00:00", "* * * *", "* * * * * * *", "60 * * * * *", "@daily"] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_schedule_of_several_times_a_minute_is_frequent() {
        let moment = at("2026-03-01T00:00:30Z");
        let frequent = |text| Schedule::parse(text).unwrap().is_frequent(moment);
        assert!(frequent("*/20 * * * * *"));
        assert!(frequent("00:00:59"));
        assert!(!frequent("0 * * * * *"));
        assert!(!frequent("00:01:00"));
        assert!(!frequent("0 17 3 * * *"));
    }
}
