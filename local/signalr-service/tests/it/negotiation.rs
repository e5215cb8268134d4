//! `/client/negotiate`, and what a negotiated id is good for.

use crate::http_client::HttpClient;
use crate::raw::RawClient;
use crate::support::Stand;
use fieldcast_signalr_service::Timings;
use serde_json::{Value, json};
use std::time::Duration;

async fn negotiate(stand: &Stand, query: &str) -> (u16, Value) {
    let (_, token) = stand.client_access("chat", None);
    let url = stand.url(&format!("/client/negotiate?{query}"));
    let reply = stand.http.post(url).bearer_auth(token).send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_str(&reply.text().await.unwrap()).unwrap_or_default())
}

#[tokio::test]
async fn version_one_keeps_the_claim_secret() {
    let stand = Stand::start().await;
    let (status, reply) = negotiate(&stand, "hub=chat&negotiateVersion=1").await;
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
    stand.service.stop().await;
}

#[tokio::test]
async fn a_token_may_allow_some_transports_only() {
    let stand = Stand::start().await;
    for (mask, allowed) in [("1", "WebSockets"), ("2", "ServerSentEvents"), ("4", "LongPolling")] {
        let claims = [("asrs.s.htt", mask)];
        let (url, token) = stand.access_with("chat", &claims);
        let negotiate = url.replace("/client/?", "/client/negotiate?");
        let reply = stand.http.post(negotiate).bearer_auth(&token).send().await.unwrap();
        let reply: Value = serde_json::from_str(&reply.text().await.unwrap()).unwrap();
        let offered: Vec<&Value> = reply["availableTransports"].as_array().unwrap().iter().collect();
        assert!(offered.len() == 1 && offered[0]["transport"] == allowed, "{reply}");
        let status = |expected: &str| if allowed == expected { 200 } else { 404 };
        let client = HttpClient::with_claims(&stand, &claims).await;
        assert_eq!(client.events().await.status().as_u16(), status("ServerSentEvents"), "{mask}");
        let client = HttpClient::with_claims(&stand, &claims).await;
        assert_eq!(client.poll().await.0, status("LongPolling"), "{mask}");
        let opened = RawClient::connect(&url, &token).await.err().unwrap_or(200);
        assert_eq!(opened, status("WebSockets"), "{mask}");
    }
    stand.service.stop().await;
}

#[tokio::test]
async fn version_zero_claims_with_the_connection_id() {
    let stand = Stand::start().await;
    let (_, reply) = negotiate(&stand, "hub=chat").await;
    assert_eq!(reply["negotiateVersion"], 0);
    assert_eq!(reply.get("connectionToken"), None);
    let (url, token) = stand.client_access("chat", None);
    let url = format!("{url}&id={}", reply["connectionId"].as_str().unwrap());
    RawClient::connect(&url, &token).await.unwrap().shake_hands().await;
    stand.service.stop().await;
}

#[tokio::test]
async fn odd_negotiations_are_answered_as_asp_net_core_does() {
    let stand = Stand::start().await;
    assert_eq!(negotiate(&stand, "hub=chat&negotiateVersion=5").await.1["negotiateVersion"], 1);
    let (status, reply) = negotiate(&stand, "hub=chat&negotiateVersion=x").await;
    assert_eq!(status, 200);
    assert!(reply["error"].is_string(), "{reply}");
    for bad in ["", "hub=", "hub=chat&hub=chat", "hub=1", "hub=%FF"] {
        assert_eq!(negotiate(&stand, bad).await.0, 400, "{bad}");
    }
    let get = stand.http.get(stand.url("/client/negotiate?hub=chat")).send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    stand.service.stop().await;
}

#[tokio::test]
async fn an_id_is_good_for_one_connection_of_its_hub() {
    let stand = Stand::start().await;
    let (_, reply) = negotiate(&stand, "hub=chat&negotiateVersion=1").await;
    let id = reply["connectionToken"].as_str().unwrap();
    let (url, token) = stand.client_access("chat", None);
    let (other_url, other_token) = stand.client_access("other", None);
    assert_eq!(RawClient::connect(&format!("{url}&id=unknown"), &token).await.err(), Some(404));
    let public = reply["connectionId"].as_str().unwrap();
    assert_eq!(RawClient::connect(&format!("{url}&id={public}"), &token).await.err(), Some(404));
    assert_eq!(RawClient::connect(&format!("{other_url}&id={id}"), &other_token).await.err(), Some(404));
    let mut first = RawClient::connect(&format!("{url}&id={id}"), &token).await.unwrap();
    assert_eq!(RawClient::connect(&format!("{url}&id={id}"), &token).await.err(), Some(409));
    first.shake_hands().await;
    drop(first);
    stand.counts_when(|counts| counts.clients == 0).await;
    assert_eq!(RawClient::connect(&format!("{url}&id={id}"), &token).await.err(), Some(404), "it is over");
    stand.service.stop().await;
}

#[tokio::test]
async fn a_client_may_connect_without_negotiating() {
    let stand = Stand::start().await;
    let (url, token) = stand.client_access("chat", None);
    let mut client = RawClient::connect(&url, &token).await.unwrap();
    client.shake_hands().await;
    stand.send("/api/v1/hubs/chat", &json!(["x"])).await;
    client.expect(&["x"]).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn an_id_that_is_not_used_in_time_is_forgotten() {
    let stand = Stand::with(Timings { connect: Duration::ZERO, ..Timings::default() }).await;
    let (_, reply) = negotiate(&stand, "hub=chat&negotiateVersion=1").await;
    let (url, token) = stand.client_access("chat", None);
    let url = format!("{url}&id={}", reply["connectionToken"].as_str().unwrap());
    assert_eq!(RawClient::connect(&url, &token).await.err(), Some(404));
    stand.service.stop().await;
}

#[tokio::test]
async fn requests_of_other_transports_are_answered_as_asp_net_core_does() {
    let stand = Stand::start().await;
    let (_, reply) = negotiate(&stand, "hub=chat&negotiateVersion=1").await;
    let (url, token) = stand.client_access("chat", None);
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
        let request = stand.http.request(method.parse().unwrap(), url).bearer_auth(&token);
        assert_eq!(request.send().await.unwrap().status().as_u16(), status, "{method} {url}");
    }
    stand.service.stop().await;
}
