//! Web pages: which may use the service, and the headers that their browsers need (CORS).
//!
//! Only pages from this machine may use it. The development key is public, so a page from any site could sign valid
//! tokens. CORS alone would not prevent that: it covers neither WebSockets nor a host name that is later resolved to
//! 127.0.0.1. Programs other than browsers send no `Origin`.

use axum::extract::Request;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_REQUEST_HEADERS, HOST, ORIGIN, VARY,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::Ipv4Addr;

/// Answers requests whose `Host` names another machine with 403: a page of any site can have its name resolved to
/// 127.0.0.1 and be a page of this service's own origin then, which sends no `Origin`.
pub(crate) async fn refuse_foreign_hosts(request: Request, next: Next) -> Response {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    match named.is_some_and(|host| is_loopback(name(host))) {
        true => next.run(request).await,
        false => {
            let sentence = "the Host header names another machine: use localhost, 127.0.0.1 or [::1]";
            (StatusCode::FORBIDDEN, sentence).into_response()
        }
    }
}

/// Answers a page that is not on this machine with 403, without the headers that would allow it to read the response.
pub(crate) async fn refuse_foreign_pages(request: Request, next: Next) -> Response {
    match request.headers().get(ORIGIN) {
        Some(origin) if !is_on_this_machine(origin) => {
            (StatusCode::FORBIDDEN, "only pages from this machine may use this service").into_response()
        }
        _ => next.run(request).await,
    }
}

/// Allows pages of other ports to use the client endpoints. The npm client sends credentials by default, so the
/// header names the origin instead of `*`. A preflight has no token and is answered before any check.
pub(crate) async fn cors(request: Request, next: Next) -> Response {
    let Some(origin) = request.headers().get(ORIGIN).cloned() else {
        return next.run(request).await;
    };
    let mut response = if request.method() == Method::OPTIONS {
        preflight(request.headers())
    } else {
        next.run(request).await
    };
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.append(VARY, HeaderValue::from_static("Origin"));
    response
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    response
}

fn is_on_this_machine(origin: &HeaderValue) -> bool {
    let host = origin.to_str().ok().and_then(host);
    host.is_some_and(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host == "[::1]"
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn host(origin: &str) -> Option<&str> {
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"))?;
    Some(name(authority))
}

/// A host and perhaps a port, without the port.
fn name(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_origins_are_on_this_machine() {
        for here in [
            "http://localhost",
            "https://localhost:5173",
            "http://127.0.0.1:7071",
            "http://[::1]:80",
            "http://app.localhost",
        ] {
            assert!(is_on_this_machine(&HeaderValue::from_static(here)), "{here}");
        }
        for elsewhere in [
            "null",
            "",
            "http://example.com",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com:7071",
            "http://notlocalhost",
            "http://192.168.1.2",
            "http://evil.com@localhost",
            "file://localhost",
            "http://localhost:1x",
        ] {
            assert!(!is_on_this_machine(&HeaderValue::from_static(elsewhere)), "{elsewhere}");
        }
    }
}
