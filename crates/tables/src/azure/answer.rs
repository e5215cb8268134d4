//! What the service says when it does not do what was asked: from status, headers and body to an [`Answer`].
//! Pure.

use std::time::{Duration, SystemTime};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;

/// Long enough for every sentence of the service, and a bound on what a stranger can put into a log.
const LONGEST_MESSAGE: usize = 300;

/// An error that the service, or something in front of it, answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    /// Empty if the answer does not come from the service or could not be read.
    pub(super) code: String,
    /// The first line, without the index.
    pub(super) message: String,
    /// Which operation of a transaction it is about, as the service put it in front of the message.
    pub(super) index: Option<usize>,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    pub(super) fn new(status: u16, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Answer {
        let mut answer = Answer::from_body(status, body);
        if answer.code.is_empty() {
            let header = headers.get("x-ms-error-code").and_then(|code| code.to_str().ok());
            answer.code = plain_code(header.unwrap_or_default());
        }
        let wait = headers.get(RETRY_AFTER).and_then(|wait| wait.to_str().ok());
        answer.retry_after = wait.and_then(|wait| retry_after(wait, now));
        answer
    }

    /// For a part of a transaction's reply, which has no headers of interest.
    pub(super) fn from_body(status: u16, body: &[u8]) -> Answer {
        let (code, text) = from_json(body).or_else(|| from_xml(body)).unwrap_or_default();
        let (index, text) = split_index(&text);
        let first_line = text.lines().next().unwrap_or_default();
        let message = first_line.chars().filter(|c| !c.is_control()).take(LONGEST_MESSAGE).collect();
        Answer { status, code: plain_code(&code), message, index, retry_after: None }
    }

    /// Whether it says that there is no such row, rather than no such table or address.
    pub(super) fn is_missing_row(&self) -> bool {
        matches!(self.code.as_str(), "ResourceNotFound" | "EntityNotFound")
    }

    /// Whether the service itself answered, rather than a proxy or load balancer.
    pub(super) fn is_from_service(&self) -> bool {
        !self.code.is_empty()
    }
}

/// Codes are identifiers; anything else is none.
fn plain_code(code: &str) -> String {
    let is_plain = code.len() <= 80 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_plain { code.to_owned() } else { String::new() }
}

/// `3:The update condition …` is about operation 3.
fn split_index(text: &str) -> (Option<usize>, &str) {
    let split = text.split_once(':').and_then(|(index, rest)| Some((index.parse().ok()?, rest)));
    split.map_or((None, text), |(index, rest)| (Some(index), rest))
}

/// Either whole seconds or an HTTP date (RFC 9110, 10.2.3).
fn retry_after(text: &str, now: SystemTime) -> Option<Duration> {
    let text = text.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = httpdate::parse_http_date(text).ok()?;
    Some(moment.duration_since(now).unwrap_or_default())
}

fn from_json(body: &[u8]) -> Option<(String, String)> {
    #[derive(Deserialize)]
    struct Envelope {
        #[serde(rename = "odata.error", alias = "error")]
        error: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        code: String,
        message: Message,
    }
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Message {
        Localised { value: String },
        Plain(String),
    }
    let Envelope { error } = serde_json::from_slice(body).ok()?;
    let (Message::Localised { value: message } | Message::Plain(message)) = error.message;
    Some((error.code, message))
}

/// Two forms occur, `<error><code>…` and `<Error><Code>…`; both are flat, so that finding the two elements is
/// enough.
fn from_xml(body: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(body).ok()?;
    let code = element(text, "code").or_else(|| element(text, "Code"))?;
    let message = element(text, "message").or_else(|| element(text, "Message"))?;
    Some((code.to_owned(), message.to_owned()))
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let opening = format!("<{name}");
    let candidates = text.split(opening.as_str()).skip(1);
    let mut named = candidates.filter(|rest| rest.starts_with(['>', ' ']));
    let (_, content) = named.next()?.split_once('>')?;
    content.split('<').next()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use proptest::prelude::*;
    use reqwest::header::HeaderValue;

    use super::*;

    fn answer(body: &str) -> (String, String, Option<usize>) {
        let answer = Answer::from_body(400, body.as_bytes());
        (answer.code, answer.message, answer.index)
    }

    #[test]
    fn json_and_xml_errors_say_the_same() {
        let text = "The specified entity already exists.";
        let expected = ("EntityAlreadyExists".to_owned(), text.to_owned(), None);
        let bodies = [
            format!(
                r#"{{"odata.error":{{"code":"EntityAlreadyExists","message":{{"lang":"en-US","value":"{text}\nRequestId:1\nTime:2"}}}}}}"#
            ),
            format!(r#"{{"error":{{"code":"EntityAlreadyExists","message":"{text}"}}}}"#),
            format!(
                "<?xml version=\"1.0\"?><error xmlns=\"http://schemas.microsoft.com/ado/2007/08/dataservices/metadata\">\
                     <code>EntityAlreadyExists</code><message xml:lang=\"en-US\">{text}\nRequestId:1</message></error>"
            ),
            format!("<Error><Code>EntityAlreadyExists</Code><Message>{text}\nRequestId:1</Message></Error>"),
        ];
        for body in bodies {
            assert_eq!(answer(&body), expected, "{body}");
        }
    }

    #[test]
    fn index_of_the_operation_is_split_off() {
        let body = r#"{"odata.error":{"code":"UpdateConditionNotSatisfied","message":{"value":"3:The update condition.\nRequestId:1"}}}"#;
        let expected =
            ("UpdateConditionNotSatisfied".to_owned(), "The update condition.".to_owned(), Some(3));
        assert_eq!(answer(body), expected);
        assert_eq!(split_index("InvalidInput: x"), (None, "InvalidInput: x"));
    }

    #[test]
    fn code_is_taken_from_the_header_if_the_body_has_none() {
        let mut headers = HeaderMap::new();
        headers.insert("x-ms-error-code", HeaderValue::from_static("ServerBusy"));
        let answer = Answer::new(503, &headers, b"", UNIX_EPOCH);
        assert_eq!((answer.code.as_str(), answer.is_from_service()), ("ServerBusy", true));
    }

    #[test]
    fn page_of_a_proxy_is_not_from_the_service() {
        let answer =
            Answer::from_body(503, b"<html><head><title>503</title></head><body>no upstream</body></html>");
        assert!(!answer.is_from_service());
        assert_eq!(answer.message, "");
    }

    #[test]
    fn what_a_stranger_writes_stays_short_and_printable() {
        let long = "x".repeat(5_000);
        let body =
            format!(r#"{{"odata.error":{{"code":"a b\n","message":{{"value":"\u001b[31m{long}"}}}}}}"#);
        let (code, message, _) = answer(&body);
        assert_eq!((code.as_str(), message.len()), ("", LONGEST_MESSAGE));
        assert!(!message.contains('\u{1b}'));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = UNIX_EPOCH + Duration::from_secs(100);
        assert_eq!(retry_after(" 7 ", now), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:02:00 GMT", now), Some(Duration::from_secs(20)));
        assert_eq!(retry_after("Thu, 01 Jan 1970 00:00:01 GMT", now), Some(Duration::ZERO));
        assert_eq!(retry_after("soon", now), None);
    }

    proptest! {
        #[test]
        fn any_body_is_survived(body in prop::collection::vec(any::<u8>(), 0..200)) {
            Answer::from_body(500, &body);
        }

        #[test]
        fn any_markup_is_survived(body in "[<>/codeCMmsag =é]{0,60}") {
            Answer::from_body(500, body.as_bytes());
        }
    }
}
