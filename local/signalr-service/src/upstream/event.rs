//! The requests to an upstream: the service's headers with its signature, and a body for each kind of event.

use crate::identity::Identity;
use crate::token::Keys;
use crate::wire::hub_protocol::Protocol;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, Request};
use bytes::Bytes;
use serde_json::json;

pub(super) const CONNECTIONS: &str = "connections";
pub(super) const MESSAGES: &str = "messages";

/// What happened on a connection.
pub(super) enum Event<'a> {
    Connected,
    Disconnected { error: Option<&'a str> },
    Message { method: &'a str, record: Bytes, protocol: Protocol },
}

impl Event<'_> {
    pub(super) fn category(&self) -> &'static str {
        match self {
            Event::Connected | Event::Disconnected { .. } => CONNECTIONS,
            Event::Message { .. } => MESSAGES,
        }
    }

    pub(super) fn name(&self) -> &str {
        match self {
            Event::Connected => "connected",
            Event::Disconnected { .. } => "disconnected",
            Event::Message { method, .. } => method,
        }
    }

    fn body(&self) -> Bytes {
        match self {
            Event::Connected => json!({ "type": 10 }).to_string().into(),
            Event::Disconnected { error: None } => json!({ "type": 11 }).to_string().into(),
            Event::Disconnected { error } => json!({ "type": 11, "error": error }).to_string().into(),
            Event::Message { record, .. } => record.clone(),
        }
    }

    fn content_type(&self) -> &'static str {
        match self {
            Event::Message { protocol: Protocol::MessagePack, .. } => "application/x-msgpack",
            _ => "application/json",
        }
    }
}

/// The request for an event. `url` comes from an upstream that [`is_usable`](super::Upstream::is_usable).
pub(super) fn request(url: &str, who: &Identity, event: &Event<'_>, keys: &Keys) -> Request<Body> {
    let claims = who.claims.iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
    let signatures = keys.signatures(&who.id.0).map(|signature| format!("sha256={signature}"));
    let mut request = Request::new(Body::from(event.body()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.parse().expect("a usable template gives URLs");
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(event.content_type()));
    headers.insert("x-asrs-connection-id", header(&who.id.0));
    headers.insert("x-asrs-hub", header(who.hub.as_str()));
    headers.insert("x-asrs-category", header(event.category()));
    headers.insert("x-asrs-event", header(event.name()));
    if let Some(user) = &who.user {
        headers.insert("x-asrs-user-id", header(&user.0));
    }
    headers.insert("x-asrs-user-claims", header(&claims.join(", ")));
    headers.insert("x-asrs-client-query", header(&format!("?{}", who.query)));
    headers.insert("x-asrs-signature", header(&signatures.collect::<Vec<_>>().join(",")));
    request
}

/// A header's value. Control characters are not allowed in headers and become question marks.
fn header(text: &str) -> HeaderValue {
    let printable = text.replace(char::is_control, "?");
    HeaderValue::from_bytes(printable.as_bytes()).expect("text without control characters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_hold_any_text() {
        assert_eq!(header("a\r\nx-evil: 1\0\u{7f}\u{85}ä").as_bytes(), "a??x-evil: 1???ä".as_bytes());
    }

    #[test]
    fn the_end_of_a_connection_says_why_if_it_failed() {
        assert_eq!(Event::Disconnected { error: None }.body(), r#"{"type":11}"#);
        assert_eq!(Event::Disconnected { error: Some("x") }.body(), r#"{"error":"x","type":11}"#);
    }
}
