//! When values were measured, as far as the clock that says so can be believed. Pure.

use crate::primitives::instant::Millis;

/// A device's clock may be ahead of the hub's by this much. What is further ahead counts as the hub's time: it would stay
/// the newest value until that time has come.
const AHEAD: i64 = 5 * 60 * 1_000;

/// 2000-01-01T00:00:00Z. Devices without a clock count from 1970, some from 1980, as GPS does.
const EARLIEST: Millis = Millis(946_684_800_000);

/// What a device's clock said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clock {
    /// When the values were measured; `None`: as far as anybody knows, when the hub enqueued them.
    pub(super) measured_at: Option<Millis>,
    /// Whether it said something that cannot be.
    pub(super) is_absurd: bool,
}

/// Judges the creation time of a message. `enqueued_at` is the hub's time, or this process's where the host did not say.
pub(super) fn of_message(creation_time: Option<&str>, enqueued_at: Millis) -> Clock {
    match creation_time.map(Millis::parse) {
        None => Clock::default(),
        Some(None) => Clock { measured_at: None, is_absurd: true },
        Some(Some(said)) => judge(said, enqueued_at),
    }
}

/// Judges the time that a reading has of its own, which goes before its message's: a message may be a buffer of many
/// readings. `None`: it has none.
pub(super) fn of_reading(said: Option<Millis>, is_ignored: bool, enqueued_at: Millis) -> Option<Clock> {
    match said {
        Some(said) => Some(judge(said, enqueued_at)),
        None => is_ignored.then_some(Clock { measured_at: None, is_absurd: true }),
    }
}

fn judge(said: Millis, enqueued_at: Millis) -> Clock {
    if said < EARLIEST {
        return Clock { measured_at: None, is_absurd: true };
    }
    let is_ahead = said.0 > enqueued_at.0.saturating_add(AHEAD);
    Clock { measured_at: (!is_ahead).then_some(said), is_absurd: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "2026-11-28T12:00:00Z";

    fn clock(said: &str) -> (Option<String>, bool) {
        let clock = of_message(Some(said), Millis::parse(HUB).unwrap());
        (clock.measured_at.map(Millis::to_text), clock.is_absurd)
    }

    #[test]
    fn a_clock_is_believed_up_to_five_minutes_ahead_of_the_hub() {
        for said in ["2026-11-28T06:00:00.000Z", "2026-11-28T12:05:00.000Z", "2000-01-01T00:00:00.000Z"] {
            assert_eq!(clock(said), (Some(said.to_owned()), false));
        }
        assert_eq!(clock("2026-11-28T12:05:00.001Z"), (None, false));
        assert_eq!(clock("9999-01-01T00:00:00Z"), (None, false));
    }

    #[test]
    fn absurd_clocks_are_told() {
        for said in ["1970-01-01T00:00:07Z", "1999-12-31T23:59:59Z", "yesterday", ""] {
            assert_eq!(clock(said), (None, true), "{said:?}");
        }
        assert_eq!(of_message(None, Millis(0)), Clock::default());
    }
}
