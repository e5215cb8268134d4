//! How the status of a timer goes on (WebJobs extensions, `TimerListener` and `ScheduleMonitor`). Pure: the moment is a
//! parameter.

use jiff::Timestamp;

use crate::{app::schedule::Schedule, envelope::timer::ScheduleStatus};

/// Why a timer calls its function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It was due.
    Due,
    /// It was due while the host was down.
    PastDue,
    /// The host has started, or a person or a test asked.
    Unscheduled,
}

/// The status with which a host begins that remembers `stored`, and whether a tick was missed meanwhile.
pub(super) fn begin(
    stored: Option<ScheduleStatus>,
    schedule: &Schedule,
    now: Timestamp,
) -> (ScheduleStatus, bool) {
    let Some(stored) = stored else {
        return (ScheduleStatus { next: schedule.next_after(now), ..ScheduleStatus::default() }, false);
    };
    let computed_at = stored.last.or(stored.last_updated);
    let mut next = computed_at.map_or(stored.next, |moment| schedule.next_after(moment));
    let is_changed = next != stored.next;
    if is_changed && next.is_some_and(|next| next < now) {
        // The schedule is another one: what it would have missed was never due.
        next = schedule.next_after(now);
    }
    (ScheduleStatus { next, ..stored }, next.is_some_and(|next| next < now))
}

/// The status after a call that was begun at `moment`. A clock that runs ahead does not make the same time due twice.
pub(super) fn after(
    status: &ScheduleStatus,
    schedule: &Schedule,
    cause: Cause,
    moment: Timestamp,
) -> ScheduleStatus {
    let moment = match (cause, status.next) {
        (Cause::Due, Some(due)) => moment.max(due),
        _ => moment,
    };
    ScheduleStatus { last: Some(moment), next: schedule.next_after(moment), last_updated: Some(moment) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}Z").parse().unwrap()
    }

    fn daily() -> Schedule {
        Schedule::parse("0 17 3 * * *").unwrap()
    }

    /// What a host has stored that last called the function on the 20th.
    fn stored() -> ScheduleStatus {
        after(&ScheduleStatus::default(), &daily(), Cause::Due, at("20T03:17:00"))
    }

    #[test]
    fn a_new_timer_waits_for_its_first_time() {
        let (status, is_past_due) = begin(None, &daily(), at("20T00:00:00"));
        assert_eq!((status.last, status.next), (None, Some(at("20T03:17:00"))));
        assert!(!is_past_due);
    }

    #[test]
    fn a_tick_that_was_missed_while_the_host_was_down_is_past_due_once() {
        let (status, is_past_due) = begin(Some(stored()), &daily(), at("25T12:00:00"));
        assert!(is_past_due);
        let status = after(&status, &daily(), Cause::PastDue, at("25T12:00:00"));
        assert_eq!(status.next, Some(at("26T03:17:00")));
        assert!(!begin(Some(status), &daily(), at("25T13:00:00")).1);
        assert!(!begin(Some(stored()), &daily(), at("21T03:16:59")).1);
    }

    #[test]
    fn a_new_schedule_has_missed_nothing() {
        let noon = Schedule::parse("0 0 12 * * *").unwrap();
        let (status, is_past_due) = begin(Some(stored()), &noon, at("25T13:00:00"));
        assert_eq!((status.next, is_past_due), (Some(at("26T12:00:00")), false));
    }

    #[test]
    fn a_clock_that_is_ahead_does_not_make_one_time_due_twice() {
        let (status, _) = begin(None, &daily(), at("20T00:00:00"));
        let early = after(&status, &daily(), Cause::Due, at("20T03:16:59.9"));
        assert_eq!((early.last, early.next), (Some(at("20T03:17:00")), Some(at("21T03:17:00"))));
        let asked = after(&status, &daily(), Cause::Unscheduled, at("20T01:00:00"));
        assert_eq!(asked.next, Some(at("20T03:17:00")));
    }

    #[test]
    fn times_that_pass_during_a_call_are_one_tick_after_it() {
        let each_second = Schedule::parse("* * * * * *").unwrap();
        let (status, _) = begin(None, &each_second, at("20T00:00:00"));
        let status = after(&status, &each_second, Cause::Due, at("20T00:00:01"));
        assert_eq!(status.next, Some(at("20T00:00:02")));
        // The call took until 04.5; the tick of second 2 is made now, those of 3 and 4 never.
        let status = after(&status, &each_second, Cause::Due, at("20T00:00:04.5"));
        assert_eq!(status.next, Some(at("20T00:00:05")));
    }
}
