//! What an answer of the service says beside its status. Header and body text in, checked parts out.

use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Deserialize;

/// Enough for the sentences that the service writes, too little to fill a log.
const SHOWN_CHARACTERS: usize = 200;

/// An answer, reduced to what decides about it.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `x-ms-error-code`, or the `code` of an error body.
    pub(crate) code: Option<String>,
    /// `error_description` of `WWW-Authenticate`.
    pub(crate) description: Option<String>,
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn new(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Answer {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        // Only the header distinguishes "not found" from "no such service"; a web server's 404 may well be JSON.
        let body_code = || (status != 404).then(|| body_code(body)).flatten();
        Answer {
            status,
            code: headers
                .get("x-ms-error-code")
                .and_then(|value| showable(value.to_str().ok()?))
                .or_else(body_code),
            description: text(WWW_AUTHENTICATE).and_then(error_description),
            retry_after: text(RETRY_AFTER).and_then(|value| retry_after(value, now)),
        }
    }
}

fn body_code(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct ErrorBody {
        code: String,
    }
    let error: ErrorBody = serde_json::from_slice(body).ok()?;
    showable(&error.code)
}

/// The quoted text after `error_description=`, as RFC 6750 writes it.
fn error_description(challenge: &str) -> Option<String> {
    let (_, rest) = challenge.split_once("error_description=\"")?;
    let (description, _) = rest.split_once('"')?;
    showable(description)
}

/// A short text without control characters. Whatever looks like a token (`eyJ`, the start of every JWT) is dropped.
fn showable(text: &str) -> Option<String> {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_CHARACTERS).collect();
    (!shown.is_empty() && !text.contains("eyJ")).then_some(shown)
}

/// Seconds or an HTTP date (RFC 9110, section 10.2.3); a date in the past is no wait.
fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use http::header::{HeaderName, HeaderValue};

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answer {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), HeaderValue::from_str(value).expect("a header value"))
        };
        let now = UNIX_EPOCH + Duration::from_secs(784_111_770);
        Answer::new(status, &headers.iter().map(pair).collect(), body.as_bytes(), now)
    }

    #[test]
    fn code_comes_from_the_header_else_from_the_body() {
        assert_eq!(answer(400, &[("x-ms-error-code", "A")], r#"{"code":"B"}"#).code.as_deref(), Some("A"));
        assert_eq!(answer(400, &[], r#"{"code":"B","message":"m"}"#).code.as_deref(), Some("B"));
        assert_eq!(answer(400, &[], "<html>").code, None);
    }

    #[test]
    fn a_body_alone_does_not_make_a_404_the_services_own() {
        assert_eq!(answer(404, &[], r#"{"code":"Error.Connection.NotExisted"}"#).code, None);
    }

    #[test]
    fn description_is_taken_out_of_the_challenge() {
        let challenge = r#"Bearer error="invalid_token", error_description="The audience is invalid""#;
        let answer = answer(401, &[("www-authenticate", challenge)], "");
        assert_eq!(answer.description.as_deref(), Some("The audience is invalid"));
    }

    #[test]
    fn a_token_in_the_description_is_dropped() {
        let challenge = r#"Bearer error_description="bad token eyJhbGciOi.x.y""#;
        assert_eq!(answer(401, &[("www-authenticate", challenge)], "").description, None);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value| answer(429, &[("retry-after", value)], "").retry_after;
        assert_eq!(after("3"), Some(Duration::from_secs(3)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }
}
