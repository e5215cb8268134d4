//! A running stand-in with a REST caller.

use crate::deadline::DEADLINE;
use crate::raw::RawClient;
use crate::tokens::{self, KEY, SECOND_KEY};
use fieldcast_signalr_service::{Counts, Service, ServiceConfig, Timings};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};
use std::sync::Once;
use std::time::Duration;
use tokio::time::interval;

pub(crate) struct TestService {
    pub(crate) service: Service,
    pub(crate) http: reqwest::Client,
}

/// A negotiated connection: its URL, the client's token, and its id.
pub(crate) struct Negotiated {
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) id: String,
}

impl TestService {
    pub(crate) async fn start() -> TestService {
        TestService::with(Timings::default()).await
    }

    pub(crate) async fn with(timings: Timings) -> TestService {
        TestService::at("127.0.0.1:0", timings).await
    }

    pub(crate) async fn at(listen: &str, timings: Timings) -> TestService {
        let config = ServiceConfig {
            listen: listen.parse().unwrap(),
            access_keys: vec![KEY.into(), SECOND_KEY.into()],
            timings,
            upstreams: Vec::new(),
        };
        TestService::of(config).await
    }

    pub(crate) async fn of(config: ServiceConfig) -> TestService {
        TestService { service: Service::start(config).await.unwrap(), http: http() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.address())
    }

    /// A call with a token for the URL without its query.
    pub(crate) fn call(&self, method: &str, path: &str) -> RequestBuilder {
        let url = self.url(path);
        let token = tokens::for_audience(url.split('?').next().unwrap());
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        self.http.request(method, url).bearer_auth(token)
    }

    pub(crate) async fn status(&self, method: &str, path: &str) -> u16 {
        self.call(method, path).send().await.unwrap().status().as_u16()
    }

    /// Sends `newMessage` with `arguments` and expects it to be accepted.
    pub(crate) async fn send(&self, path: &str, arguments: &Value) {
        let body = json!({ "target": "newMessage", "arguments": arguments });
        let response = self.post(path, &body.to_string()).await;
        assert_eq!(response.status().as_u16(), 202, "{path}");
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Response {
        let call = self.call("POST", path).header("content-type", "application/json; charset=utf-8");
        call.body(body.to_owned()).send().await.unwrap()
    }

    /// The URL and the token for a client of the hub.
    pub(crate) fn client_access(&self, hub: &str, user: Option<&str>) -> (String, String) {
        match user {
            Some(user) => self.access_with(hub, &[("asrs.s.uid", user)]),
            None => self.access_with(hub, &[]),
        }
    }

    /// As [`TestService::client_access`], with `claims` in the token.
    pub(crate) fn access_with(&self, hub: &str, claims: &[(&str, &str)]) -> (String, String) {
        let audience = format!("http://{}/client/?hub={hub}", self.service.address().ip());
        let mut payload = json!({ "aud": audience, "exp": tokens::in_seconds(3600) });
        for (name, value) in claims {
            payload[*name] = (*value).into();
        }
        (self.url(&format!("/client/?hub={hub}")), tokens::signed(KEY, &payload))
    }

    /// A connection of `hub` that is negotiated and waits for its transport.
    pub(crate) async fn negotiated(&self, hub: &str, user: Option<&str>) -> Negotiated {
        self.negotiated_with(self.client_access(hub, user)).await
    }

    pub(crate) async fn negotiated_with(&self, (url, token): (String, String)) -> Negotiated {
        let negotiate = url.replace("/client/?", "/client/negotiate?") + "&negotiateVersion=1";
        let reply = self.http.post(negotiate).bearer_auth(&token).send().await.unwrap();
        let reply: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        let url = format!("{url}&id={}", reply["connectionToken"].as_str().unwrap());
        Negotiated { url, token, id: reply["connectionId"].as_str().unwrap().to_owned() }
    }

    /// Negotiates and connects as the npm client does, with the hub handshake done.
    pub(crate) async fn client(&self, hub: &str, user: Option<&str>) -> RawClient {
        let Negotiated { url, token, id } = self.negotiated(hub, user).await;
        let mut client = RawClient::connect(&url, &token).await.unwrap();
        client.id = id;
        client.shake_hands().await;
        client
    }

    /// Sends half megabytes to a hub whose only client takes none of them, lets the client ping after each, and waits
    /// until the client is dropped because it reads nothing. The frames that wait for it stay below the limit.
    pub(crate) async fn send_until_dropped(&self, hub: &str, mut ping: impl AsyncFnMut()) {
        let half_megabyte = "x".repeat(500_000);
        let mut pace = interval(Duration::from_millis(100));
        for sends in 0.. {
            assert!(sends < 100, "not dropped: {:?}", self.service.counts());
            if self.service.counts().clients == 0 {
                break;
            }
            self.send(hub, &json!([half_megabyte])).await;
            ping().await;
            pace.tick().await;
        }
        assert_eq!(self.service.counts().clients_too_slow, 0);
    }

    pub(crate) async fn counts_when(&self, wanted: impl Fn(&Counts) -> bool) -> Counts {
        let counts = self.service.counts_when(DEADLINE, wanted).await;
        counts.unwrap_or_else(|last| panic!("not in time: {last:?}"))
    }
}

pub(crate) fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Fails if one is installed already, which is good as well: nothing here uses TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder().no_proxy().timeout(DEADLINE).build().unwrap()
}
