//! Why a call failed, sorted by what the caller does next, and how answers of the service are sorted so.

use std::fmt;
use std::time::Duration;

use crate::answer::Answer;
use crate::health::{PATIENCE, Sign};
use crate::message::BODY_LIMIT;
use crate::names::InvalidName;
use crate::token::TokenError;
use crate::transport::TransportError;

/// How long the service is left alone after "too many requests" that does not say for how long.
const REST: Duration = Duration::from_secs(10);

/// Why a call failed. Carries neither keys, tokens, bodies nor addresses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The message is too large, by our own check or by the service's: send it in parts, see
    /// [`Message::frames`](crate::Message::frames).
    #[error("message body of {size} bytes is too large, at most {BODY_LIMIT} bytes are sent: split it")]
    TooLarge {
        /// Bytes of the body.
        size: usize,
    },
    /// A group, user or connection name that cannot be sent: fix the name. Nothing was sent.
    #[error(transparent)]
    InvalidName(#[from] InvalidName),
    /// No token could be made for the call: use shorter names. Nothing was sent.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The service does not take this request: fix the request, the same one fails again.
    #[error("refused by the service with status {status}{}", Detail(code.as_deref()))]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The service's error code.
        code: Option<String>,
    },
    /// The service does not take this key (401) or this caller (403): the operator fixes a setting.
    #[error("denied with status {status}{}: {}", Detail(description.as_deref()), advice(*status, setting))]
    Denied {
        /// 401 or 403.
        status: u16,
        /// The setting that holds the connection string.
        setting: String,
        /// What the service found wrong (`error_description`).
        description: Option<String>,
    },
    /// Something answered that is not the REST API of a serverless SignalR Service: the operator fixes a setting.
    #[error(
        "no SignalR REST API at that address (404): check Endpoint in {setting}, and that the service is in serverless mode"
    )]
    WrongEndpoint {
        /// The setting that holds the connection string.
        setting: String,
    },
    /// The connection, user or group does not exist: usually nothing to do, it has gone.
    #[error("not found: {code}")]
    NotFound {
        /// The service's error code, such as `Error.Connection.NotExisted`.
        code: String,
    },
    /// Definitely not delivered, and worth another try later.
    #[error("not delivered, the service is unavailable{}{}", status_detail(*status), rest_detail(*retry_after))]
    Unavailable {
        /// 429 or 503; `None` when no connection could be made or none was tried.
        status: Option<u16>,
        /// How long the service asks to wait. Calls that come sooner fail without being sent.
        retry_after: Option<Duration>,
        /// Why nothing was sent.
        #[source]
        source: Option<TransportError>,
    },
    /// Nobody knows whether it was delivered: the answer was lost or came too late, or the service gave up half-way.
    /// Send again only what may arrive twice.
    #[error("perhaps delivered, there was no usable answer{}", status_detail(*status))]
    Unknown {
        /// The HTTP status, when there was an answer.
        status: Option<u16>,
        /// What happened to the connection.
        #[source]
        source: Option<TransportError>,
    },
    /// Some of several endpoints failed: look at each.
    #[error(transparent)]
    Endpoints(#[from] EndpointFailures),
}

/// The endpoints that failed, when there is more than one.
#[derive(Debug, thiserror::Error)]
pub struct EndpointFailures {
    /// How many endpoints took the call.
    pub succeeded: usize,
    /// The others, and why.
    pub failed: Vec<EndpointFailure>,
}

/// One endpoint's failure.
#[derive(Debug)]
pub struct EndpointFailure {
    /// The endpoint's name, or its setting if it has none.
    pub endpoint: String,
    /// Why it failed.
    pub error: SendError,
}

impl SendError {
    pub(crate) fn lost(error: TransportError) -> SendError {
        match error {
            TransportError::NotConnected(_) | TransportError::NotTried(_) => {
                SendError::Unavailable { status: None, retry_after: None, source: Some(error) }
            }
            TransportError::TimedOut(_) | TransportError::CutOff(_) => {
                SendError::Unknown { status: None, source: Some(error) }
            }
        }
    }

    /// Sorts an answer by its status and headers; `size` is the length of the body it answers.
    pub(crate) fn judge(answer: Answer, size: usize, setting: &str) -> Result<(), SendError> {
        let Answer { status, code, description, retry_after } = answer;
        let setting = || setting.to_owned();
        Err(match (status, code) {
            (200..=299, _) => return Ok(()),
            (401 | 403, _) => SendError::Denied { status, setting: setting(), description },
            (404, None) => SendError::WrongEndpoint { setting: setting() },
            (404, Some(code)) if means_absent(&code) => SendError::NotFound { code },
            (413, _) => SendError::TooLarge { size },
            (429, _) => {
                let retry_after = Some(retry_after.unwrap_or(REST));
                SendError::Unavailable { status: Some(status), retry_after, source: None }
            }
            (503, _) => SendError::Unavailable { status: Some(status), retry_after, source: None },
            (408 | 500.., _) => SendError::Unknown { status: Some(status), source: None },
            (_, code) => SendError::Refused { status, code },
        })
    }

    /// The same failure after an earlier try that may have been delivered.
    pub(crate) fn after_unknown(self) -> SendError {
        match self {
            SendError::Unavailable { status, source, .. } => SendError::Unknown { status, source },
            other => other,
        }
    }

    /// The endpoint asked for a rest, of which so much is left.
    pub(crate) fn resting(left: Duration) -> SendError {
        SendError::Unavailable { status: Some(429), retry_after: Some(left), source: None }
    }

    /// Nothing was sent, for a reason of our own.
    pub(crate) fn not_tried(reason: &'static str) -> SendError {
        SendError::lost(TransportError::NotTried(reason.into()))
    }

    /// What the failure of one try that had `patience` shows about the endpoint. A gateway that finds nothing behind it
    /// (502, 503, 504) is silence. So is an answer that does not come, if there was time for it.
    pub(crate) fn sign(&self, patience: Duration) -> Sign {
        match self {
            SendError::Unavailable { status: Some(_), retry_after: Some(rest), .. } => Sign::Resting(*rest),
            SendError::Unavailable { source: Some(TransportError::NotTried(_)), .. } => Sign::Nothing,
            SendError::Unknown { source: Some(TransportError::TimedOut(_)), .. } if patience < PATIENCE => {
                Sign::Nothing
            }
            SendError::Unavailable { status, .. } | SendError::Unknown { status, .. } => match status {
                None | Some(502..=504) => Sign::Silent,
                Some(_) => Sign::Failing,
            },
            SendError::Denied { .. } | SendError::WrongEndpoint { .. } => Sign::Failing,
            _ => Sign::Alive,
        }
    }
}

/// Codes such as `Warning.User.NotExisted` and `Info.User.NotInGroup`.
fn means_absent(code: &str) -> bool {
    code.ends_with(".NotExisted") || code.ends_with(".NotInGroup")
}

fn advice(status: u16, setting: &str) -> String {
    match status {
        401 => format!("check AccessKey in {setting}, and this machine's clock"),
        _ => format!("check that the service of {setting} allows access keys and this network"),
    }
}

fn status_detail(status: Option<u16>) -> String {
    status.map(|status| format!(" (status {status})")).unwrap_or_default()
}

fn rest_detail(retry_after: Option<Duration>) -> String {
    let seconds = |rest: Duration| format!(", nothing is sent for {} s", rest.as_secs_f64().ceil());
    retry_after.map(seconds).unwrap_or_default()
}

struct Detail<'a>(Option<&'a str>);

impl fmt::Display for Detail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |text| write!(f, " ({text})"))
    }
}

impl fmt::Display for EndpointFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = self.failed.len();
        write!(f, "{failed} of {} endpoints failed", failed + self.succeeded)?;
        self.failed.iter().try_for_each(|failure| write!(f, "; {}: {}", failure.endpoint, failure.error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, code: Option<&str>) -> String {
        let answer = Answer {
            status,
            code: code.map(str::to_owned),
            description: Some("why".into()),
            retry_after: Some(Duration::from_secs(3)),
        };
        match SendError::judge(answer, 9, "Setting") {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn answers_are_sorted_by_what_the_caller_does() {
        let gone = "Error.Connection.NotExisted";
        for (status, code, expected) in [
            (200, None, "ok"),
            (202, None, "ok"),
            (204, None, "ok"),
            (400, Some("X"), r#"Refused { status: 400, code: Some("X") }"#),
            (302, None, "Refused { status: 302, code: None }"),
            (401, None, r#"Denied { status: 401, setting: "Setting", description: Some("why") }"#),
            (403, None, r#"Denied { status: 403, setting: "Setting", description: Some("why") }"#),
            (404, None, r#"WrongEndpoint { setting: "Setting" }"#),
            (404, Some(gone), r#"NotFound { code: "Error.Connection.NotExisted" }"#),
            (404, Some("Other"), r#"Refused { status: 404, code: Some("Other") }"#),
            (408, None, "Unknown { status: Some(408), source: None }"),
            (413, None, "TooLarge { size: 9 }"),
            (429, None, "Unavailable { status: Some(429), retry_after: Some(3s), source: None }"),
            (500, None, "Unknown { status: Some(500), source: None }"),
            (502, None, "Unknown { status: Some(502), source: None }"),
            (503, None, "Unavailable { status: Some(503), retry_after: Some(3s), source: None }"),
        ] {
            assert_eq!(judged(status, code), expected);
        }
    }

    #[test]
    fn not_delivered_is_not_claimed_after_a_try_that_may_have_been() {
        let error = SendError::Unavailable { status: Some(503), retry_after: None, source: None };
        assert!(matches!(error.after_unknown(), SendError::Unknown { status: Some(503), .. }));
    }

    #[test]
    fn what_a_failure_shows_is_sorted_by_what_it_says_about_the_endpoint() {
        let unavailable = |status, retry_after| SendError::Unavailable { status, retry_after, source: None };
        let unknown = |status| SendError::Unknown { status, source: None };
        let rest = Duration::from_secs(7);
        for (error, sign) in [
            (unavailable(None, None), Sign::Silent),
            (unavailable(Some(503), None), Sign::Silent),
            (unavailable(Some(503), Some(rest)), Sign::Resting(rest)),
            (unavailable(Some(429), Some(rest)), Sign::Resting(rest)),
            (unknown(None), Sign::Silent),
            (unknown(Some(504)), Sign::Silent),
            (unknown(Some(500)), Sign::Failing),
            (unknown(Some(408)), Sign::Failing),
            (SendError::Refused { status: 400, code: None }, Sign::Alive),
            (SendError::WrongEndpoint { setting: String::new() }, Sign::Failing),
            (SendError::Denied { status: 401, setting: String::new(), description: None }, Sign::Failing),
            (SendError::not_tried("why"), Sign::Nothing),
        ] {
            assert_eq!(error.sign(PATIENCE), sign, "{error:?}");
        }
    }

    #[test]
    fn an_answer_that_had_no_time_to_come_is_no_silence() {
        let late = SendError::lost(TransportError::TimedOut("late".into()));
        assert_eq!(late.sign(PATIENCE), Sign::Silent);
        assert_eq!(late.sign(PATIENCE / 2), Sign::Nothing);
    }

    #[test]
    fn messages_say_what_to_do() {
        let denied =
            |status| SendError::Denied { status, setting: "S".into(), description: Some("bad".into()) };
        let shown = [
            denied(401).to_string(),
            denied(403).to_string(),
            EndpointFailures {
                succeeded: 1,
                failed: vec![EndpointFailure { endpoint: "west".into(), error: denied(401) }],
            }
            .to_string(),
        ];
        assert_eq!(
            shown,
            [
                "denied with status 401 (bad): check AccessKey in S, and this machine's clock",
                "denied with status 403 (bad): check that the service of S allows access keys and this network",
                "1 of 2 endpoints failed; west: denied with status 401 (bad): check AccessKey in S, and this machine's clock",
            ]
        );
    }
}
