//! The HTTP/1.1 client for handler calls and event reads, all on this machine.

use std::{net::IpAddr, time::Duration};

use axum::{
    body::{Body, Bytes, to_bytes},
    http::{Request, StatusCode, response::Parts, uri::Authority},
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

/// A pooling client without TLS.
pub(crate) type Client = legacy::Client<HttpConnector, Body>;

pub(crate) fn client() -> Client {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    legacy::Client::builder(TokioExecutor::new())
        // .NET's HttpClient drops idle connections after about a minute.
        .pool_idle_timeout(Duration::from_secs(60))
        .pool_timer(TokioTimer::new())
        .build(connector)
}

/// Sends a request and reads the whole reply.
pub(crate) async fn exchange(client: &Client, request: Request<Body>) -> Result<(Parts, Bytes), String> {
    let response = client.request(request).await.map_err(|error| describe(&error))?;
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(Body::new(body), usize::MAX)
        .await
        .map_err(|_| "the connection was closed in the middle of the reply".to_owned())?;
    Ok((parts, bytes))
}

/// Whether anything answers `GET /` at `authority`. As in the real host, only a refused connection means no.
pub(crate) async fn answers(client: &Client, authority: &str) -> bool {
    let Ok(request) = Request::get(format!("http://{authority}/")).body(Body::empty()) else { return false };
    match client.request(request).await {
        Ok(response) => drop(to_bytes(Body::new(response.into_body()), usize::MAX).await),
        Err(error) if error.is_connect() => return false,
        Err(_) => {}
    }
    true
}

/// Gets `http://{authority}{path}`.
pub(crate) async fn get(client: &Client, authority: &str, path: &str) -> Result<(StatusCode, Bytes), String> {
    let request = Request::get(format!("http://{authority}{path}")).body(Body::empty());
    let request = request.map_err(|_| format!("{path} is not a path"))?;
    exchange(client, request).await.map(|(parts, bytes)| (parts.status, bytes))
}

/// Whether the host is this machine, by name or address.
pub(crate) fn is_loopback(authority: &Authority) -> bool {
    let host = authority.host().trim_matches(['[', ']']);
    let address: Option<IpAddr> = host.parse().ok();
    host == "localhost" || address.is_some_and(|address| address.is_loopback())
}

fn describe(error: &legacy::Error) -> String {
    if error.is_connect() {
        "connection refused".to_owned()
    } else {
        "the connection was closed before the reply".to_owned()
    }
}
