//! The server-sent events transport, byte by byte.

use crate::deadline::DEADLINE;
use crate::http_client::{HANDSHAKE, HttpClient};
use crate::raw::RawClient;
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use reqwest::Response;
use serde_json::json;
use std::time::Duration;

const HUB: &str = "/api/v1/hubs/chat";

/// An open stream, split at its blank lines.
struct Stream {
    reply: Response,
    buffer: String,
}

impl Stream {
    async fn of(client: &HttpClient) -> Stream {
        let mut stream = Stream { reply: client.events().await, buffer: String::new() };
        assert_eq!(stream.next().await.as_deref(), Some(":"), "a comment opens it");
        stream
    }

    /// The next event without the blank line after it; `None` at the end of the stream.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.buffer.split_once("\r\n\r\n") {
                let event = event.to_owned();
                self.buffer = rest.to_owned();
                return Some(event);
            }
            let chunk = self.reply.chunk().await.unwrap()?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }
}

async fn open(test: &TestService) -> (HttpClient, Stream) {
    let client = HttpClient::negotiated(test).await;
    let mut stream = Stream::of(&client).await;
    assert_eq!(client.send(HANDSHAKE.as_bytes()).await, 200);
    assert_eq!(stream.next().await.as_deref(), Some("data: {}\u{1e}"));
    (client, stream)
}

#[tokio::test]
async fn a_stream_opens_with_a_comment_and_carries_whole_messages() {
    let test = TestService::start().await;
    let (client, mut stream) = open(&test).await;
    assert_eq!(stream.reply.status().as_u16(), 200);
    assert_eq!(stream.reply.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.reply.headers()["cache-control"], "no-cache, no-store");
    test.post(HUB, "{\"target\":\"t\",\"arguments\":[1,\r\n2]}").await;
    let message = "data: {\"type\":1,\"target\":\"t\",\"arguments\":[1,\r\ndata: 2]}\u{1e}";
    assert_eq!(stream.next().await.as_deref(), Some(message));
    assert_eq!(client.send(b"{\"type\":7}\x1e").await, 200);
    assert_eq!(stream.next().await, None, "a goodbye ends the stream");
    test.counts_when(|counts| counts.clients == 0).await;
    assert_eq!(client.send(b"").await, 404, "it is over");
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_its_stream_is_gone() {
    // So long that neither a ping nor silence can end the connection.
    let (ping, client_timeout) = (20 * DEADLINE, 20 * DEADLINE);
    let test = TestService::with(Timings { ping, client_timeout, ..Timings::default() }).await;
    let (client, stream) = open(&test).await;
    drop(stream);
    test.counts_when(|counts| counts.clients == 0).await;
    assert_eq!(client.events().await.status().as_u16(), 404, "a stream is not taken up again");
    test.service.stop().await;
}

#[tokio::test]
async fn other_requests_for_a_stream_are_answered_as_asp_net_core_does() {
    let test = TestService::start().await;
    let client = HttpClient::negotiated(&test).await;
    assert_eq!(client.send(HANDSHAKE.as_bytes()).await, 404, "no transport yet");
    let _stream = client.events().await;
    assert_eq!(client.events().await.status().as_u16(), 409);
    assert_eq!(client.delete().await, 400);
    let (url, token) = (&client.negotiated.url, &client.negotiated.token);
    assert_eq!(RawClient::connect(url, token).await.err(), Some(400), "another transport");
    let large: &'static [u8] = vec![b'x'; 1024 * 1024 + 1].leak();
    assert_eq!(client.send(large).await, 413);
    test.service.stop().await;
}

#[tokio::test]
async fn a_close_by_the_service_is_told_before_the_end() {
    let test = TestService::start().await;
    let (_client, mut stream) = open(&test).await;
    let close = "/api/hubs/chat/:closeConnections?api-version=2022-06-01&reason=enough";
    assert_eq!(test.status("POST", close).await, 204);
    let farewell = stream.next().await.unwrap();
    assert!(farewell.contains("\"type\":7") && farewell.contains("\"error\":\"enough\""), "{farewell}");
    assert_eq!(stream.next().await, None);
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_cut_drops_the_stream_in_the_middle_of_its_reply() {
    let test = TestService::start().await;
    let (_client, mut stream) = open(&test).await;
    test.service.faults().cut_clients();
    assert!(stream.reply.chunk().await.is_err());
    test.counts_when(|counts| counts.clients == 0).await;
    test.service.stop().await;
}

#[tokio::test]
async fn silence_is_filled_with_pings_and_sends_keep_the_stream() {
    let timings = Timings {
        ping: Duration::from_millis(100),
        client_timeout: Duration::from_secs(3),
        ..Timings::default()
    };
    let test = TestService::with(timings).await;
    let (client, mut stream) = open(&test).await;
    let ping = "data: {\"type\":6}\u{1e}";
    // 35 pings of the service take longer than the client timeout.
    for _ in 0..35 {
        assert_eq!(stream.next().await.as_deref(), Some(ping));
        assert_eq!(client.send(b"{\"type\":6}\x1e").await, 200);
    }
    let close = loop {
        let event = stream.next().await.unwrap();
        if event != ping {
            break event;
        }
    };
    assert!(close.contains("\"type\":7") && close.contains("silent"), "{close}");
    assert_eq!(stream.next().await, None);
    test.service.stop().await;
}

/// The client sends, so it is not silent, and the frames that wait for it stay below the limit.
#[tokio::test]
async fn a_client_that_takes_no_byte_for_the_client_timeout_is_dropped() {
    let timings = Timings { client_timeout: Duration::from_secs(1), ..Timings::default() };
    let test = TestService::with(timings).await;
    let (client, _stuck) = open(&test).await;
    // Refused when the connection has ended, which the counters show soon after.
    let ping = async || {
        let _ = client.send(b"{\"type\":6}\x1e").await;
    };
    test.send_until_dropped(HUB, ping).await;
    test.service.stop().await;
}

#[tokio::test]
async fn a_binary_protocol_is_refused() {
    let test = TestService::start().await;
    let client = HttpClient::negotiated(&test).await;
    let mut stream = Stream::of(&client).await;
    assert_eq!(client.send(b"{\"protocol\":\"messagepack\",\"version\":1}\x1e").await, 200);
    let refusal = stream.next().await.unwrap();
    assert!(refusal.contains("Cannot use the 'messagepack' protocol"), "{refusal}");
    assert_eq!(stream.next().await, None);
    test.service.stop().await;
}

#[tokio::test]
async fn refused_clients_cannot_open_a_stream_and_open_ones_go_on() {
    let test = TestService::start().await;
    let (client, mut stream) = open(&test).await;
    let late = HttpClient::negotiated(&test).await;
    test.service.faults().refuse_clients(429);
    assert_eq!(late.events().await.status().as_u16(), 429);
    assert_eq!(client.send(b"{\"type\":6}\x1e").await, 200);
    test.send(HUB, &json!(["on"])).await;
    assert!(stream.next().await.unwrap().contains("[\"on\"]"));
    test.service.stop().await;
}
