//! Connections as a peer holds them, in paused time.

use axum::body::Body;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::*;
use crate::host::answer::Answer;
use crate::host::collect::collect;

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: app\r\n\r\n";

/// What dialling in hands over.
struct Dialled(mpsc::UnboundedReceiver<DuplexStream>);

impl Listener for Dialled {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(stream) => (stream, ()),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// The peer's end of a connection.
struct Peer {
    stream: DuplexStream,
    began: Instant,
}

impl Peer {
    fn dial() -> Peer {
        let (dial, dialled) = mpsc::unbounded_channel();
        let router = Router::new()
            .route("/", get(|| async { "here" }))
            .route("/slow", get(|| async { sleep(SLOWEST_HEAD * 3).await }))
            .route("/body", post(read_body));
        tokio::spawn(serve(Dialled(dialled), router));
        let (stream, theirs) = tokio::io::duplex(1_024);
        dial.send(theirs).unwrap();
        Peer { stream, began: Instant::now() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next answer, which is a small one.
    async fn answer(&mut self) -> String {
        let mut buffer = [0; 1_024];
        let length = self.stream.read(&mut buffer).await.unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    }

    /// Waits until the other side has closed the connection, and says when that was.
    async fn closed(mut self) -> Duration {
        let mut rest = Vec::new();
        timeout(LONGEST_IDLE * 2, self.stream.read_to_end(&mut rest)).await.expect("closed").unwrap();
        assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
        self.began.elapsed()
    }
}

async fn read_body(body: Body) -> Response {
    match collect(body, 100).await {
        Ok(_) => "whole".into_response(),
        Err(error) => Answer::uncollected(&error, 100).into_response(),
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_head_is_waited_for_half_a_minute() {
    for head in [&b"G"[..], b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: app\r\n"] {
        let mut peer = Peer::dial();
        peer.send(head).await;
        assert_eq!(peer.closed().await, SLOWEST_HEAD);
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_that_comes_in_drops_is_not_waited_for_longer() {
    let mut peer = Peer::dial();
    for _ in 0..6 {
        peer.send(b"G").await;
        sleep(SLOWEST_HEAD / 6 - Duration::from_millis(10)).await;
    }
    assert_eq!(peer.closed().await, SLOWEST_HEAD);
}

/// The host keeps connections for its next batch.
#[tokio::test(start_paused = true)]
async fn a_connection_between_two_requests_is_kept() {
    let mut peer = Peer::dial();
    for pause in [0, 1, 60, 121, 599] {
        sleep(Duration::from_secs(pause)).await;
        peer.send(GET).await;
        assert!(peer.answer().await.ends_with("here"), "after {pause} s");
    }
    sleep(Duration::from_secs(5)).await;
    peer.began = Instant::now();
    peer.send(b"GET / HTTP/1.1\r\n").await;
    assert_eq!(peer.closed().await, SLOWEST_HEAD, "half a head on a connection that was used before");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_uses_ends_at_last() {
    assert_eq!(Peer::dial().closed().await, LONGEST_IDLE);
    let mut peer = Peer::dial();
    peer.send(GET).await;
    assert!(peer.answer().await.ends_with("here"));
    assert_eq!(peer.closed().await, LONGEST_IDLE);
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_take_its_time() {
    let mut peer = Peer::dial();
    peer.send(b"GET /slow HTTP/1.1\r\nHost: app\r\n\r\n").await;
    assert!(peer.answer().await.starts_with("HTTP/1.1 200"));
    assert_eq!(peer.began.elapsed(), SLOWEST_HEAD * 3);
    peer.send(GET).await;
    assert!(peer.answer().await.ends_with("here"));
}

#[tokio::test(start_paused = true)]
async fn half_a_body_is_waited_for_half_a_minute_and_answered() {
    let mut peer = Peer::dial();
    peer.send(b"POST /body HTTP/1.1\r\nHost: app\r\nContent-Length: 9\r\n\r\nabc").await;
    let answer = peer.answer().await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("slow_body"), "{answer}");
    assert_eq!(peer.closed().await, Duration::from_secs(30));
}
