//! A running handler process, used as the Functions host uses it: started with its settings, called over HTTP, and
//! ended with SIGKILL. Processor time and memory are read from the kernel.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use super::{
    http1::{HttpConnection, Message},
    scratch::Scratch,
    start::free_port,
    system::Candidate,
    workload::PARTITION,
};

/// A handler that takes longer is broken.
const START_LIMIT: Duration = Duration::from_secs(30);

/// The settings that all systems share.
pub(super) struct Settings {
    pub(super) storage: String,
    pub(super) signalr: String,
}

pub(super) struct Handler {
    child: Child,
    id: u32,
    /// One connection for the whole run: the thread that serves it stays alive, so that its processor time is
    /// counted.
    connection: HttpConnection,
    log: PathBuf,
    _folder: Scratch,
}

impl Handler {
    pub(super) async fn start(candidate: &Candidate, settings: &Settings) -> Result<Handler> {
        let folder = Scratch::make(candidate.system.name())?;
        let log = folder.path().join("log");
        let port = free_port()?;
        let words = File::create(&log).context("the handler's log cannot be written")?;
        let mut command = Command::new(&candidate.program);
        command
            .args(&candidate.arguments)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("StorageConnectionString", &settings.storage)
            .env("AzureSignalRConnectionString", &settings.signalr)
            .env("PartitionKey", PARTITION)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(words.try_clone().context("the handler's log cannot be written")?)
            .stderr(words)
            .kill_on_drop(true);
        let mut child =
            command.spawn().with_context(|| format!("{} cannot be started", candidate.program.display()))?;
        let id = child.id().context("the handler ended at once")?;
        let connection = answering(port, &mut child)
            .await
            .with_context(|| format!("{} did not start: {}", candidate.system.name(), last_words(&log)))?;
        Ok(Handler { child, id, connection, log, _folder: folder })
    }

    /// Posts a batch, and returns the time until the whole reply arrived.
    pub(super) async fn post(&mut self, batch: &[u8], limit: Duration) -> Result<Duration> {
        let head = format!(
            "POST /EnvironmentEventTrigger HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
             X-Azure-Functions-InvocationId: 5f1d3c8e-0b57-4c0a-9a55-0d6f2f6b7a10\r\nContent-Length: {}\r\n\r\n",
            batch.len()
        );
        let mut request = head.into_bytes();
        request.extend_from_slice(batch);
        self.exchange(&request, limit).await.map(|(took, _)| took)
    }

    async fn exchange(&mut self, request: &[u8], limit: Duration) -> Result<(Duration, Message)> {
        let began = Instant::now();
        let exchange = async {
            self.connection.send(request).await?;
            self.connection.next().await
        };
        let reply = timeout(limit, exchange).await;
        let took = began.elapsed();
        let told = || format!("a call failed; the handler said: {}", last_words(&self.log));
        let reply = reply.with_context(told)?.with_context(told)?.with_context(told)?;
        match reply.status() {
            Some(200) if !reply.body().is_empty() => Ok((took, reply)),
            status => bail!("{} (status {})", told(), status.unwrap_or_default()),
        }
    }

    /// Sends a GET with further header lines, and returns the reply and the time until all of it arrived.
    pub(super) async fn get(
        &mut self,
        target: &str,
        headers: &str,
        limit: Duration,
    ) -> Result<(Duration, Message)> {
        let request = format!("GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n");
        self.exchange(request.as_bytes(), limit).await
    }

    /// Processor time of all its threads so far.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id)).context("the handler has ended")?;
        let times = threads.flatten().filter_map(|thread| {
            let told = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            told.split(' ').next()?.parse().ok()
        });
        Ok(times.map(Duration::from_nanos).sum())
    }

    /// Resident memory in bytes.
    pub(super) fn resident(&self) -> Result<u64> {
        self.memory("VmRSS:")
    }

    /// The most resident memory that it ever had, in bytes.
    pub(super) fn peak(&self) -> Result<u64> {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> Result<u64> {
        let told =
            fs::read_to_string(format!("/proc/{}/status", self.id)).context("the handler has ended")?;
        let line = told.lines().find_map(|line| line.strip_prefix(name));
        let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        Ok(kilobytes.context("the kernel tells no resident memory")? * 1024)
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        self.child.kill().await.context("a handler cannot be ended")
    }
}

/// The connection on which the handler has answered `GET /`.
async fn answering(port: u16, child: &mut Child) -> Result<HttpConnection> {
    const BETWEEN_TRIES: Duration = Duration::from_millis(2);
    let deadline = Instant::now() + START_LIMIT;
    while Instant::now() < deadline {
        if let Ok(socket) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
            let mut connection = HttpConnection::new(socket)?;
            connection.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").await?;
            timeout(START_LIMIT, connection.next()).await??.context("it closed the connection")?;
            return Ok(connection);
        }
        if let Some(status) = child.try_wait()? {
            bail!("it ended ({status})");
        }
        sleep(BETWEEN_TRIES).await;
    }
    bail!("not within {} s", START_LIMIT.as_secs())
}

/// The end of the handler's log, on one line.
fn last_words(log: &PathBuf) -> String {
    const MOST: usize = 500;
    let words = crate::text::flat(&String::from_utf8_lossy(&fs::read(log).unwrap_or_default()));
    let skipped = words.chars().count().saturating_sub(MOST);
    words.chars().skip(skipped).collect()
}
