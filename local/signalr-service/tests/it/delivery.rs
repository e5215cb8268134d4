//! Who receives a send, in what order, and with what bytes.

use crate::deadline::DEADLINE;
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_send_reaches_its_target_and_nobody_else() {
    let test = TestService::start().await;
    let mut first = test.client("chat", Some("alice")).await;
    let mut second = test.client("chat", Some("alice")).await;
    let mut bob = test.client("chat", Some("bob")).await;
    let mut elsewhere = test.client("other", Some("alice")).await;
    let hub = "/api/v1/hubs/chat";
    test.status("PUT", &format!("{hub}/groups/g/connections/{}", first.id)).await;
    test.status("PUT", &format!("{hub}/groups/g/connections/{}", bob.id)).await;

    test.send(hub, &json!(["all"])).await;
    test.send(&format!("{hub}?excluded={}&EXCLUDED={}", first.id, bob.id), &json!(["second only"])).await;
    // The service has no exclusions for sends to users.
    test.send(&format!("{hub}/users/alice?excluded={}", first.id), &json!(["alice"])).await;
    test.send(&format!("{hub}/users/Alice"), &json!(["nobody"])).await;
    test.send(&format!("{hub}/groups/g"), &json!(["group"])).await;
    test.send(&format!("{hub}/groups/g?excluded={}", bob.id), &json!(["group without bob"])).await;
    test.send(&format!("{hub}/connections/{}", bob.id), &json!(["bob"])).await;
    test.send(hub, &json!(["end"])).await;
    test.send("/api/v1/hubs/other", &json!(["end"])).await;

    first.expect(&["all", "alice", "group", "group without bob", "end"]).await;
    second.expect(&["all", "second only", "alice", "end"]).await;
    bob.expect(&["all", "group", "bob", "end"]).await;
    elsewhere.expect(&["end"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn arguments_arrive_byte_for_byte() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let arguments = r#"[1.0,1e3,12345678901234567890,"2026-11-21T00:57:11.1230000+00:00",{"b":1,"a":"\u00e9é\u001e"},null, [[]] ]"#;
    test.post("/api/v1/hubs/chat", &format!(r#"{{"arguments":{arguments},"target":"t\"ä"}}"#)).await;
    assert_eq!(client.hear().await, format!(r#"{{"type":1,"target":"t\"ä","arguments":{arguments}}}"#));
    let many = vec![0; 200];
    test.send("/api/v1/hubs/chat", &json!(many)).await;
    assert_eq!(client.message().await, json!(many));
    test.service.stop().await;
}

#[tokio::test]
async fn an_application_prefixes_the_hub_and_case_does_not_matter() {
    let test = TestService::start().await;
    let mut client = test.client("App_CHAT", None).await;
    test.send("/api/hubs/Chat/:send?API-VERSION=2022-06-01&Application=aPP", &json!(["x"])).await;
    client.expect(&["x"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let test = TestService::with(Timings { client_timeout: 10 * DEADLINE, ..Timings::default() }).await;
    let stuck = test.client("chat", None).await;
    let mut reader = test.client("chat", None).await;
    let big = "x".repeat(1_000_000);
    // The system's socket buffers take some megabytes, the outbox eight more.
    let mut sends = 0;
    while test.service.counts().clients_too_slow == 0 {
        assert!(sends < 200, "not dropped after {sends} MB: {:?}", test.service.counts());
        test.send("/api/v1/hubs/chat", &json!([sends, big])).await;
        assert_eq!(reader.message().await[0], sends);
        sends += 1;
    }
    test.counts_when(|counts| counts.clients == 1).await;
    let gone = test.status("HEAD", &format!("/api/v1/hubs/chat/connections/{}", stuck.id)).await;
    assert_eq!(gone, 404);
    test.service.stop().await;
}

/// The client pings, so it is not silent, and the frames that wait for it stay below the limit.
#[tokio::test]
async fn a_client_that_takes_no_byte_for_the_client_timeout_is_dropped() {
    let timings = Timings { client_timeout: Duration::from_secs(1), ..Timings::default() };
    let test = TestService::with(timings).await;
    let mut stuck = test.client("chat", None).await;
    // Fails when the service has dropped the socket, which the counters show soon after.
    let ping = async || {
        let _ = stuck.try_say("{\"type\":6}\u{1e}").await;
    };
    test.send_until_dropped("/api/v1/hubs/chat", ping).await;
    test.service.stop().await;
}
