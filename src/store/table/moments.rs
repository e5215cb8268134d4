//! Moments of Table Storage: the service's own clock, as its replies and the time stamps of its rows tell it.

use std::time::SystemTime;

use crate::primitives::instant::Millis;
use crate::store::Moment;

/// How far a moment lies before the reply that told it. The reply names whole seconds; the rows' time stamps are set by
/// other machines of the service than the one that dates replies, and before a write can be read. What was written within
/// this time is found once more.
const OVERLAP: Millis = Millis(10_000);

/// The moment of a reply. One that names no time can only be followed by reading everything again.
pub(super) fn of(answered_at: Option<SystemTime>) -> Moment {
    let time = answered_at.map(|time| Millis(Millis::from_system(time).0 - OVERLAP.0));
    Moment(time.map(Millis::to_text).unwrap_or_default())
}

/// The time stamp from which on rows are asked for; `None` for a moment of another kind of store.
pub(super) fn time_of(moment: &Moment) -> Option<Millis> {
    Millis::parse(&moment.0)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_moment_lies_before_the_reply() {
        let answered_at = Some(SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_230_010_000));
        assert_eq!(of(answered_at), Moment("2026-11-21T03:00:00.000Z".to_owned()));
        assert_eq!(time_of(&of(answered_at)), Millis::parse("2026-11-21T03:00:00Z"));
    }

    #[test]
    fn what_is_no_time_is_followed_by_everything() {
        assert_eq!(time_of(&of(None)), None);
        assert_eq!(time_of(&Moment("17".to_owned())), None);
    }
}
