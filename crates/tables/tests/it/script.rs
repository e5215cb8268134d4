//! A server that gives prepared answers, one for each request, and keeps the requests.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fieldcast_tables::{AzureTables, ConnectionString, Deadline, Retry, Table, TableName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

pub(crate) const ACCOUNT_KEY: &str = "AccountName=fieldcast1;AccountKey=c2VjcmV0LXNlY3JldA==";

/// What happens after one request was read.
pub(crate) enum Step {
    /// This is written as it is, and the connection closed.
    Send(String),
    /// This is written as it is, and the next request expected on the same connection.
    SendAndKeep(String),
    /// Nothing, until the client goes away.
    Silence,
}

/// Ends the connection after the request without a word.
pub(crate) fn cut() -> Step {
    Step::Send(String::new())
}

/// An answer with this status line, these further headers and this body.
pub(crate) fn answer(status: &str, headers: &[&str], body: &str) -> Step {
    let headers = headers.iter().map(|header| format!("{header}\r\n")).collect::<String>();
    let length = body.len();
    Step::Send(format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}Connection: close\r\n\r\n{body}"
    ))
}

/// An error as the service writes it.
pub(crate) fn refusal(status: &str, code: &str, message: &str) -> Step {
    let text = format!("{message}\\nRequestId:0d0c\\nTime:2026-11-21T03:00:00.0000000Z");
    let body =
        format!(r#"{{"odata.error":{{"code":"{code}","message":{{"lang":"en-US","value":"{text}"}}}}}}"#);
    answer(
        status,
        &["Content-Type: application/json;odata=minimalmetadata;streaming=true;charset=utf-8"],
        &body,
    )
}

pub(crate) fn server_busy() -> Step {
    refusal("503 Server Busy", "ServerBusy", "The server is busy.")
}

pub(crate) struct Script {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    server: JoinHandle<()>,
}

impl Script {
    pub(crate) async fn of(steps: impl IntoIterator<Item = Step>) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let server = tokio::spawn(play(listener, steps.into_iter().collect(), requests.clone()));
        Script { address, requests, server }
    }

    /// A table at this server, with short delays.
    pub(crate) fn table(&self) -> Table {
        self.table_with(ACCOUNT_KEY, quick())
    }

    pub(crate) fn table_with(&self, credential: &str, retry: Retry) -> Table {
        table_at(&self.address, credential, retry)
    }

    /// The requests so far: everything from the request line to the end of the body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A port at which connections are refused, and which nobody else gets meanwhile.
pub(crate) struct ClosedPort(TcpSocket);

impl ClosedPort {
    pub(crate) fn new() -> ClosedPort {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        ClosedPort(socket)
    }

    pub(crate) fn table(&self) -> Table {
        let address = format!("http://{}", self.0.local_addr().unwrap());
        table_at(&address, ACCOUNT_KEY, without_waiting())
    }
}

fn table_at(address: &str, credential: &str, retry: Retry) -> Table {
    let connection = ConnectionString::parse(&format!("TableEndpoint={address};{credential}")).unwrap();
    let store = AzureTables::new(connection, http()).with_retry(retry);
    Table::new(Arc::new(store), TableName::new("Devices").unwrap())
}

async fn play(listener: TcpListener, steps: Vec<Step>, requests: Arc<Mutex<Vec<String>>>) {
    let mut steps = steps.into_iter();
    let mut silent = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        while let Some(request) = read_request(&mut stream).await {
            requests.lock().unwrap().push(request);
            let (text, is_last) = match steps.next().unwrap_or_else(unscripted) {
                Step::Send(text) => (text, true),
                Step::SendAndKeep(text) => (text, false),
                Step::Silence => {
                    silent.push(stream);
                    break;
                }
            };
            // The client may have gone away.
            let _ = stream.write_all(text.as_bytes()).await;
            if is_last {
                break;
            }
        }
    }
}

/// No test expects this status.
fn unscripted() -> Step {
    answer("418 Unscripted", &[], "")
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= content_length(head)
        {
            return Some(text.into_owned());
        }
    }
}

fn content_length(head: &str) -> usize {
    let head = head.to_ascii_lowercase();
    let value = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

/// Delays of a few milliseconds; an attempt may take long, as the machine may be busy.
pub(crate) fn quick() -> Retry {
    Retry {
        first_delay: Duration::from_millis(1),
        longest_delay: Duration::from_millis(10),
        attempt_timeout: Duration::from_secs(20),
    }
}

/// Delays that no deadline has room for, other than by a chance of one in many thousands.
pub(crate) fn without_waiting() -> Retry {
    let long = Duration::from_secs(10_000_000);
    Retry { first_delay: long, longest_delay: long, ..quick() }
}

pub(crate) fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

pub(crate) fn http() -> reqwest::Client {
    // Another test of the binary may have been first, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().pool_idle_timeout(Duration::from_secs(3)).build().unwrap()
}
