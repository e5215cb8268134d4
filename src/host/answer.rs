//! Answers to HTTP calls: JSON, and for errors a stable code with a sentence that says what to do.

use std::fmt::Display;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::host::collect::{Uncollected, collect};
use crate::host::envelope;
use crate::primitives::json::to_json;

/// The most of a body that comes in pieces for a call that the host wrapped: it is one text in the envelope.
const LARGEST_ENVELOPED: usize = 8 * 1024 * 1024;

/// A status, headers and a body; rendered as a plain response or inside the host's envelope.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Text(String),
    /// What is made while it is sent. An error in it cuts the response off, so that it is not taken for a whole one.
    Pieces(Body),
}

/// No browser takes an answer for something else than it says: what it holds may come from devices.
pub(crate) const NOSNIFF: (&str, &str) = ("x-content-type-options", "nosniff");

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    error: &'a str,
}

impl Answer {
    /// A JSON body.
    pub(crate) fn json(status: StatusCode, body: String) -> Answer {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            // Snapshots and tokens are only true now.
            ("cache-control", "no-store".to_owned()),
            (NOSNIFF.0, NOSNIFF.1.to_owned()),
            // The page measures its clock against `Date`; a page of another origin may read it only if it is exposed.
            ("access-control-expose-headers", "Date, ETag, Retry-After".to_owned()),
        ];
        Answer { status, headers, content: Content::Text(body) }
    }

    /// A JSON body that is made while it is sent.
    pub(crate) fn json_in_pieces(body: Body) -> Answer {
        Answer { content: Content::Pieces(body), ..Answer::json(StatusCode::OK, String::new()) }
    }

    /// Adds an ETag, which stands for everything in the body that a caller could miss; 304 without a body if the caller
    /// has it.
    pub(crate) fn revalidated(mut self, version: u64, known: Option<&str>) -> Answer {
        let etag = format!("W/\"{version:016x}\"");
        let is_it = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == etag.trim_start_matches("W/");
        if known.is_some_and(|known| known.split(',').any(|tag| is_it(tag.trim()))) {
            (self.status, self.content) = (StatusCode::NOT_MODIFIED, Content::Text(String::new()));
            self.headers.retain(|(name, _)| *name != "content-type");
        }
        // May be kept, but by the caller alone, who may have seen what others may not, and has to be asked for each time.
        self.headers.retain(|(name, _)| *name != "cache-control");
        self.headers.extend([("cache-control", "private, no-cache".to_owned()), ("etag", etag)]);
        self
    }

    /// An error: `{"code":"…","error":"…"}`. SignalR clients show the text under `error` to people.
    pub(crate) fn error(status: StatusCode, code: &str, sentence: &str) -> Answer {
        Answer::json(status, to_json(&ErrorBody { code, error: sentence }))
    }

    /// Too much is asked at once: the caller may try again after so long, rounded up to seconds.
    pub(crate) fn busy(code: &str, sentence: &str, after: Duration) -> Answer {
        let mut answer = Answer::error(StatusCode::TOO_MANY_REQUESTS, code, sentence);
        let seconds = after.as_millis().div_ceil(1_000).max(1);
        answer.headers.push(("retry-after", seconds.to_string()));
        answer
    }

    /// Something could not be read now. The cause is for the log: callers may be anybody.
    pub(crate) fn unavailable(what: &str, cause: &dyn Display) -> Answer {
        tracing::error!("{what} could not be read: {cause}");
        let sentence = format!("{what} cannot be read now; try again in a moment");
        Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &sentence)
    }

    /// Something cannot be read before a person changes a setting. Which one, the log says: callers may be anybody.
    pub(crate) fn misconfigured(what: &str, cause: &dyn Display) -> Answer {
        tracing::error!("{what} could not be read: {cause}");
        let sentence = format!("{what} cannot be read as the app is set up; its log says what to change");
        Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &sentence)
    }

    /// Something could not be sent through SignalR. The cause is for the log: callers may be anybody.
    pub(crate) fn not_sent(what: &str, cause: &dyn Display) -> Answer {
        tracing::warn!("{what} could not be sent: {cause}");
        let sentence = format!("{what} could not be sent through SignalR; try again in a moment");
        Answer::error(StatusCode::BAD_GATEWAY, "push_failed", &sentence)
    }

    /// The function exists, but not for this method.
    pub(crate) fn wrong_method(allowed: &str) -> Answer {
        let sentence = format!("this function answers {allowed}");
        let mut answer = Answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &sentence);
        answer.headers.push(("allow", allowed.to_owned()));
        answer
    }

    /// The body of the request could not be taken.
    pub(crate) fn uncollected(why: &Uncollected, limit: usize) -> Answer {
        match why {
            Uncollected::TooLarge => {
                let sentence = format!("the request body is incomplete or larger than {limit} bytes");
                Answer::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &sentence)
            }
            Uncollected::Cut => {
                let sentence = "the connection ended before the request did; send it again";
                Answer::error(StatusCode::BAD_REQUEST, "cut_body", sentence)
            }
            Uncollected::Slow => {
                let sentence = "the request body did not arrive in time; send it again";
                Answer::error(StatusCode::REQUEST_TIMEOUT, "slow_body", sentence)
            }
        }
    }

    /// The answer as the host wants it for a call that it wrapped: always 200, the real status inside.
    pub(crate) async fn into_envelope(self) -> Response {
        let Answer { status, headers, content } = self;
        let (status, text) = match content {
            Content::Text(text) => (status, text),
            Content::Pieces(body) => match whole(body).await {
                Some(text) => (status, text),
                None => {
                    let error = "the answer was cut off; try again in a moment";
                    let body = ErrorBody { code: "store_unavailable", error };
                    (StatusCode::SERVICE_UNAVAILABLE, to_json(&body))
                }
            },
        };
        let body = envelope::http_reply(status.as_u16(), &headers, &text);
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
        response
    }
}

/// A body of pieces as one text, if nothing cut it off.
async fn whole(body: Body) -> Option<String> {
    String::from_utf8(collect(body, LARGEST_ENVELOPED).await.ok()?).ok()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(match self.content {
            Content::Text(text) => Body::from(text),
            Content::Pieces(body) => body,
        });
        *response.status_mut() = self.status;
        for (name, value) in self.headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
