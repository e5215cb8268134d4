//! What is remembered of each endpoint between calls, and which one a new client is sent to. Time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Role;

/// One cut connection is an accident; the second in a row is an outage.
const OFFLINE_AFTER: u32 = 2;

/// How long sends pass over a dead endpoint before one of them tries it again. Short, because clients may sit there;
/// long against the second that a try may cost.
const OFFLINE_FOR: Duration = Duration::from_secs(5);

/// How long an endpoint must have had for an answer before its absence says anything. An answer takes some ten
/// milliseconds, one behind lost packets some hundred.
pub(crate) const PATIENCE: Duration = Duration::from_millis(750);

/// The shortest and the longest rest that an answer can ask for. Less than a second would let the next batch run into
/// the same answer; a date that somebody got wrong must not keep screens waiting for the next release.
const SHORTEST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_secs(60 * 60);

/// What a call showed about its endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// It answered, be it with a refusal of this request.
    Alive,
    /// It answered that it cannot at present, or that it takes no calls from here.
    Failing,
    /// It asks to be left alone for so long.
    Resting(Duration),
    /// It did not answer, or only a gateway in front of it did.
    Silent,
    /// Nothing: the call ended for a reason of our own, such as a time that was used up elsewhere.
    Nothing,
}

/// How hard a call tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effort {
    /// All tries, all of the time.
    Full,
    /// Once and briefly, to see whether an offline endpoint is back.
    Trial,
}

/// What a call is for. A service may answer questions and yet take no messages, or the other way round.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Purpose {
    /// A message to clients, or an end of their connections.
    Message,
    /// Questions and memberships.
    Administration,
}

/// The memory of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Record {
    silences: u32,
    /// Set while offline: when the next try is due.
    retry_at: Option<Instant>,
    /// The last answer to a call for this purpose, or its absence, showed trouble: such calls try once, and one at a time,
    /// until there is an answer again.
    in_trouble: [bool; 2],
    /// Nothing is sent before.
    rests_until: Option<Instant>,
}

impl Record {
    pub(crate) fn is_online(&self) -> bool {
        self.retry_at.is_none()
    }

    /// Whether, and how, a send should go there now. Of several sends that meet an offline endpoint due for another
    /// try, the first one tries it and the others pass over.
    pub(crate) fn admit(&mut self, now: Instant) -> Option<Effort> {
        let Some(at) = self.retry_at else {
            return Some(Effort::Full);
        };
        if at > now {
            return None;
        }
        self.retry_at = Some(now + OFFLINE_FOR);
        Some(Effort::Trial)
    }

    pub(crate) fn is_in_trouble(&self, purpose: Purpose) -> bool {
        self.in_trouble[purpose as usize]
    }

    /// How much longer the endpoint wants to be left alone.
    pub(crate) fn rest(&self, now: Instant) -> Option<Duration> {
        let left = self.rests_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// What one try showed. Calls at the same time learn from it at once, before this one tries again.
    pub(crate) fn note_try(&mut self, purpose: Purpose, sign: Sign, now: Instant) {
        match sign {
            // An answer to what was sent before the endpoint asked for a rest does not end that rest.
            Sign::Alive if self.rest(now).is_some() => {}
            Sign::Alive => self.in_trouble[purpose as usize] = false,
            Sign::Failing | Sign::Silent => self.in_trouble[purpose as usize] = true,
            Sign::Resting(time) => {
                self.in_trouble = [true; 2];
                let until = now + time.clamp(SHORTEST_REST, LONGEST_REST);
                self.rests_until = self.rests_until.max(Some(until));
            }
            Sign::Nothing => {}
        }
    }

    /// What a call showed when all its tries are counted.
    pub(crate) fn note_call(&mut self, sign: Sign, now: Instant) {
        match sign {
            Sign::Alive | Sign::Failing | Sign::Resting(_) => (self.silences, self.retry_at) = (0, None),
            Sign::Silent => {
                self.silences = self.silences.saturating_add(1);
                self.retry_at = (self.silences >= OFFLINE_AFTER).then(|| now + OFFLINE_FOR);
            }
            Sign::Nothing => {}
        }
    }
}

/// The endpoint for a new client: any online primary, else any online secondary. When none is online that knowledge
/// may be old, so a client is better sent to a primary than nowhere.
///
/// `choice` is any number, usually random; candidates of the same kind share the clients evenly over it.
pub(crate) fn choose(candidates: &[(Role, bool)], choice: usize) -> Option<usize> {
    let of = |role: Role, online: bool| -> Vec<usize> {
        (0..candidates.len()).filter(|index| candidates[*index] == (role, online)).collect()
    };
    let kinds =
        [(Role::Primary, true), (Role::Secondary, true), (Role::Primary, false), (Role::Secondary, false)];
    let found = kinds.into_iter().map(|(role, online)| of(role, online)).find(|kind| !kind.is_empty())?;
    Some(found[choice % found.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_silence_is_forgiven_and_two_in_a_row_are_not() {
        let now = Instant::now();
        let mut record = Record::default();
        record.note_call(Sign::Silent, now);
        assert!(record.is_online());
        record.note_call(Sign::Alive, now);
        record.note_call(Sign::Silent, now);
        assert_eq!(record.admit(now), Some(Effort::Full));
        record.note_call(Sign::Silent, now);
        assert!(!record.is_online());
        assert_eq!(record.admit(now), None);
    }

    #[test]
    fn an_offline_endpoint_is_tried_by_one_send_at_a_time() {
        let start = Instant::now();
        let mut record = Record { silences: 2, retry_at: Some(start + OFFLINE_FOR), ..Record::default() };
        assert_eq!(record.admit(start), None);
        let due = start + OFFLINE_FOR;
        assert_eq!(record.admit(due), Some(Effort::Trial));
        assert_eq!(record.admit(due), None);
        record.note_call(Sign::Alive, due);
        assert_eq!([record.admit(due), record.admit(due)], [Some(Effort::Full); 2]);
    }

    #[test]
    fn a_failed_try_puts_it_off_again() {
        let start = Instant::now();
        let mut record = Record { silences: 2, retry_at: Some(start), ..Record::default() };
        assert_eq!(record.admit(start), Some(Effort::Trial));
        record.note_call(Sign::Silent, start);
        assert_eq!(record.admit(start), None);
        assert_eq!(record.admit(start + OFFLINE_FOR), Some(Effort::Trial));
    }

    #[test]
    fn a_rest_lasts_as_long_as_was_asked_and_no_answer_ends_it_sooner() {
        let start = Instant::now();
        let mut record = Record::default();
        record.note_try(Purpose::Message, Sign::Resting(Duration::from_secs(20)), start);
        record.note_try(Purpose::Message, Sign::Resting(Duration::from_secs(3)), start);
        record.note_try(Purpose::Message, Sign::Alive, start);
        let after = |seconds| record.rest(start + Duration::from_secs(seconds));
        assert_eq!(after(5), Some(Duration::from_secs(15)));
        assert_eq!(after(20), None);
        assert!(record.is_in_trouble(Purpose::Message));
        record.note_try(Purpose::Message, Sign::Alive, start + Duration::from_secs(20));
        assert!(!record.is_in_trouble(Purpose::Message));
    }

    #[test]
    fn rests_are_bounded() {
        let start = Instant::now();
        for (asked, rest) in [(Duration::ZERO, SHORTEST_REST), (Duration::MAX, LONGEST_REST)] {
            let mut record = Record::default();
            record.note_try(Purpose::Message, Sign::Resting(asked), start);
            assert_eq!(record.rest(start), Some(rest));
        }
    }

    #[test]
    fn what_shows_nothing_changes_nothing() {
        let now = Instant::now();
        let mut record = Record::default();
        for _ in 0..5 {
            record.note_try(Purpose::Message, Sign::Nothing, now);
            record.note_call(Sign::Nothing, now);
        }
        assert!(record.is_online() && !record.is_in_trouble(Purpose::Message));
    }

    #[test]
    fn new_clients_go_to_an_online_primary_else_an_online_secondary() {
        use Role::{Primary, Secondary};
        for (candidates, choice, expected) in [
            (vec![(Secondary, true), (Primary, true), (Primary, true)], 0, Some(1)),
            (vec![(Secondary, true), (Primary, true), (Primary, true)], 3, Some(2)),
            (vec![(Primary, false), (Secondary, true)], 7, Some(1)),
            (vec![(Secondary, false), (Primary, false)], 0, Some(1)),
            (vec![(Secondary, false)], 5, Some(0)),
            (vec![], 0, None),
        ] {
            assert_eq!(choose(&candidates, choice), expected, "{candidates:?}");
        }
    }
}
