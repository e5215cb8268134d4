//! A TCP proxy in front of storage that hurts requests and answers, as the dice of a seed fall: it delays them, cuts the
//! connection at every moment that matters, and truncates answers.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::http::{part, read_message, truncated};
use crate::stack::Account;

/// Long enough for other requests to overtake, short against every deadline of the handler.
const LONGEST_DELAY_MS: u64 = 150;

/// Within the answer to a transaction.
const CONFLICT: &[u8] = b"HTTP/1.1 412 ";

/// What happened so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) delayed: u64,
    /// Cut before the request was through.
    pub(crate) requests_cut: u64,
    /// Cut after storage had answered, before the first byte of the answer.
    pub(crate) answers_lost: u64,
    /// Cut in the middle of the answer.
    pub(crate) answers_cut: u64,
    /// Shortened answers that claim to be whole.
    pub(crate) answers_truncated: u64,
    /// Transactions that failed because a row had changed meanwhile.
    pub(crate) conflicts: u64,
    /// Held back until the handler was gone.
    pub(crate) answers_held: u64,
}

/// What becomes of one request. Shares are of the bytes that still come through.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Pass,
    Delay { request: Duration, answer: Duration },
    CutRequest { share: f64 },
    LoseAnswer,
    CutAnswer { share: f64 },
    TruncateAnswer { share: f64 },
    HoldAnswer,
}

enum Mood {
    Calm,
    Wild(Box<StdRng>),
    /// Holds the answer to the next request whose line contains the text.
    Hold(String),
}

struct World {
    mood: Mutex<Mood>,
    counts: watch::Sender<Counts>,
}

/// The running proxy. A test that fails while it lives prints its seed.
pub(crate) struct ChaosProxy {
    port: u16,
    seed: u64,
    world: Arc<World>,
    task: JoinHandle<()>,
}

impl Drop for ChaosProxy {
    fn drop(&mut self) {
        self.task.abort();
        if std::thread::panicking() {
            eprintln!("behind a proxy with FIELDCAST_CHAOS_SEED={}: {:?}", self.seed, self.counts());
        }
    }
}

impl ChaosProxy {
    /// Starts calm.
    pub(crate) async fn start(upstream: u16, seed: u64) -> ChaosProxy {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let world = World { mood: Mutex::new(Mood::Calm), counts: watch::Sender::default() };
        let world = Arc::new(world);
        let task = tokio::spawn(accept(listener, upstream, Arc::clone(&world)));
        ChaosProxy { port, seed, world, task }
    }

    /// The account's connection string, led through the proxy.
    pub(crate) fn connection_string(&self, account: &Account) -> String {
        let (direct, proxied) = (format!(":{}/", account.port()), format!(":{}/", self.port));
        let text = account.connection_string();
        assert!(text.contains(&direct));
        text.replace(&direct, &proxied)
    }

    /// From now on the dice decide.
    pub(crate) fn go_wild(&self) {
        self.set(Mood::Wild(Box::new(StdRng::seed_from_u64(self.seed))));
    }

    /// From now on everything comes through.
    pub(crate) fn calm_down(&self) {
        self.set(Mood::Calm);
    }

    /// Storage will work off the next request to this path, and its answer never arrives.
    pub(crate) fn hold_next_answer(&self, path: &str) {
        self.set(Mood::Hold(path.to_owned()));
    }

    pub(crate) fn counts(&self) -> Counts {
        *self.world.counts.borrow()
    }

    /// Waits for as long as it takes; the caller has a deadline.
    pub(crate) async fn reached(&self, wanted: impl Fn(&Counts) -> bool) {
        let mut counts = self.world.counts.subscribe();
        counts.wait_for(wanted).await.expect("the sender lives in self");
    }

    fn set(&self, mood: Mood) {
        *self.world.mood.lock().unwrap() = mood;
    }
}

impl World {
    fn count(&self, change: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(change);
    }

    fn fate(&self, request: &[u8]) -> Fate {
        self.count(|counts| counts.requests += 1);
        let mut mood = self.mood.lock().unwrap();
        match &mut *mood {
            Mood::Calm => Fate::Pass,
            Mood::Wild(dice) => Fate::throw(dice),
            Mood::Hold(path) => {
                let line = request.split(|&byte| byte == b'\r').next().expect("a split has a first part");
                if !String::from_utf8_lossy(line).contains(&*path) {
                    return Fate::Pass;
                }
                *mood = Mood::Calm;
                Fate::HoldAnswer
            }
        }
    }
}

impl Fate {
    /// Six in ten come through: a handler that starts anew needs about eight requests for its first batch, and what is
    /// to be tested is a system that gets its work done.
    fn throw(dice: &mut StdRng) -> Fate {
        let (die, share) = (dice.random_range(0..100), dice.random());
        let mut delay = || Duration::from_millis(dice.random_range(0..=LONGEST_DELAY_MS));
        match die {
            0..60 => Fate::Pass,
            60..84 => Fate::Delay { request: delay(), answer: delay() },
            84..88 => Fate::CutRequest { share },
            88..92 => Fate::LoseAnswer,
            92..96 => Fate::CutAnswer { share },
            _ => Fate::TruncateAnswer { share },
        }
    }
}

/// Ends with its connections when it is aborted.
async fn accept(listener: TcpListener, upstream: u16, world: Arc<World>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let world = Arc::clone(&world);
        // An error means that one side is gone, as does the connection with it.
        connections.spawn(async move { drop(serve(client, upstream, &world).await) });
    }
}

/// Serves the requests of one connection until one of them is cut. Storage gets a connection for each, so that it never
/// closes one by itself.
async fn serve(mut client: TcpStream, upstream: u16, world: &World) -> io::Result<()> {
    client.set_nodelay(true)?;
    while let Some(request) = read_message(&mut client).await? {
        let server = TcpStream::connect(("127.0.0.1", upstream)).await?;
        server.set_nodelay(true)?;
        let fate = world.fate(&request);
        if exchange(&mut client, server, &request, fate, world).await?.is_break() {
            break;
        }
    }
    Ok(())
}

/// One request and its answer; `Break` where the connection is to be cut.
async fn exchange(
    client: &mut TcpStream,
    mut server: TcpStream,
    request: &[u8],
    fate: Fate,
    world: &World,
) -> io::Result<ControlFlow<()>> {
    match fate {
        Fate::Delay { request, .. } => sleep(request).await,
        Fate::CutRequest { share } => {
            world.count(|counts| counts.requests_cut += 1);
            server.write_all(&request[..part(request.len(), share).unwrap_or(0)]).await?;
            return Ok(ControlFlow::Break(()));
        }
        _ => {}
    }
    server.write_all(request).await?;
    let answer = read_message(&mut server).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if answer.windows(CONFLICT.len()).any(|window| window == CONFLICT) {
        world.count(|counts| counts.conflicts += 1);
    }
    pass_on(client, &answer, fate, world).await
}

async fn pass_on(
    client: &mut TcpStream,
    answer: &[u8],
    fate: Fate,
    world: &World,
) -> io::Result<ControlFlow<()>> {
    match fate {
        Fate::LoseAnswer => {
            world.count(|counts| counts.answers_lost += 1);
            return Ok(ControlFlow::Break(()));
        }
        Fate::CutAnswer { share } => {
            world.count(|counts| counts.answers_cut += 1);
            client.write_all(&answer[..part(answer.len(), share).unwrap_or(0)]).await?;
            return Ok(ControlFlow::Break(()));
        }
        Fate::HoldAnswer => {
            world.count(|counts| counts.answers_held += 1);
            // Its end, or the reset of its death: either way the handler is gone.
            drop(client.read_u8().await);
            return Ok(ControlFlow::Break(()));
        }
        Fate::TruncateAnswer { share } => {
            if let Some(shorter) = truncated(answer, share) {
                world.count(|counts| counts.answers_truncated += 1);
                client.write_all(&shorter).await?;
                return Ok(ControlFlow::Continue(()));
            }
        }
        Fate::Delay { answer, .. } => {
            world.count(|counts| counts.delayed += 1);
            sleep(answer).await;
        }
        Fate::Pass | Fate::CutRequest { .. } => {}
    }
    client.write_all(answer).await?;
    Ok(ControlFlow::Continue(()))
}
