//! Envelopes of the timer trigger (WebJobs extensions, `TimerInfo` and `ScheduleStatus`).
//!
//! Derived from the extension's source, not from a capture: that the dates have an offset, and how the date is written of
//! a timer that never ran or will never run, is not verified.

use jiff::Timestamp;

use super::{Envelope, RetryContext, Stamp, dates, json::Json};
use crate::app::function::timer::TimerTrigger;

/// What the host remembers of a timer. Missing times are .NET's smallest and largest date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScheduleStatus {
    /// When it was last invoked, or was due then.
    pub(crate) last: Option<Timestamp>,
    /// When it is due next.
    pub(crate) next: Option<Timestamp>,
    /// When `next` was computed.
    pub(crate) last_updated: Option<Timestamp>,
}

/// `status` is `None` for a timer that the host does not monitor.
pub(crate) fn envelope(
    function: &str,
    trigger: &TimerTrigger,
    status: Option<&ScheduleStatus>,
    is_past_due: bool,
    stamp: &Stamp,
    retry: Option<&RetryContext>,
) -> Envelope {
    let dst = Json::Bool(trigger.schedule.adjusts_for_dst());
    let value = Json::object([
        ("Schedule", Json::object([("AdjustForDST", dst)])),
        ("ScheduleStatus", status.map_or(Json::Null, |status| status.to_json())),
        ("IsPastDue", Json::Bool(is_past_due)),
    ]);
    Envelope {
        data: vec![(trigger.binding.clone(), value)],
        metadata: super::finish_metadata(Vec::new(), function, stamp, retry),
    }
}

impl ScheduleStatus {
    fn to_json(self) -> Json {
        let date = |time: Option<Timestamp>, absent: &str| {
            Json::Text(time.map_or_else(|| absent.to_owned(), dates::with_offset))
        };
        Json::object([
            ("Last", date(self.last, "0001-01-01T00:00:00")),
            ("Next", date(self.next, "9999-12-31T23:59:59.9999999")),
            ("LastUpdated", date(self.last_updated, "0001-01-01T00:00:00")),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{app::schedule::Schedule, guid::Guid};

    fn text(use_status: bool) -> String {
        let trigger = TimerTrigger {
            binding: "timer".to_owned(),
            schedule: Schedule::parse("0 */5 * * * *").unwrap(),
            run_on_startup: false,
            use_monitor: true,
        };
        let time = |text: &str| Some(text.parse().unwrap());
        let status = ScheduleStatus {
            last: time("2024-11-21T00:55:00.0001234Z"),
            next: time("2024-11-21T01:00:00Z"),
            last_updated: time("2024-11-21T00:55:00.0001234Z"),
        };
        let stamp = Stamp {
            now: "2024-11-21T01:00:00.0123456Z".parse().unwrap(),
            guid: Guid(0x5f1d_3c8e_0b57_4c0a_9a55_0d6f_2f6b_7a10),
        };
        envelope("cleanup", &trigger, use_status.then_some(&status), false, &stamp, None).into_text()
    }

    #[test]
    fn the_sample_is_reproduced_byte_by_byte() {
        assert_eq!(text(true), include_str!("../../tests/samples/timer.json").trim_end());
    }

    #[test]
    fn a_timer_that_is_not_monitored_has_no_status() {
        assert!(text(false).contains(r#""ScheduleStatus":null"#));
    }

    #[test]
    fn a_timer_that_never_ran_has_the_smallest_date() {
        let json = ScheduleStatus::default().to_json().to_text();
        assert!(json.starts_with(r#"{"Last":"0001-01-01T00:00:00","Next":"9999-12-31T23:59:59.9999999""#));
    }
}
