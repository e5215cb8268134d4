//! Tokens that must be refused, and the forms of valid ones.

use crate::raw::RawClient;
use crate::support::TestService;
use crate::tokens::{self, KEY, SECOND_KEY, in_seconds, signed};
use serde_json::json;

const PATH: &str = "/api/hubs/chat/:send?application=app&api-version=2022-06-01";
const BODY: &str = r#"{"target":"t","arguments":[]}"#;

/// Status and challenge of a send with this `Authorization` header and `Host`.
async fn send(test: &TestService, authorization: Option<String>, host: Option<String>) -> (u16, String) {
    let mut call = test.http.post(test.url(PATH)).header("content-type", "application/json").body(BODY);
    if let Some(authorization) = authorization {
        call = call.header("authorization", authorization);
    }
    if let Some(host) = host {
        call = call.header("host", host);
    }
    let response = call.send().await.unwrap();
    let challenge = response.headers().get("www-authenticate");
    let challenge = challenge.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    (response.status().as_u16(), challenge)
}

async fn with_token(test: &TestService, token: &str) -> (u16, String) {
    send(test, Some(format!("Bearer {token}")), None).await
}

fn called(test: &TestService) -> String {
    test.url("/api/hubs/chat/:send")
}

#[tokio::test]
async fn a_challenge_names_the_failed_check() {
    let test = TestService::start().await;
    let good = json!({ "aud": called(&test), "exp": in_seconds(60) });
    let (_, client_token) = test.client_access("app_chat", None);
    for (token, failed) in [
        (signed("another key", &good), "signature"),
        (signed(KEY, &json!({ "aud": called(&test), "exp": in_seconds(-1) })), "expired"),
        (signed(KEY, &json!({ "aud": called(&test) })), "no expiration"),
        (
            signed(KEY, &json!({ "aud": test.url("/api/hubs/other/:send"), "exp": in_seconds(60) })),
            "audience",
        ),
        (signed(KEY, &json!({ "exp": in_seconds(60) })), "audience"),
        (client_token, "audience"),
        (tokens::unsigned("none", &good) + ".", "algorithm"),
        (tokens::unsigned("none", &good), "malformed"),
        ("x".into(), "malformed"),
    ] {
        let (status, challenge) = with_token(&test, &token).await;
        assert_eq!(status, 401, "{failed}");
        assert!(challenge.starts_with("Bearer error=\"invalid_token\""), "{challenge}");
        assert!(challenge.contains(failed), "{challenge} should name the {failed}");
    }
    let (status, challenge) = send(&test, None, None).await;
    assert_eq!(
        (status, challenge.as_str()),
        (401, "Bearer error_description=\"The access token is missing\"")
    );
    assert_eq!(test.service.counts().sends_accepted, 0);
    assert_eq!(test.service.counts().unauthorized, 10);
    test.service.stop().await;
}

#[tokio::test]
async fn every_documented_token_is_taken() {
    let test = TestService::start().await;
    let good = json!({ "aud": called(&test), "exp": in_seconds(60) });
    let portless = "http://127.0.0.1/api/hubs/chat/:send";
    for token in [
        signed(KEY, &good),
        signed(SECOND_KEY, &good),
        tokens::signed_with_sha512(SECOND_KEY, &good),
        tokens::for_audience(portless),
        tokens::for_audience(&format!("{portless}?application=app&api-version=2022-06-01")),
        tokens::for_audience(&called(&test).to_uppercase()),
    ] {
        assert_eq!(with_token(&test, &token).await.0, 202);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn the_host_is_the_one_the_caller_named() {
    let test = TestService::start().await;
    let named = format!("localhost:{}", test.service.address().port());
    let token = |host: &str| {
        Some(format!("bearer {}", tokens::for_audience(&format!("http://{host}/api/hubs/chat/:send"))))
    };
    assert_eq!(send(&test, token(&named), Some(named.clone())).await.0, 202);
    assert_eq!(send(&test, token("localhost"), Some(named.clone())).await.0, 202);
    assert_eq!(send(&test, token("127.0.0.1"), Some(named)).await.0, 401);
    assert_eq!(send(&test, token("localhost"), None).await.0, 401);
    test.service.stop().await;
}

#[tokio::test]
async fn clients_are_checked_as_strictly() {
    let test = TestService::start().await;
    let (url, good) = test.client_access("chat", None);
    let negotiate = test.url("/client/negotiate?hub=chat");
    let audience = "http://127.0.0.1/client/?hub=chat";
    for bad in [
        String::new(),
        signed("another key", &json!({ "aud": audience, "exp": in_seconds(60) })),
        signed(KEY, &json!({ "aud": audience, "exp": in_seconds(-1) })),
        tokens::for_audience("http://127.0.0.1/client/?hub=other"),
        tokens::for_audience(&test.url("/client/negotiate")),
        tokens::unsigned("none", &json!({ "aud": audience, "exp": in_seconds(60) })) + ".",
    ] {
        assert_eq!(RawClient::connect(&url, &bad).await.err(), Some(401));
        let reply = test.http.post(&negotiate).bearer_auth(&bad).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 401);
        assert!(reply.headers().contains_key("www-authenticate"));
    }
    let in_query = format!("{url}&access_token={good}");
    RawClient::connect(&in_query, "").await.unwrap().shake_hands().await;
    test.service.stop().await;
}
