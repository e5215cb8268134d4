//! The hub protocol over a WebSocket: handshake, periods, calls, and clients that break it.

use crate::raw::{End, RawClient};
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use serde_json::{Value, json};
use std::time::Duration;

async fn connected(test: &TestService) -> RawClient {
    let (url, token) = test.client_access("chat", None);
    RawClient::connect(&url, &token).await.unwrap()
}

#[tokio::test]
async fn a_refused_handshake_says_why_and_ends() {
    let test = TestService::start().await;
    for (request, error) in [
        (r#"{"protocol":"cbor","version":1}"#, "The protocol 'cbor' is not supported."),
        (
            r#"{"protocol":"json","version":9}"#,
            "The server does not support version 9 of the 'json' protocol.",
        ),
        ("hello", "An unexpected error occurred during connection handshake."),
    ] {
        let mut client = connected(&test).await;
        client.say(&format!("{request}\u{1e}")).await;
        assert_eq!(client.hear_json().await, json!({ "error": error }));
        assert_eq!(client.end().await, End::Closed(1000));
    }
    assert_eq!(test.service.counts().clients_ever, 0);
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_without_handshake_is_let_go() {
    let test =
        TestService::with(Timings { handshake: Duration::from_millis(50), ..Timings::default() }).await;
    let mut client = connected(&test).await;
    assert_eq!(client.hear_json().await, json!({ "error": "Handshake was canceled." }));
    assert_eq!(client.end().await, End::Closed(1000));
    test.service.stop().await;
}

#[tokio::test]
async fn nothing_is_sent_before_the_handshake_and_nothing_lost_after_it() {
    let test = TestService::start().await;
    let mut client = connected(&test).await;
    test.send("/api/v1/hubs/chat", &json!(["early"])).await;
    client.shake_hands().await;
    test.send("/api/v1/hubs/chat", &json!(["on time"])).await;
    client.expect(&["on time"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn messages_may_share_a_frame_with_the_handshake_and_each_other() {
    let test = TestService::start().await;
    let mut client = connected(&test).await;
    let call = |id: u8, kind: u8| {
        format!("{{\"target\":\"save\",\"arguments\":[],\"invocationId\":\"{id}\",\"type\":{kind}}}\u{1e}")
    };
    let hello = "{\"protocol\":\"json\",\"version\":1}\u{1e}{\"type\":6}\u{1e}{\"type\":77,\"x\":[]}\u{1e}";
    client.say(&format!("{hello}{}{}{{\"type\":6", call(0, 1), call(1, 4))).await;
    client.say("}\u{1e}").await;
    assert_eq!(client.hear().await, "{}");
    for (id, error) in [
        ("0", "No upstream is configured, so nothing can answer the call of 'save'."),
        ("1", "Nothing can stream an answer to the call of 'save'."),
    ] {
        let completion = json!({ "type": 3, "invocationId": id, "error": error });
        assert_eq!(client.hear_json().await, completion);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn a_call_without_id_is_not_answered() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    client.say("{\"type\":1,\"target\":\"save\",\"arguments\":[]}\u{1e}").await;
    client.say("{\"type\":1,\"target\":\"save\",\"arguments\":[],\"invocationId\":\"7\"}\u{1e}").await;
    assert_eq!(client.hear_json().await["invocationId"], "7");
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_breaks_the_protocol_is_closed_with_an_error() {
    let test = TestService::start().await;
    for broken in ["not json\u{1e}", "{}\u{1e}", "{\"type\":1}\u{1e}", "\u{1e}"] {
        let mut client = test.client("chat", None).await;
        client.say(broken).await;
        let close = client.hear_json().await;
        assert_eq!(
            (&close["type"], &close["error"]),
            (&json!(7), &json!("Connection closed with an error."))
        );
        assert_eq!(client.end().await, End::Closed(1000));
    }
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_gone_at_once() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    client.say("{\"type\":7}\u{1e}").await;
    assert_eq!(client.end().await, End::Closed(1000));
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn silence_is_filled_with_pings_until_the_client_is_silent_too_long() {
    let timings = Timings {
        ping: Duration::from_millis(100),
        client_timeout: Duration::from_millis(450),
        ..Timings::default()
    };
    let test = TestService::with(timings).await;
    let mut client = test.client("chat", None).await;
    let mut pings = 0;
    let close: Value = loop {
        let message = client.hear_json().await;
        if message["type"] != 6 {
            break message;
        }
        pings += 1;
        // One every 100 ms within 450 ms; there may be fewer on a busy machine, but never more.
        assert!(pings <= 4, "{pings} pings");
    };
    assert!(pings > 0);
    assert_eq!(close["type"], 7);
    assert!(close["error"].as_str().unwrap().contains("silent"), "{close}");
    assert_eq!(client.end().await, End::Closed(1000));
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_pings_is_kept() {
    let timings = Timings {
        ping: Duration::from_millis(100),
        client_timeout: Duration::from_secs(3),
        ..Timings::default()
    };
    let test = TestService::with(timings).await;
    let mut client = test.client("chat", None).await;
    // 35 pings of the service take longer than the client timeout.
    for _ in 0..35 {
        assert_eq!(client.hear_json().await, json!({ "type": 6 }));
        client.say("{\"type\":6}\u{1e}").await;
    }
    test.service.stop().await;
}
