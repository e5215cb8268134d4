//! The seam to the network: what crosses it, and how each way of failing comes back up. Over reqwest, and with a service
//! that is only a function, in time that stands still.

use std::error::Error;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use fieldcast_signalr::{Endpoint, HubClient, Message, Resend, SendError, Target, Transport, TransportError};
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::service::{KEY, LONG, Reply, Service, http, hub, nobody};

type Result<T, E = SendError> = std::result::Result<T, E>;

/// Answers with statuses, last first, then with 202; a status of 0 stands for a connection that ends.
struct Scripted {
    state: Mutex<State>,
    started: Instant,
}

struct State {
    script: Vec<u16>,
    /// Requests, and when they came.
    seen: Vec<(Duration, Request<Bytes>)>,
}

impl Transport for Scripted {
    fn exchange(
        &self,
        request: Request<Bytes>,
        _deadline: Instant,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        let mut state = self.state();
        state.seen.push((self.started.elapsed(), request));
        let result = match state.script.pop().unwrap_or(202) {
            0 => Err(TransportError::CutOff("told to".into())),
            status => Ok(Response::builder().status(status).body(Bytes::new()).expect("a good status")),
        };
        Box::pin(ready(result))
    }
}

impl Scripted {
    fn client(script: &[u16], jitter: f64) -> (Arc<Scripted>, HubClient) {
        let state = State { script: script.to_vec(), seen: Vec::new() };
        let scripted = Arc::new(Scripted { state: Mutex::new(state), started: Instant::now() });
        let endpoint =
            Endpoint::parse(&format!("Endpoint=https://h;AccessKey={KEY}")).expect("a good string");
        let client = HubClient::with_transport(Arc::clone(&scripted) as _, endpoint.into(), hub());
        (scripted, client.with_jitter(move || jitter))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panicked in here")
    }
}

async fn send(client: &HubClient, resend: Resend, timeout: Duration) -> Result<()> {
    let message = Message::new("t", &[1]).expect("an array");
    client.send(Target::Group("a b"), &message, resend, timeout).await
}

#[tokio::test]
async fn a_whole_request_crosses_the_seam() {
    let (service, client) = Scripted::client(&[], 0.0);
    send(&client, Resend::Never, LONG).await.expect("202");
    let (_, request) = service.state().seen.pop().expect("a request");
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://h/api/hubs/chat/groups/a%20b/:send?api-version=2022-06-01");
    assert_eq!(request.headers()["content-type"], "application/json; charset=utf-8");
    assert!(request.headers()["authorization"].is_sensitive());
    assert_eq!(&request.body()[..], br#"{"target":"t","arguments":[1]}"#);
}

#[tokio::test(start_paused = true)]
async fn tries_wait_in_tokios_time_as_long_as_the_jitter_says() {
    let (service, client) = Scripted::client(&[503; 9], 1.0);
    let error = send(&client, Resend::Never, LONG).await.expect_err("503");
    assert!(matches!(error, SendError::Unavailable { status: Some(503), .. }), "{error:?}");
    let at: Vec<u128> = service.state().seen.iter().map(|(at, _)| at.as_millis()).collect();
    assert_eq!(at, [0, 200, 600, 1_400, 3_000]);
}

#[tokio::test]
async fn what_the_transport_says_is_the_cause_of_the_error() {
    let (_, client) = Scripted::client(&[0], 0.0);
    let error = send(&client, Resend::Never, LONG).await.expect_err("cut");
    assert_eq!(error.source().and_then(Error::source).expect("a cause").to_string(), "told to");
}

#[tokio::test]
async fn reqwest_tells_the_ways_of_failing_apart() {
    let cut = Service::start([Reply::Cut]).await;
    let error = send(&cut.client(), Resend::Never, LONG).await.expect_err("cut");
    assert!(matches!(error, SendError::Unknown { source: Some(TransportError::CutOff(_)), .. }), "{error:?}");

    let mute = Service::start([Reply::Silence]).await;
    let error = send(&mute.client(), Resend::Never, Duration::from_millis(200)).await.expect_err("silence");
    assert!(
        matches!(error, SendError::Unknown { source: Some(TransportError::TimedOut(_)), .. }),
        "{error:?}"
    );

    let endpoint = Endpoint::parse(&format!("Endpoint={};AccessKey={KEY}", nobody().await));
    let client = HubClient::new(http(), endpoint.expect("a good string"), hub());
    let error = send(&client, Resend::Never, Duration::from_secs(1)).await.expect_err("nobody there");
    assert!(
        matches!(error, SendError::Unavailable { source: Some(TransportError::NotConnected(_)), .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_left_behind() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        stream.read_u8().await.expect("a request");
        stream
            .write_all(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n")
            .await
            .expect("the head");
        let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x1_0000], b"\r\n"].concat();
        let mut sent = 0_usize;
        while stream.write_all(&chunk).await.is_ok() {
            sent += chunk.len();
        }
        sent
    });
    let endpoint = Endpoint::parse(&format!("Endpoint=http://{address};AccessKey={KEY}"));
    let client = HubClient::new(http(), endpoint.expect("a good string"), hub());
    send(&client, Resend::Never, LONG).await.expect("202, whatever follows");
    // What fits into the buffers between the two, and no more.
    let sent = answering.await.expect("the connection is closed");
    assert!(sent < 64 * 1024 * 1024, "{sent} bytes");
}
