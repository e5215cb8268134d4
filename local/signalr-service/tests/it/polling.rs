//! The long polling transport, poll by poll.

use crate::http_client::{HANDSHAKE, HttpClient};
use crate::support::Stand;
use fieldcast_signalr_service::Timings;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;

const HUB: &str = "/api/v1/hubs/chat";

/// Longer than a test may take: a poll that comes back had a reason.
const ENDLESS: Timings = Timings {
    ping: Duration::from_secs(600),
    client_timeout: Duration::from_secs(600),
    handshake: Duration::from_secs(600),
    connect: Duration::from_secs(600),
    client_result: Duration::from_secs(600),
    upstream: Duration::from_secs(600),
    poll: Duration::from_secs(500),
};

async fn open(stand: &Stand) -> HttpClient {
    open_with(stand, &[]).await
}

async fn open_with(stand: &Stand, claims: &[(&str, &str)]) -> HttpClient {
    let client = HttpClient::with_claims(stand, claims).await;
    assert_eq!(client.poll().await, (200, String::new()), "the first poll is answered at once");
    assert_eq!(client.send(HANDSHAKE.as_bytes()).await, 200);
    assert_eq!(client.poll().await, (200, "{}\u{1e}".into()));
    client
}

async fn send(stand: &Stand, text: &str) {
    stand.send(HUB, &json!([text])).await;
}

fn message(text: &str) -> String {
    format!("{{\"type\":1,\"target\":\"newMessage\",\"arguments\":[\"{text}\"]}}\u{1e}")
}

#[tokio::test]
async fn a_poll_waits_for_frames_and_takes_all_there_are() {
    let stand = Stand::with(ENDLESS).await;
    let client = open(&stand).await;
    let (answer, ()) = tokio::join!(client.poll(), send(&stand, "a"));
    assert_eq!(answer, (200, message("a")));
    let reply = client.request(Method::GET, "*/*", b"");
    let (reply, ()) = tokio::join!(reply, send(&stand, "b"));
    assert_eq!(reply.headers()["content-type"], "application/octet-stream");
    assert_eq!(reply.headers()["cache-control"], "no-cache, no-store");
    stand.service.faults().hold_sends();
    send(&stand, "c").await;
    send(&stand, "d").await;
    stand.service.faults().release_all_sends();
    let mut heard = String::new();
    while !heard.ends_with(&message("d")) {
        heard += &client.poll().await.1;
    }
    assert_eq!(heard, message("c") + &message("d"));
    stand.service.stop().await;
}

#[tokio::test]
async fn a_poll_without_frames_comes_back_empty() {
    let stand = Stand::with(Timings { poll: Duration::from_millis(20), ..Timings::default() }).await;
    let client = open(&stand).await;
    assert_eq!(client.poll().await, (200, String::new()));
    assert_eq!(client.poll().await, (200, String::new()));
    assert_eq!(stand.service.counts().clients, 1);
    stand.service.stop().await;
}

#[tokio::test]
async fn a_token_may_say_how_long_polls_wait() {
    let stand = Stand::with(ENDLESS).await;
    let client = open_with(&stand, &[("asrs.s.ttl", "1")]).await;
    assert_eq!(client.poll().await, (200, String::new()));
    stand.service.stop().await;
}

#[tokio::test]
async fn a_poll_that_waits_for_longer_than_the_client_timeout_is_no_silence() {
    let stand =
        Stand::with(Timings { client_timeout: Duration::from_millis(100), ..Timings::default() }).await;
    let client = open_with(&stand, &[("asrs.s.ttl", "300")]).await;
    let others = async {
        // Each of them is dropped for its silence, one after the other.
        for _ in 0..3 {
            let _silent = stand.client("chat", None).await;
            stand.counts_when(|counts| counts.clients == 1).await;
        }
        send(&stand, "still there").await;
    };
    assert_eq!(tokio::join!(client.poll(), others).0, (200, message("still there")));
    stand.service.stop().await;
}

#[tokio::test]
async fn a_poll_replaces_an_older_one_and_gets_the_frames() {
    let stand = Stand::with(ENDLESS).await;
    let client = open(&stand).await;
    let mut polls = FuturesUnordered::from_iter([client.poll(), client.poll()]);
    assert_eq!(polls.next().await, Some((204, String::new())));
    send(&stand, "x").await;
    assert_eq!(polls.next().await, Some((200, message("x"))));
    stand.service.stop().await;
}

#[tokio::test]
async fn a_delete_ends_the_pending_poll_and_the_connection() {
    let stand = Stand::with(ENDLESS).await;
    let client = open(&stand).await;
    let (pending, status) = tokio::join!(client.poll(), client.delete());
    assert_eq!(status, 202);
    // The poll may have come second, to a connection that is over.
    assert!([204, 404].contains(&pending.0), "{pending:?}");
    stand.counts_when(|counts| counts.clients == 0).await;
    assert_eq!(client.poll().await.0, 404);
    assert_eq!(client.send(b"{\"type\":7}\x1e").await, 404);
    assert_eq!(client.delete().await, 404);
    stand.service.stop().await;
}

#[tokio::test]
async fn a_close_by_the_service_is_told_before_the_end() {
    let stand = Stand::with(ENDLESS).await;
    let client = open(&stand).await;
    let connection = format!("{HUB}/connections/{}?reason=enough", client.negotiated.id);
    assert_eq!(stand.status("DELETE", &connection).await, 202);
    let (status, close) = client.poll().await;
    assert!(status == 200 && close.contains("\"error\":\"enough\""), "{close}");
    assert_eq!(client.poll().await, (204, String::new()));
    stand.service.stop().await;
}

#[tokio::test]
async fn a_client_that_stops_polling_is_gone() {
    let timings = Timings {
        client_timeout: Duration::from_millis(200),
        poll: Duration::from_millis(50),
        ..Timings::default()
    };
    let stand = Stand::with(timings).await;
    let _client = open(&stand).await;
    stand.counts_when(|counts| counts.clients_ever == 1 && counts.clients == 0).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn a_cut_drops_the_pending_poll() {
    let stand = Stand::with(ENDLESS).await;
    let client = open(&stand).await;
    let poll = || client.try_request(Method::GET, "*/*", b"");
    let mut polls = FuturesUnordered::from_iter([poll(), poll()]);
    let replaced = polls.next().await.unwrap().unwrap();
    assert_eq!(replaced.status().as_u16(), 204, "the other one waits now");
    stand.service.faults().cut_clients();
    assert!(polls.next().await.unwrap().is_err());
    stand.counts_when(|counts| counts.clients == 0).await;
    stand.service.stop().await;
}

#[tokio::test]
async fn refused_clients_cannot_begin_and_those_that_poll_go_on() {
    let stand = Stand::with(ENDLESS).await;
    let client = open(&stand).await;
    let late = HttpClient::negotiated(&stand).await;
    stand.service.faults().refuse_clients(429);
    assert_eq!(late.poll().await.0, 429);
    let (answer, ()) = tokio::join!(client.poll(), send(&stand, "on"));
    assert_eq!(answer, (200, message("on")));
    stand.service.stop().await;
}
