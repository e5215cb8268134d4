//! Answers to HTTP calls: JSON, and for errors a stable code with a sentence that says what to do.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;

use crate::host::envelope;
use crate::primitives::stable_hash::stable_hash;
use crate::store::StoreError;

/// A status, headers and a body; rendered as a plain response or inside the host's envelope.
#[derive(Debug, PartialEq)]
pub struct Answer {
    status: StatusCode,
    headers: Vec<(&'static str, String)>,
    body: String,
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    code: &'a str,
    error: &'a str,
}

impl Answer {
    /// A JSON body.
    pub fn json(status: StatusCode, body: String) -> Answer {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            // Snapshots and tokens are only true now.
            ("cache-control", "no-store".to_owned()),
            // A page of another origin tells the age of data by the server's clock, which it may only read if told so.
            ("access-control-expose-headers", "Date, ETag".to_owned()),
        ];
        Answer { status, headers, body }
    }

    /// The same for as long as it has this ETag: nothing is sent to a caller who has it already.
    pub fn unless_known(mut self, known: Option<&str>) -> Answer {
        let etag = format!("W/\"{:016x}\"", stable_hash(self.body.as_bytes()));
        let is_it = |tag: &str| tag == "*" || tag.trim_start_matches("W/") == etag.trim_start_matches("W/");
        if known.is_some_and(|known| known.split(',').any(|tag| is_it(tag.trim()))) {
            (self.status, self.body) = (StatusCode::NOT_MODIFIED, String::new());
            self.headers.retain(|(name, _)| *name != "content-type");
        }
        // May be kept, but has to be asked for each time.
        self.headers.retain(|(name, _)| *name != "cache-control");
        self.headers.extend([("cache-control", "no-cache".to_owned()), ("etag", etag)]);
        self
    }

    /// An error: `{"code":"…","error":"…"}`. SignalR clients show the text under `error` to people.
    pub fn error(status: StatusCode, code: &str, sentence: &str) -> Answer {
        let body = serde_json::to_string(&ErrorBody { code, error: sentence }).expect("two texts are JSON");
        Answer::json(status, body)
    }

    /// The store did not give what was asked for.
    pub fn store_failed(what: &str, error: &StoreError) -> Answer {
        tracing::error!("{what} could not be read: {error}");
        let sentence = match error {
            // Names a setting, for the person who has just changed it.
            StoreError::Misconfigured(_) => error.to_string(),
            // The cause is in the log: callers may be anybody.
            _ => format!("{what} cannot be read now; try again in a moment"),
        };
        Answer::error(StatusCode::SERVICE_UNAVAILABLE, "store_unavailable", &sentence)
    }

    /// No such function.
    pub fn not_found(path: &str) -> Answer {
        let sentence = format!(
            "there is no function at {path}; try /api/negotiate, /api/getdevicestate, /api/rejectedtelemetry or /api/subscriptions/{{group}}"
        );
        Answer::error(StatusCode::NOT_FOUND, "not_found", &sentence)
    }

    /// The function exists, but not for this method.
    pub fn wrong_method(allowed: &str) -> Answer {
        let sentence = format!("this function answers {allowed}");
        let mut answer = Answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", &sentence);
        answer.headers.push(("allow", allowed.to_owned()));
        answer
    }

    /// A body beyond its limit.
    pub fn too_large(limit: usize) -> Answer {
        let sentence = format!("the request body is incomplete or larger than {limit} bytes");
        Answer::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", &sentence)
    }

    /// Status, headers, body.
    pub fn into_parts(self) -> (StatusCode, Vec<(&'static str, String)>, String) {
        (self.status, self.headers, self.body)
    }

    /// The answer as the host wants it for a call that it wrapped: always 200, the real status inside.
    pub fn into_envelope(self) -> Response {
        let body = envelope::http_reply(self.status.as_u16(), &self.headers, &self.body);
        let mut response = Response::new(Body::from(body));
        response
            .headers_mut()
            .insert("content-type", axum::http::HeaderValue::from_static("application/json"));
        response
    }
}
