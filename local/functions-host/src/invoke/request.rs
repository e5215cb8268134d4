//! Requests to the handler: the headers of every invocation, chunked envelopes, forwarded calls.

use std::{convert::Infallible, sync::Arc, task::Poll};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header, response::Parts},
};
use futures_util::stream;
use tokio::sync::Notify;

use crate::{guid::Guid, handler::HandlerConnection};

/// The version this stand-in imitates.
const HOST_VERSION: &str = "4.1037.0.23568";
const USER_AGENT: HeaderValue = HeaderValue::from_static("Azure-Functions-Host/4.1037.0.23568");
const INVOCATION_ID: HeaderName = HeaderName::from_static("x-azure-functions-invocationid");
const HOST_VERSION_HEADER: HeaderName = HeaderName::from_static("x-azure-functions-hostversion");

/// Size of one chunk of an envelope.
const CHUNK: usize = 64 * 1024;

/// A body of unknown length, so that it is sent in chunks. `sent` is notified when the last byte was taken.
pub(crate) fn chunked(mut bytes: Bytes, sent: &Arc<Notify>) -> Body {
    let sent = Arc::clone(sent);
    Body::from_stream(stream::poll_fn(move |_| {
        if bytes.is_empty() {
            sent.notify_one();
            return Poll::Ready(None);
        }
        let chunk = bytes.split_to(bytes.len().min(CHUNK));
        Poll::Ready(Some(Ok::<_, Infallible>(chunk)))
    }))
}

pub(crate) fn default_mode(
    connection: &HandlerConnection,
    method: &Method,
    path: &str,
    invocation: Guid,
    body: Option<Body>,
) -> Request<Body> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = method.clone();
    *request.uri_mut() = connection.uri(path);
    append_invocation_headers(request.headers_mut(), invocation);
    if let Some(body) = body {
        let json = HeaderValue::from_static("application/json; charset=utf-8");
        request.headers_mut().insert(header::CONTENT_TYPE, json);
        *request.body_mut() = body;
    }
    request
}

/// Adds the headers of every invocation after those that a forwarded client sent under the same names. .NET writes
/// all values of a header into one line: products of a user agent with a space between them, everything else with a
/// comma.
pub(crate) fn append_invocation_headers(headers: &mut HeaderMap, invocation: Guid) {
    let id =
        HeaderValue::from_str(&invocation.to_string()).expect("hex digits and dashes are a header value");
    append(headers, INVOCATION_ID, ", ", &id);
    append(headers, HOST_VERSION_HEADER, ", ", &HeaderValue::from_static(HOST_VERSION));
    append(headers, header::USER_AGENT, " ", &USER_AGENT);
}

fn append(headers: &mut HeaderMap, name: HeaderName, separator: &str, value: &HeaderValue) {
    let mut line = Vec::new();
    for present in headers.get_all(&name) {
        line.extend_from_slice(present.as_bytes());
        line.extend_from_slice(separator.as_bytes());
    }
    line.extend_from_slice(value.as_bytes());
    headers.insert(name, HeaderValue::from_bytes(&line).expect("joined header values are a header value"));
}

/// Addresses a prepared client request to the handler. Path, query and headers stay.
pub(crate) fn address(mut request: Request<Bytes>, connection: &HandlerConnection) -> Request<Bytes> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    *request.uri_mut() = connection.uri(&path);
    request
}

/// The path that a redirect leads to, if it stays at the handler.
pub(crate) fn redirect(parts: &Parts, authority: &str) -> Option<String> {
    if !matches!(parts.status.as_u16(), 300..=303 | 307 | 308) {
        return None;
    }
    let location: Uri = parts.headers.get(header::LOCATION)?.to_str().ok()?.parse().ok()?;
    let stays = location.authority().is_none_or(|target| target.as_str() == authority);
    let path = location.path_and_query()?.as_str();
    (stays && path.starts_with('/')).then(|| path.to_owned())
}
