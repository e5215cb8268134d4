//! A scripted SignalR Service: remembers every request as it came over the wire and answers what the test says.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use fieldcast_signalr::{Endpoint, HubClient, HubName};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

pub(crate) const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

/// Ample on a busy machine; tests that wait for it fail.
pub(crate) const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Status(u16),
    Full {
        status: u16,
        headers: &'static str,
        body: &'static str,
    },
    /// Accepts, with a body that comes some time after the head.
    Trickle,
    /// Reads the request, then closes the connection.
    Cut,
    /// Reads the request and never answers.
    Silence,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// `METHOD target`, without the HTTP version.
    pub(crate) line: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
    /// The number of the connection it came on.
    pub(crate) connection: usize,
}

#[derive(Default)]
struct State {
    script: VecDeque<Reply>,
    seen: Vec<Seen>,
}

pub(crate) struct Service {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    accepting: JoinHandle<()>,
}

impl Service {
    /// Answers with the script, then with 202.
    pub(crate) async fn start(script: impl IntoIterator<Item = Reply>) -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener");
        let state = Arc::new(Mutex::new(State { script: script.into_iter().collect(), seen: Vec::new() }));
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Service { address, state, accepting }
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn connection_string(&self) -> String {
        format!("Endpoint={};AccessKey={KEY};Version=1.0;", self.origin())
    }

    pub(crate) fn client(&self) -> HubClient {
        let endpoint = Endpoint::parse(&self.connection_string()).expect("a good connection string");
        HubClient::new(http(), endpoint, hub())
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.state.lock().expect("no test panicked in here").seen.clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

pub(crate) fn hub() -> HubName {
    HubName::new("Chat").expect("a good name")
}

pub(crate) fn http() -> reqwest::Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().expect("installed only here");
    });
    reqwest::Client::builder().no_proxy().build().expect("a plain client")
}

/// An address where nothing listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    format!("http://{}", listener.local_addr().expect("a bound listener"))
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    for number in 0.. {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        connections.spawn(serve(stream, number, Arc::clone(&state)));
    }
}

async fn serve(stream: TcpStream, connection: usize, state: Arc<Mutex<State>>) {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    while let Some(seen) = request(&mut read, connection).await {
        let head = seen.line.starts_with("HEAD");
        let reply = {
            let mut state = state.lock().expect("no test panicked in here");
            state.seen.push(seen);
            state.script.pop_front().unwrap_or(Reply::Status(202))
        };
        match reply {
            Reply::Status(status) => answer(&mut write, status, "", "", head).await,
            Reply::Full { status, headers, body } => answer(&mut write, status, headers, body, head).await,
            Reply::Trickle => trickle(&mut write).await,
            Reply::Cut => return,
            Reply::Silence => std::future::pending().await,
        }
    }
}

async fn request(read: &mut BufReader<OwnedReadHalf>, connection: usize) -> Option<Seen> {
    let line = text_line(read).await?;
    let line = line.strip_suffix(" HTTP/1.1").expect("HTTP/1.1").to_owned();
    let mut headers = BTreeMap::new();
    loop {
        let header = text_line(read).await?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a number"));
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.ok()?;
    Some(Seen { line, headers, body, connection })
}

async fn text_line(read: &mut BufReader<OwnedReadHalf>) -> Option<String> {
    let mut line = String::new();
    match read.read_line(&mut line).await {
        Ok(length) if length > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

async fn answer(write: &mut OwnedWriteHalf, status: u16, headers: &str, body: &str, head: bool) {
    let length = body.len();
    let body = if head { "" } else { body };
    let text = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}");
    // A client that has gone away is the client's affair.
    let _ = write.write_all(text.as_bytes()).await;
}

async fn trickle(write: &mut OwnedWriteHalf) {
    let _ = write.write_all(b"HTTP/1.1 202 X\r\ncontent-length: 2\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let _ = write.write_all(b"{}").await;
}
