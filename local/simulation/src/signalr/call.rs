//! Calls of the REST API (version 2022-06-01) as they are on the wire, and its answers.

use axum::body::Bytes;
use axum::http::{Method, Request, Response, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::hub::{Audience, Message};
use crate::plan::SignalRCall;

/// What is asked of the service.
#[derive(Debug)]
pub(super) enum RestCall {
    Send(Audience, Message),
    GroupExists(String),
    ConnectionExists(String),
    Join { connection: String, group: String },
    Leave { connection: String, group: String },
}

impl RestCall {
    /// Reads a request; `None` for one that the service does not know, or that nothing here makes.
    pub(super) fn read(request: &Request<Bytes>) -> Option<RestCall> {
        let path = request.uri().path().strip_prefix("/api/hubs/enviromon/")?;
        let parts: Vec<String> = path
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8().map(String::from))
            .collect::<Result<_, _>>()
            .ok()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let send = |to| Some(RestCall::Send(to, message(request.body())?));
        match (request.method(), &parts[..]) {
            (&Method::POST, [":send"]) => send(Audience::All),
            (&Method::POST, ["groups", group, ":send"]) => send(Audience::Group((*group).to_owned())),
            (&Method::POST, ["connections", id, ":send"]) => send(Audience::Connection((*id).to_owned())),
            (&Method::HEAD, ["groups", group]) => Some(RestCall::GroupExists((*group).to_owned())),
            (&Method::HEAD, ["connections", id]) => Some(RestCall::ConnectionExists((*id).to_owned())),
            (&Method::PUT, ["groups", group, "connections", id]) => {
                Some(RestCall::Join { connection: (*id).to_owned(), group: (*group).to_owned() })
            }
            (&Method::DELETE, ["groups", group, "connections", id]) => {
                Some(RestCall::Leave { connection: (*id).to_owned(), group: (*group).to_owned() })
            }
            _ => None,
        }
    }

    /// Its kind, as plans know it.
    pub(super) fn kind(&self) -> SignalRCall {
        match self {
            RestCall::Send(..) => SignalRCall::Send,
            RestCall::GroupExists(_) => SignalRCall::Ask,
            RestCall::ConnectionExists(_) | RestCall::Join { .. } | RestCall::Leave { .. } => {
                SignalRCall::Join
            }
        }
    }
}

fn message(body: &[u8]) -> Option<Message> {
    #[derive(Deserialize)]
    struct Body {
        target: String,
        arguments: Box<RawValue>,
    }
    let Body { target, arguments } = serde_json::from_slice(body).ok()?;
    Some(Message { target, arguments })
}

/// An answer without a body.
pub(super) fn answer(status: StatusCode) -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = status;
    answer
}

/// "Not found", with the code by which the service tells it from a wrong address.
pub(super) fn absent(code: &'static str) -> Response<Bytes> {
    with_header(answer(StatusCode::NOT_FOUND), "x-ms-error-code", code)
}

/// "Too many requests".
pub(super) fn throttled(seconds: u64) -> Response<Bytes> {
    with_header(answer(StatusCode::TOO_MANY_REQUESTS), "retry-after", &seconds.to_string())
}

fn with_header(mut answer: Response<Bytes>, name: &'static str, value: &str) -> Response<Bytes> {
    answer.headers_mut().insert(name, value.parse().expect("a header value"));
    answer
}
