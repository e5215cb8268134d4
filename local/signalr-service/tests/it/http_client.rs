//! A SignalR client at the level of HTTP requests, for server-sent events and long polling.

use crate::support::{Negotiated, TestService};
use reqwest::{Method, Response};

pub(crate) struct HttpClient {
    http: reqwest::Client,
    pub(crate) negotiated: Negotiated,
}

pub(crate) const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";

impl HttpClient {
    pub(crate) async fn negotiated(test: &TestService) -> HttpClient {
        HttpClient::with_claims(test, &[]).await
    }

    /// A client with `claims` in its token.
    pub(crate) async fn with_claims(test: &TestService, claims: &[(&str, &str)]) -> HttpClient {
        let negotiated = test.negotiated_with(test.access_with("chat", claims)).await;
        HttpClient { http: test.http.clone(), negotiated }
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

    /// One poll: its status and its frames.
    pub(crate) async fn poll(&self) -> (u16, String) {
        let reply = self.request(Method::GET, "*/*", b"").await;
        (reply.status().as_u16(), reply.text().await.unwrap())
    }
}
