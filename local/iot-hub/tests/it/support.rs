//! Devices and readers for the tests: an HTTP client, and tokens made without the hub's own code.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fieldcast_iot_hub::{DEVELOPMENT_KEY, Hub, HubConfig, StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::Value;
use sha2::Sha256;

/// No step of any test takes longer on a working hub, however busy the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The hub's default set-up on a free port.
pub(crate) fn config() -> HubConfig {
    HubConfig { listen: "127.0.0.1:0".parse().expect("an address"), ..HubConfig::default() }
}

/// A running hub and a client for it.
pub(crate) struct TestHub {
    pub(crate) hub: Hub,
    pub(crate) http: Client,
}

impl TestHub {
    pub(crate) async fn new() -> TestHub {
        TestHub::with(config()).await
    }

    pub(crate) async fn with(config: HubConfig) -> TestHub {
        TestHub { hub: Hub::start(config).await.expect("the hub starts"), http: client() }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.hub.address())
    }

    /// A send without token.
    pub(crate) fn post(&self, device: &str) -> RequestBuilder {
        let path = format!("/devices/{}/messages/events?api-version=2020-03-13", encode(device));
        self.http.post(self.url(&path)).timeout(DEADLINE)
    }

    /// A send with the token of the device.
    pub(crate) fn device_post(&self, device: &str) -> RequestBuilder {
        self.post(device).header("Authorization", self.device_token(device))
    }

    pub(crate) async fn send(&self, device: &str, body: impl Into<reqwest::Body>) {
        let response = self.device_post(device).body(body).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    pub(crate) fn device_token(&self, device: &str) -> String {
        let resource = encode(&format!("{}/devices/{device}", self.hub.address()));
        token(&device_key(device), &resource, in_an_hour(), None)
    }

    pub(crate) fn policy_token(&self) -> String {
        token(DEVELOPMENT_KEY, &encode(&self.hub.address().to_string()), in_an_hour(), Some("device"))
    }

    /// The read side's answer.
    pub(crate) async fn read(&self, partition: usize, query: &str) -> Value {
        let url = self.url(&format!("/$events/fieldcast/partitions/{partition}?{query}"));
        let response = self.http.get(url).timeout(DEADLINE).send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON")
    }

    /// Every event of a partition.
    pub(crate) async fn partition(&self, partition: usize) -> Vec<Value> {
        events(&self.read(partition, "from=0&max=1000000").await)
    }

    /// Every event of four partitions.
    pub(crate) async fn all(&self) -> Vec<Value> {
        let mut all = Vec::new();
        for partition in 0..4 {
            all.extend(self.partition(partition).await);
        }
        all
    }
}

pub(crate) fn client() -> Client {
    // reqwest asks for a TLS provider even where every address is plain HTTP.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().no_proxy().build().expect("a client")
}

pub(crate) fn events(answer: &Value) -> Vec<Value> {
    answer["events"].as_array().expect("events").clone()
}

/// The decoded body of an event.
pub(crate) fn body(event: &Value) -> Vec<u8> {
    STANDARD.decode(event["body"].as_str().expect("a body")).expect("base64")
}

pub(crate) fn texts(events: &[Value]) -> Vec<String> {
    events.iter().map(|event| String::from_utf8(body(event)).expect("text")).collect()
}

pub(crate) fn numbers(events: &[Value]) -> Vec<u64> {
    events.iter().map(|event| event["sequenceNumber"].as_u64().expect("a number")).collect()
}

/// Status, error code and text of a refusal, after its shape was checked.
pub(crate) async fn refusal(response: Response) -> (StatusCode, String, String) {
    let status = response.status();
    let header = response.headers()["iothub-errorcode"].to_str().expect("text").to_owned();
    let body: Value = serde_json::from_slice(&response.bytes().await.expect("a body")).expect("JSON");
    let message = body["Message"].as_str().expect("a message");
    let (code, text) =
        message.strip_prefix("ErrorCode:").and_then(|rest| rest.split_once(';')).expect("code and text");
    assert_eq!(code, header);
    let tracking = body["ExceptionMessage"].as_str().expect("a tracking id");
    assert!(tracking.starts_with("Tracking ID:") && tracking.contains("-TimeStamp:"), "{tracking}");
    (status, code.to_owned(), text.to_owned())
}

/// A token over `resource` exactly as given.
pub(crate) fn token(key: &str, resource: &str, expires: u64, policy: Option<&str>) -> String {
    let key = STANDARD.decode(key).expect("base64");
    let signature = encode(&STANDARD.encode(hmac(&key, format!("{resource}\n{expires}").as_bytes())));
    let policy = policy.map(|name| format!("&skn={name}")).unwrap_or_default();
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expires}{policy}")
}

/// The device's key under the default policy.
pub(crate) fn device_key(device: &str) -> String {
    STANDARD.encode(hmac(b"fieldcast-local-development-only", device.as_bytes()))
}

fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any key");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

pub(crate) fn in_an_hour() -> u64 {
    now() + 3600
}
