//! A proxy in front of storage that can refuse connections or answer in its place: the network is what tests fake.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::stack::Account;

#[derive(Clone, Debug, PartialEq)]
enum Mood {
    Forward,
    Refuse,
    /// Answers requests whose line contains the text with the status.
    Answer(String, u16),
}

struct World {
    mood: Mood,
    paths: Vec<String>,
}

/// The running proxy; every request gets a connection of its own, so that a change of mood takes effect at once.
pub(crate) struct Proxy {
    port: u16,
    world: Arc<Mutex<World>>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    pub(crate) async fn start(upstream: u16) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = Arc::new(Mutex::new(World { mood: Mood::Forward, paths: Vec::new() }));
        let shared = Arc::clone(&world);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(serve(client, upstream, Arc::clone(&shared)));
            }
        });
        Proxy { port, world, task }
    }

    /// The account's connection string, led through the proxy.
    pub(crate) fn connection_string(&self, account: &Account) -> String {
        let (direct, proxied) = (format!(":{}/", account.port()), format!(":{}/", self.port));
        let text = account.connection_string();
        assert!(text.contains(&direct));
        text.replace(&direct, &proxied)
    }

    pub(crate) fn refuse(&self) {
        self.set(Mood::Refuse);
    }

    pub(crate) fn answer_path(&self, path: &str, status: u16) {
        self.set(Mood::Answer(path.to_owned(), status));
    }

    pub(crate) fn allow(&self) {
        self.set(Mood::Forward);
    }

    /// Request lines so far.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.world.lock().unwrap().paths.clone()
    }

    fn set(&self, mood: Mood) {
        self.world.lock().unwrap().mood = mood;
    }
}

/// Reads the head of one request, decides, and either answers or forwards that one request and closes.
async fn serve(mut client: TcpStream, upstream: u16, world: Arc<Mutex<World>>) {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match client.read_buf(&mut head).await {
            Ok(read) if read > 0 => {}
            _ => return,
        }
    }
    let line = String::from_utf8_lossy(&head).lines().next().unwrap_or_default().to_owned();
    let mood = {
        let mut world = world.lock().unwrap();
        world.paths.push(line.clone());
        world.mood.clone()
    };
    match mood {
        Mood::Refuse => {}
        Mood::Answer(part, status) if line.contains(&part) => {
            let answer = format!("HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            // The client may have gone; nothing depends on the answer arriving.
            let _ = client.write_all(answer.as_bytes()).await;
        }
        _ => {
            let Ok(mut server) = TcpStream::connect(("127.0.0.1", upstream)).await else {
                return;
            };
            if server.write_all(&closing(&head)).await.is_ok() {
                let _ = copy_bidirectional(&mut client, &mut server).await;
            }
        }
    }
}

/// The head with `Connection: close`, so that the server ends the connection after its answer.
fn closing(head: &[u8]) -> Vec<u8> {
    let end = head.windows(2).position(|window| window == b"\r\n").expect("a request line") + 2;
    [&head[..end], b"Connection: close\r\n", &head[end..]].concat()
}
