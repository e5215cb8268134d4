//! The service's clock, as the dates of its replies tell it. Pure.

use std::time::{Duration, SystemTime};

use crate::time::{millis_of, text_of};
use crate::{Moment, StoreTime};

/// A reply names whole seconds: the clock showed this second, or any part of it.
const WIDTH: i64 = 1_000;

/// How far a moment lies before the reply that told it. The reply names whole seconds; the rows' time stamps are set by
/// other machines of the service than the one that dates replies, and before a write can be read. What was written within
/// this time is found once more.
const OVERLAP: Duration = Duration::from_secs(10);

/// The clock when a reply was dated.
pub(super) fn store_time(date: SystemTime) -> StoreTime {
    let earliest = millis_of(date);
    StoreTime { earliest, latest: earliest + WIDTH }
}

/// The moment of a reply. One that names no time can only be followed by reading everything again.
pub(super) fn moment(date: Option<SystemTime>) -> Moment {
    let before = date.and_then(|date| date.checked_sub(OVERLAP));
    Moment::from_text(before.map(|time| text_of(millis_of(time))).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_230_010_000)
    }

    #[test]
    fn a_moment_lies_before_the_reply() {
        assert_eq!(moment(Some(date())).as_str(), "2026-11-21T03:00:00.000Z");
        assert_eq!(moment(None).as_str(), "");
    }

    #[test]
    fn a_reply_is_dated_to_the_second() {
        let clock = StoreTime { earliest: 1_795_230_010_000, latest: 1_795_230_011_000 };
        assert_eq!(store_time(date()), clock);
    }
}
