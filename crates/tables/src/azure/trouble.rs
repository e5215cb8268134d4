//! What a failed attempt means: whether the request may be sent again, and what the caller is told. Pure.

use std::time::Duration;

use crate::azure::answer::Answer;
use crate::error::Cause;
use crate::limits::MOST_PROPERTIES;
use crate::{CredentialKind, Error, Failure, Invalid, TableName};

/// What happens if a request is applied twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing that once would not have done.
    Repeatable,
    /// The second one fails and hides that the first succeeded.
    Once,
}

/// How an attempt failed, with all that is needed to decide what follows.
#[derive(Debug)]
pub(super) enum Trouble {
    NotConnected(reqwest::Error),
    TimedOut(Option<reqwest::Error>),
    CutOff(reqwest::Error),
    Unreadable(&'static str),
    Answered(Answer),
}

impl Trouble {
    /// The address is left out of the error, as it holds the signature when there is one.
    pub(super) fn from_client(error: reqwest::Error) -> Trouble {
        let error = error.without_url();
        if error.is_connect() {
            Trouble::NotConnected(error)
        } else if error.is_timeout() {
            Trouble::TimedOut(Some(error))
        } else {
            Trouble::CutOff(error)
        }
    }

    /// How long to wait before the next attempt; `None` if there must not be one.
    pub(super) fn delay(&self, effect: Effect, attempts: u32, scheduled: Duration) -> Option<Duration> {
        match self {
            // A service that just restarted, or a name that just moved: the next address may do.
            Trouble::NotConnected(_) if attempts == 1 => Some(Duration::ZERO),
            Trouble::Answered(answer) if self.may_pass(effect) => {
                Some(answer.retry_after.unwrap_or_default().max(scheduled))
            }
            _ => self.may_pass(effect).then_some(scheduled),
        }
    }

    /// Whether the same request may be sent again and may succeed then.
    fn may_pass(&self, effect: Effect) -> bool {
        let is_repeatable = effect == Effect::Repeatable;
        match self {
            Trouble::NotConnected(_) => true,
            Trouble::TimedOut(_) | Trouble::CutOff(_) => is_repeatable,
            Trouble::Unreadable(_) => false,
            Trouble::Answered(answer) => match answer.status {
                // The service sheds load before it does anything; a proxy may have lost the answer.
                429 | 503 => is_repeatable || answer.is_from_service(),
                408 | 500 | 502..=599 => is_repeatable,
                409 => is_repeatable && answer.code == "TableBeingDeleted",
                _ => false,
            },
        }
    }

    pub(super) fn into_error(
        self,
        effect: Effect,
        attempts: u32,
        table: &TableName,
        credential: CredentialKind,
    ) -> Error {
        let is_harmless = effect == Effect::Repeatable || self.may_pass(effect);
        let (last, source): (_, Option<Cause>) = match self {
            Trouble::NotConnected(error) => (Failure::NotConnected, Some(error.into())),
            Trouble::TimedOut(error) => (Failure::TimedOut, error.map(Cause::from)),
            Trouble::CutOff(error) => (Failure::CutOff, Some(error.into())),
            Trouble::Unreadable(what) => (Failure::Unreadable(what), None),
            Trouble::Answered(answer) => match refusal(answer, effect, table, credential) {
                Ok(error) => return error,
                Err(failure) => (failure, None),
            },
        };
        if is_harmless {
            Error::Unavailable { attempts, last, source }
        } else {
            Error::Unknown { last, source }
        }
    }
}

/// What a definite answer means; the other kind comes back as a [`Failure`].
fn refusal(
    answer: Answer,
    effect: Effect,
    table: &TableName,
    credential: CredentialKind,
) -> Result<Error, Failure> {
    let is_missing_row = answer.is_missing_row();
    let Answer { status, code, index, message, .. } = answer;
    let is_write = effect == Effect::Once;
    Ok(match (status, code.as_str()) {
        (404, "TableNotFound") => Error::MissingTable { table: table.to_string() },
        (409, "TableBeingDeleted") if is_write => Error::MissingTable { table: table.to_string() },
        (409, "EntityAlreadyExists") | (412, _) => Error::Conflict { index, code },
        (404, _) if is_write && is_missing_row => Error::Conflict { index, code },
        (401 | 403, _) => Error::Denied { status, code, credential },
        (408 | 429 | 500 | 502..=599, _) | (409, "TableBeingDeleted") => {
            return Err(Failure::Answered { status, code });
        }
        (400, code) if let Some(reason) = broken_limit(code) => Error::Invalid { index, reason },
        _ => Error::Refused { status: Some(status), code, index, message, source: None },
    })
}

/// The limits that only the service can check: those of the row that a merge leads to.
fn broken_limit(code: &str) -> Option<Invalid> {
    match code {
        "EntityTooLarge" => Some(Invalid::EntityTooLarge),
        "TooManyProperties" => Some(Invalid::TooManyProperties(MOST_PROPERTIES + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Option<Duration> = Some(Duration::ZERO);

    fn answered(status: u16, code: &str) -> Trouble {
        let (code, message) = (code.to_owned(), String::new());
        Trouble::Answered(Answer { status, code, message, index: None, retry_after: None })
    }

    /// What follows this answer to a read and to a write: `again`, or the kind of the error.
    fn reactions(status: u16, code: &str) -> [String; 2] {
        [Effect::Repeatable, Effect::Once].map(|effect| {
            let trouble = answered(status, code);
            if trouble.delay(effect, 1, Duration::ZERO) == NOW {
                return "again".to_owned();
            }
            let error = trouble.into_error(
                effect,
                1,
                &TableName::new("Devices").unwrap(),
                CredentialKind::AccountKey,
            );
            format!("{error:?}").split([' ', '{']).next().unwrap().to_owned()
        })
    }

    #[test]
    fn every_answer_asks_for_one_reaction() {
        let check =
            |status, code, read, write| assert_eq!(reactions(status, code), [read, write], "{status} {code}");
        check(503, "ServerBusy", "again", "again");
        check(429, "TooManyRequests", "again", "again");
        for status in [408, 429, 500, 502, 503, 504, 520, 599] {
            check(status, "", "again", "Unknown");
        }
        check(500, "OperationTimedOut", "again", "Unknown");
        check(501, "NotImplemented", "Refused", "Refused");
        check(409, "TableBeingDeleted", "again", "MissingTable");
        check(404, "TableNotFound", "MissingTable", "MissingTable");
        check(404, "ResourceNotFound", "Refused", "Conflict");
        check(404, "", "Refused", "Refused");
        check(409, "EntityAlreadyExists", "Conflict", "Conflict");
        check(412, "UpdateConditionNotSatisfied", "Conflict", "Conflict");
        check(412, "", "Conflict", "Conflict");
        check(401, "", "Denied", "Denied");
        check(403, "AuthenticationFailed", "Denied", "Denied");
        check(301, "", "Refused", "Refused");
        check(400, "InvalidInput", "Refused", "Refused");
        check(413, "RequestBodyTooLarge", "Refused", "Refused");
    }

    #[test]
    fn longer_of_schedule_and_retry_after_is_waited() {
        let wait = |retry_after: u64, scheduled: u64| {
            let mut answer = Answer::from_body(503, b"");
            answer.retry_after = Some(Duration::from_secs(retry_after));
            Trouble::Answered(answer).delay(Effect::Repeatable, 1, Duration::from_secs(scheduled))
        };
        assert_eq!(wait(7, 2), Some(Duration::from_secs(7)));
        assert_eq!(wait(1, 2), Some(Duration::from_secs(2)));
    }

    #[test]
    fn only_a_read_is_repeated_after_silence() {
        let delay = |effect| Trouble::TimedOut(None).delay(effect, 1, Duration::ZERO);
        assert_eq!((delay(Effect::Repeatable), delay(Effect::Once)), (NOW, None));
    }
}
