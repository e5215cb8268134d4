//! The long polling transport, poll by poll.

use crate::http_client::{HANDSHAKE, HttpClient};
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const HUB: &str = "/api/v1/hubs/chat";

/// Longer than a test may take, so a poll that is answered was answered for a reason.
const ENDLESS: Timings = Timings {
    ping: Duration::from_secs(600),
    client_timeout: Duration::from_secs(600),
    handshake: Duration::from_secs(600),
    connect: Duration::from_secs(600),
    client_result: Duration::from_secs(600),
    upstream: Duration::from_secs(600),
    poll: Duration::from_secs(500),
};

async fn open(test: &TestService) -> HttpClient {
    open_with(test, &[]).await
}

async fn open_with(test: &TestService, claims: &[(&str, &str)]) -> HttpClient {
    let client = HttpClient::with_claims(test, claims).await;
    assert_eq!(client.poll().await, (200, String::new()), "the first poll is answered at once");
    assert_eq!(client.send(HANDSHAKE.as_bytes()).await, 200);
    assert_eq!(client.poll().await, (200, "{}\u{1e}".into()));
    client
}

async fn send(test: &TestService, text: &str) {
    test.send(HUB, &json!([text])).await;
}

fn message(text: &str) -> String {
    format!("{{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"{text}\"]}}\u{1e}")
}

#[tokio::test]
async fn a_poll_waits_for_frames_and_takes_all_there_are() {
    let test = TestService::with(ENDLESS).await;
    let client = open(&test).await;
    let (answer, ()) = tokio::join!(client.poll(), send(&test, "a"));
    assert_eq!(answer, (200, message("a")));
    let reply = client.request(Method::GET, "*/*", b"");
    let (reply, ()) = tokio::join!(reply, send(&test, "b"));
    assert_eq!(reply.headers()["content-type"], "application/octet-stream");
    assert_eq!(reply.headers()["cache-control"], "no-cache, no-store");
    test.service.faults().hold_sends();
    send(&test, "c").await;
    send(&test, "d").await;
    test.service.faults().release_all_sends();
    let mut heard = String::new();
    while !heard.ends_with(&message("d")) {
        heard += &client.poll().await.1;
    }
    assert_eq!(heard, message("c") + &message("d"));
    test.service.stop().await;
}

#[tokio::test]
async fn a_poll_without_frames_comes_back_empty() {
    let test = TestService::with(Timings { poll: Duration::from_millis(20), ..Timings::default() }).await;
    let client = open(&test).await;
    assert_eq!(client.poll().await, (200, String::new()));
    assert_eq!(client.poll().await, (200, String::new()));
    assert_eq!(test.service.counts().clients, 1);
    test.service.stop().await;
}

#[tokio::test]
async fn a_token_may_say_how_long_polls_wait() {
    let test = TestService::with(ENDLESS).await;
    let client = open_with(&test, &[("asrs.s.ttl", "1")]).await;
    assert_eq!(client.poll().await, (200, String::new()));
    test.service.stop().await;
}

#[tokio::test]
async fn a_poll_that_waits_for_longer_than_the_client_timeout_is_no_silence() {
    let test =
        TestService::with(Timings { client_timeout: Duration::from_millis(100), ..Timings::default() }).await;
    let client = open_with(&test, &[("asrs.s.ttl", "300")]).await;
    let others = async {
        // Each client is dropped for its silence, one after the other.
        for _ in 0..3 {
            let _silent = test.client("chat", None).await;
            test.counts_when(|counts| counts.clients == 1).await;
        }
        send(&test, "still there").await;
    };
    assert_eq!(tokio::join!(client.poll(), others).0, (200, message("still there")));
    test.service.stop().await;
}

#[tokio::test]
async fn a_poll_replaces_an_older_one_and_gets_the_frames() {
    let test = TestService::with(ENDLESS).await;
    let client = open(&test).await;
    let mut polls = FuturesUnordered::from_iter([client.poll(), client.poll()]);
    assert_eq!(polls.next().await, Some((204, String::new())));
    send(&test, "x").await;
    assert_eq!(polls.next().await, Some((200, message("x"))));
    test.service.stop().await;
}

#[tokio::test]
async fn a_delete_ends_the_pending_poll_and_the_connection() {
    let test = TestService::with(ENDLESS).await;
    let client = open(&test).await;
    let (pending, status) = tokio::join!(client.poll(), client.delete());
    assert_eq!(status, 202);
    // The poll may have arrived after the connection ended.
    assert!([204, 404].contains(&pending.0), "{pending:?}");
    test.counts_when(|counts| counts.clients == 0).await;
    assert_eq!(client.poll().await.0, 404);
    assert_eq!(client.send(b"{\"type\":7}\x1e").await, 404);
    assert_eq!(client.delete().await, 404);
    test.service.stop().await;
}

#[tokio::test]
async fn a_close_by_the_service_is_told_before_the_end() {
    let test = TestService::with(ENDLESS).await;
    let client = open(&test).await;
    let connection = format!("{HUB}/connections/{}?reason=enough", client.negotiated.id);
    assert_eq!(test.status("DELETE", &connection).await, 202);
    let (status, close) = client.poll().await;
    assert!(status == 200 && close.contains("\"error\":\"enough\""), "{close}");
    assert_eq!(client.poll().await, (204, String::new()));
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_stops_polling_is_gone() {
    let timings = Timings {
        client_timeout: Duration::from_millis(200),
        poll: Duration::from_millis(50),
        ..Timings::default()
    };
    let test = TestService::with(timings).await;
    let _client = open(&test).await;
    test.counts_when(|counts| counts.clients_ever == 1 && counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_cut_drops_the_pending_poll() {
    let test = TestService::with(ENDLESS).await;
    let client = open(&test).await;
    let poll = || client.try_request(Method::GET, "*/*", b"");
    let mut polls = FuturesUnordered::from_iter([poll(), poll()]);
    let replaced = polls.next().await.unwrap().unwrap();
    assert_eq!(replaced.status().as_u16(), 204, "the other one waits now");
    test.service.faults().cut_clients();
    assert!(polls.next().await.unwrap().is_err());
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn refused_clients_cannot_begin_and_those_that_poll_go_on() {
    let test = TestService::with(ENDLESS).await;
    let client = open(&test).await;
    let late = HttpClient::negotiated(&test).await;
    test.service.faults().refuse_clients(429);
    assert_eq!(late.poll().await.0, 429);
    let (answer, ()) = tokio::join!(client.poll(), send(&test, "on"));
    assert_eq!(answer, (200, message("on")));
    test.service.stop().await;
}
