//! Which hosts requests may name: this machine, or the host that the hub was told to be.
//!
//! A page of any site can have its own name resolved to 127.0.0.1 and would then read the hub as a part of its own site.
//! Its browser still sends the site's name in `Host`.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::HOST;
use axum::http::uri::Authority;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::http::error_response::ErrorResponse;
use crate::http::gateway::Gateway;
use crate::refusal::Refusal;

/// Answers requests for other hosts with 403.
pub(super) async fn refuse_foreign_hosts(
    State(gateway): State<Arc<Gateway>>,
    request: Request,
    next: Next,
) -> Response {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    match named.is_some_and(|host| is_local(host) || gateway.authenticator.is_own_host(host)) {
        true => next.run(request).await,
        false => ErrorResponse::from(Refusal::ForeignHost).into_response(),
    }
}

/// Whether a `Host` header names this machine, with any port: ports may be forwarded.
fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_matches(['[', ']']);
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_local() {
        for host in ["127.0.0.1", "127.0.0.1:7072", "localhost:7072", "LocalHost", "[::1]:7072", "[::1]"] {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7072",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "notlocalhost",
            "192.168.1.2",
            "0.0.0.0",
            "[::]",
            "127.0.0.1 x",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}
