//! A SignalR client at the level of HTTP requests, for the transports that are made of them.

use crate::support::{Negotiated, Stand};
use reqwest::{Method, Response};

pub(crate) struct HttpClient {
    http: reqwest::Client,
    pub(crate) negotiated: Negotiated,
}

pub(crate) const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";

impl HttpClient {
    pub(crate) async fn negotiated(stand: &Stand) -> HttpClient {
        HttpClient::with_claims(stand, &[]).await
    }

    /// A client with `claims` in its token.
    pub(crate) async fn with_claims(stand: &Stand, claims: &[(&str, &str)]) -> HttpClient {
        let negotiated = stand.negotiated_with(stand.access_with("chat", claims)).await;
        HttpClient { http: stand.http.clone(), negotiated }
    }

    pub(crate) async fn request(&self, method: Method, accept: &str, body: &'static [u8]) -> Response {
        self.try_request(method, accept, body).await.unwrap()
    }

    /// As [`HttpClient::request`], for a service that may cut the connection.
    pub(crate) async fn try_request(
        &self,
        method: Method,
        accept: &str,
        body: &'static [u8],
    ) -> Result<Response, reqwest::Error> {
        let Negotiated { url, token, .. } = &self.negotiated;
        let request = self.http.request(method, url).bearer_auth(token).header("accept", accept);
        request.body(body).send().await
    }

    pub(crate) async fn send(&self, body: &'static [u8]) -> u16 {
        self.request(Method::POST, "*/*", body).await.status().as_u16()
    }

    pub(crate) async fn delete(&self) -> u16 {
        self.request(Method::DELETE, "*/*", b"").await.status().as_u16()
    }

    /// Opens the event stream.
    pub(crate) async fn events(&self) -> Response {
        self.request(Method::GET, "text/event-stream", b"").await
    }

    /// One poll: its status and what it brought.
    pub(crate) async fn poll(&self) -> (u16, String) {
        let reply = self.request(Method::GET, "*/*", b"").await;
        (reply.status().as_u16(), reply.text().await.unwrap())
    }
}
