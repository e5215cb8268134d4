//! What the REST boundary and the client boundary read from a request: headers, the token, and a body within the
//! limit.

use super::reply;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::Response;
use futures_util::StreamExt;

/// The largest body of a send that the service documents.
const LARGEST_BODY: usize = 1024 * 1024;

/// How much of a body over the limit is read, so that the caller gets the response and not a reset.
const LARGEST_DRAIN: usize = 16 * LARGEST_BODY;

/// A header's value; empty when it is missing or not text.
pub(crate) fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = text(headers, AUTHORIZATION).split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
}

/// The media type of the body, in lower case and without parameters.
pub(crate) fn media_type(headers: &HeaderMap) -> String {
    text(headers, CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The whole body, if it is within the limit of the service, which is the same for sends by clients.
pub(crate) async fn read_body(body: Body) -> Result<Vec<u8>, Response> {
    let mut chunks = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| reply::bad_request("the body ended early"))?;
        length += chunk.len();
        if length <= LARGEST_BODY {
            bytes.extend_from_slice(&chunk);
        } else if length > LARGEST_DRAIN {
            break;
        }
    }
    if length > LARGEST_BODY {
        let message = "the body is larger than 1 MB";
        return Err(reply::refused(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message));
    }
    Ok(bytes)
}
