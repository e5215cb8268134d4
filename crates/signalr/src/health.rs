//! What is remembered of each endpoint between calls, and which one a new client is sent to. Time is passed in.

use std::time::Duration;

use tokio::time::Instant;

use crate::settings::Role;

/// One cut connection is an accident; the second in a row is an outage.
const OFFLINE_AFTER: u32 = 2;

/// How long sends pass over a dead endpoint before one of them tries it again. Short, because clients may sit there;
/// long against the second that a try may cost.
const OFFLINE_FOR: Duration = Duration::from_secs(5);

/// What a call showed about its endpoint.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sign {
    /// It answered, be it with a refusal.
    Alive,
    /// It did not answer, or only a gateway in front of it did.
    Silent,
}

/// How hard a call tries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effort {
    /// All tries, all of the time.
    Full,
    /// Once and briefly, to see whether an offline endpoint is back.
    Trial,
}

/// The memory of one endpoint.
#[derive(Debug, Default)]
pub(crate) struct Record {
    silences: u32,
    /// Set while offline: when the next try is due.
    retry_at: Option<Instant>,
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

    pub(crate) fn note(&mut self, sign: Sign, now: Instant) {
        match sign {
            Sign::Alive => *self = Record::default(),
            Sign::Silent => {
                self.silences = self.silences.saturating_add(1);
                self.retry_at = (self.silences >= OFFLINE_AFTER).then(|| now + OFFLINE_FOR);
            }
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
        record.note(Sign::Silent, now);
        assert!(record.is_online());
        record.note(Sign::Alive, now);
        record.note(Sign::Silent, now);
        assert_eq!(record.admit(now), Some(Effort::Full));
        record.note(Sign::Silent, now);
        assert!(!record.is_online());
        assert_eq!(record.admit(now), None);
    }

    #[test]
    fn an_offline_endpoint_is_tried_by_one_send_at_a_time() {
        let start = Instant::now();
        let mut record = Record { silences: 2, retry_at: Some(start + OFFLINE_FOR) };
        assert_eq!(record.admit(start), None);
        let due = start + OFFLINE_FOR;
        assert_eq!(record.admit(due), Some(Effort::Trial));
        assert_eq!(record.admit(due), None);
        record.note(Sign::Alive, due);
        assert_eq!([record.admit(due), record.admit(due)], [Some(Effort::Full); 2]);
    }

    #[test]
    fn a_failed_try_puts_it_off_again() {
        let start = Instant::now();
        let mut record = Record { silences: 2, retry_at: Some(start) };
        assert_eq!(record.admit(start), Some(Effort::Trial));
        record.note(Sign::Silent, start);
        assert_eq!(record.admit(start), None);
        assert_eq!(record.admit(start + OFFLINE_FOR), Some(Effort::Trial));
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
