//! A line to storage that breaks at a chosen request: before the storage gets it, or before its answer arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::stack::Account;

/// What happens at the chosen request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Break {
    /// The storage never gets it, and the line stays dead.
    Before,
    /// The storage does as asked, nobody hears of it, and the line stays dead.
    After,
    /// The storage does as asked and its answer is lost; everything after that works.
    Answer,
    /// The storage gets it when the line is mended; everything after that works.
    Hold,
}

/// The line. Requests are numbered from 0 in the order in which they begin.
pub(super) struct Line {
    port: u16,
    shared: Arc<Shared>,
    task: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: u16,
    at: usize,
    kind: Break,
    requests: AtomicUsize,
    broken: Notify,
    mended: Notify,
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Line {
    pub(super) async fn start(account: &Account, at: usize, kind: Break) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, broken, mended) = (AtomicUsize::new(0), Notify::new(), Notify::new());
        let shared = Arc::new(Shared { upstream: account.port(), at, kind, requests, broken, mended });
        let accepting = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&accepting).serve(client));
            }
        });
        Line { port, shared, task }
    }

    pub(super) fn connection_string(&self, account: &Account) -> String {
        let text = account.connection_string();
        text.replace(&format!(":{}/", account.port()), &format!(":{}/", self.port))
    }

    /// Returns when the line has broken, for good or until it is mended.
    pub(super) async fn broken(&self) {
        self.shared.broken.notified().await;
    }

    /// Lets the held request go on.
    pub(super) fn mend(&self) {
        self.shared.mended.notify_one();
    }

    /// How many requests there were.
    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }
}

impl Shared {
    /// One request and its answer, then the connection is closed.
    async fn serve(self: Arc<Self>, mut client: TcpStream) {
        let Some(request) = whole_request(&mut client).await else { return };
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let (hit, later) = (number == self.at, number > self.at);
        match self.kind {
            Break::Before if hit => self.broken.notify_one(),
            Break::After if hit => {
                self.exchange(&request).await;
                self.broken.notify_one();
            }
            Break::Before | Break::After if later => {}
            Break::Answer if hit => drop(self.exchange(&request).await),
            Break::Hold if hit => {
                self.broken.notify_one();
                self.mended.notified().await;
                self.forward(&request, &mut client).await;
            }
            _ => self.forward(&request, &mut client).await,
        }
    }

    async fn forward(&self, request: &[u8], client: &mut TcpStream) {
        let answer = self.exchange(request).await;
        // The client may have gone; nothing depends on the answer arriving.
        let _ = client.write_all(&answer).await;
    }

    async fn exchange(&self, request: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut server = TcpStream::connect(("127.0.0.1", self.upstream)).await.unwrap();
        server.write_all(request).await.unwrap();
        server.read_to_end(&mut answer).await.unwrap();
        answer
    }
}

/// Head and body, with `Connection: close` so that the server ends the connection after its answer.
async fn whole_request(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut reader = BufReader::new(client);
    let (mut request, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            request.extend_from_slice(b"Connection: close\r\n\r\n");
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        request.extend_from_slice(line.as_bytes());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.ok()?;
    request.extend(body);
    Some(request)
}
