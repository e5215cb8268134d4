//! `/client/negotiate`, and the use of a negotiated id.

use crate::http_client::HttpClient;
use crate::raw::RawClient;
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use serde_json::{Value, json};
use std::time::Duration;

async fn negotiate(test: &TestService, query: &str) -> (u16, Value) {
    let (_, token) = test.client_access("chat", None);
    let url = test.url(&format!("/client/negotiate?{query}"));
    let reply = test.http.post(url).bearer_auth(token).send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_str(&reply.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test]
async fn version_one_keeps_the_claim_secret() {
    let test = TestService::start().await;
    let (status, reply) = negotiate(&test, "hub=chat&negotiateVersion=1").await;
    assert_eq!(status, 200);
    assert_eq!(reply["negotiateVersion"], 1);
    assert_ne!(reply["connectionToken"], reply["connectionId"]);
    for id in ["connectionToken", "connectionId"] {
        let id = reply[id].as_str().unwrap();
        assert!(id.len() == 22 && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{id}");
    }
    let offered = json!([
        { "transport": "WebSockets", "transferFormats": ["Text", "Binary"] },
        { "transport": "ServerSentEvents", "transferFormats": ["Text"] },
        { "transport": "LongPolling", "transferFormats": ["Text", "Binary"] },
    ]);
    assert_eq!(reply["availableTransports"], offered);
    test.service.stop().await;
}

#[tokio::test]
async fn a_token_may_allow_some_transports_only() {
    let test = TestService::start().await;
    for (mask, allowed) in [("1", "WebSockets"), ("2", "ServerSentEvents"), ("4", "LongPolling")] {
        let claims = [("asrs.s.htt", mask)];
        let (url, token) = test.access_with("chat", &claims);
        let negotiate = url.replace("/client/?", "/client/negotiate?");
        let reply = test.http.post(negotiate).bearer_auth(&token).send().await.unwrap();
        let reply: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        let offered: Vec<&Value> = reply["availableTransports"].as_array().unwrap().iter().collect();
        assert!(offered.len() == 1 && offered[0]["transport"] == allowed, "{reply}");
        let status = |expected: &str| if allowed == expected { 200 } else { 404 };
        let client = HttpClient::with_claims(&test, &claims).await;
        assert_eq!(client.events().await.status().as_u16(), status("ServerSentEvents"), "{mask}");
        let client = HttpClient::with_claims(&test, &claims).await;
        assert_eq!(client.poll().await.0, status("LongPolling"), "{mask}");
        let opened = RawClient::connect(&url, &token).await.err().unwrap_or(200);
        assert_eq!(opened, status("WebSockets"), "{mask}");
    }
    test.service.stop().await;
}

#[tokio::test]
async fn version_zero_claims_with_the_connection_id() {
    let test = TestService::start().await;
    let (_, reply) = negotiate(&test, "hub=chat").await;
    assert_eq!(reply["negotiateVersion"], 0);
    assert_eq!(reply.get("connectionToken"), None);
    let (url, token) = test.client_access("chat", None);
    let url = format!("{url}&id={}", reply["connectionId"].as_str().unwrap());
    RawClient::connect(&url, &token).await.unwrap().shake_hands().await;
    test.service.stop().await;
}

#[tokio::test]
async fn odd_negotiations_are_answered_as_asp_net_core_does() {
    let test = TestService::start().await;
    assert_eq!(negotiate(&test, "hub=chat&negotiateVersion=5").await.1["negotiateVersion"], 1);
    let (status, reply) = negotiate(&test, "hub=chat&negotiateVersion=x").await;
    assert_eq!(status, 200);
    assert!(reply["error"].is_string(), "{reply}");
    for bad in ["", "hub=", "hub=chat&hub=chat", "hub=1", "hub=%FF"] {
        assert_eq!(negotiate(&test, bad).await.0, 400, "{bad}");
    }
    let get = test.http.get(test.url("/client/negotiate?hub=chat")).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    test.service.stop().await;
}

#[tokio::test]
async fn an_id_is_good_for_one_connection_of_its_hub() {
    let test = TestService::start().await;
    let (_, reply) = negotiate(&test, "hub=chat&negotiateVersion=1").await;
    let id = reply["connectionToken"].as_str().unwrap();
    let (url, token) = test.client_access("chat", None);
    let (other_url, other_token) = test.client_access("other", None);
    assert_eq!(RawClient::connect(&format!("{url}&id=unknown"), &token).await.err(), Some(404));
    let public = reply["connectionId"].as_str().unwrap();
    assert_eq!(RawClient::connect(&format!("{url}&id={public}"), &token).await.err(), Some(404));
    assert_eq!(RawClient::connect(&format!("{other_url}&id={id}"), &other_token).await.err(), Some(404));
    let mut first = RawClient::connect(&format!("{url}&id={id}"), &token).await.unwrap();
    assert_eq!(RawClient::connect(&format!("{url}&id={id}"), &token).await.err(), Some(409));
    first.shake_hands().await;
    drop(first);
    test.counts_when(|counts| counts.clients == 0).await;
    assert_eq!(RawClient::connect(&format!("{url}&id={id}"), &token).await.err(), Some(404), "it is over");
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_may_connect_without_negotiating() {
    let test = TestService::start().await;
    let (url, token) = test.client_access("chat", None);
    let mut client = RawClient::connect(&url, &token).await.unwrap();
    client.shake_hands().await;
    test.send("/api/v1/hubs/chat", &json!(["x"])).await;
    client.expect(&["x"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn an_id_that_is_not_used_in_time_is_forgotten() {
    let test = TestService::with(Timings { connect: Duration::ZERO, ..Timings::default() }).await;
    let (_, reply) = negotiate(&test, "hub=chat&negotiateVersion=1").await;
    let (url, token) = test.client_access("chat", None);
    let url = format!("{url}&id={}", reply["connectionToken"].as_str().unwrap());
    assert_eq!(RawClient::connect(&url, &token).await.err(), Some(404));
    test.service.stop().await;
}

#[tokio::test]
async fn requests_of_other_transports_are_answered_as_asp_net_core_does() {
    let test = TestService::start().await;
    let (_, reply) = negotiate(&test, "hub=chat&negotiateVersion=1").await;
    let (url, token) = test.client_access("chat", None);
    let known = format!("{url}&id={}", reply["connectionToken"].as_str().unwrap());
    let unknown = format!("{url}&id=unknown");
    let _client = RawClient::connect(&known, &token).await.unwrap();
    for (method, url, status) in [
        ("GET", &url, 400),
        ("POST", &url, 400),
        ("DELETE", &url, 400),
        ("GET", &unknown, 404),
        ("POST", &unknown, 404),
        ("GET", &known, 400),
        ("POST", &known, 405),
        ("DELETE", &known, 400),
        ("PUT", &known, 405),
    ] {
        let request = test.http.request(method.parse().unwrap(), url).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{method} {url}");
    }
    test.service.stop().await;
}
