//! Measures the start of a custom handler as the Functions host sees it: from the start of the process to the first
//! answer.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{scratch::Scratch, statistics::Milliseconds};

/// A handler that takes longer is broken.
const DEADLINE: Duration = Duration::from_secs(10);

/// A handler that can be started repeatedly.
pub(super) struct Starter {
    name: &'static str,
    program: PathBuf,
    arguments: Vec<PathBuf>,
    /// The folder of the handler's state, which is removed with this value.
    state: Scratch,
}

impl Starter {
    pub(super) fn handler(program: &Path) -> Result<Starter> {
        let state = Scratch::make("fieldcast")?;
        Ok(Starter { name: "fieldcast", program: program.to_path_buf(), arguments: Vec::new(), state })
    }

    pub(super) fn node(script: &Path) -> Result<Starter> {
        let state = Scratch::make("node")?;
        Ok(Starter { name: "Node", program: "node".into(), arguments: vec![script.to_path_buf()], state })
    }

    /// Starts it, waits for the first answer to `GET /`, and ends it as the host does, with SIGKILL.
    fn measure(&self) -> Result<Milliseconds> {
        let port = free_port()?;
        let began = Instant::now();
        let mut running = self.start(port)?;
        let answered = first_answer(port, &mut running, began + DEADLINE);
        let took = began.elapsed();
        // Fails when it has ended already, which `answered` reports.
        let _ = running.kill();
        running.wait().context("a measured process cannot be waited for")?;
        answered.with_context(|| format!("the {} handler did not answer", self.name))?;
        Ok(took.as_secs_f64() * 1000.0)
    }

    fn start(&self, port: u16) -> Result<Child> {
        let storage = format!("Embedded={}", self.state.path().display());
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .env("FUNCTIONS_CUSTOMHANDLER_PORT", port.to_string())
            .env("StorageConnectionString", storage)
            .env(
                "AzureSignalRConnectionString",
                "Endpoint=http://127.0.0.1;Port=1;AccessKey=unused;Version=1.0;",
            )
            .current_dir(self.state.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().with_context(|| format!("{} cannot be started", self.program.display()))
    }
}

/// The medians of both. They start in turn, so that other load on the machine affects both. The first start of each
/// only warms the caches.
pub(super) async fn medians_in_turn(
    one: Starter,
    other: Starter,
    rounds: usize,
) -> Result<(Milliseconds, Milliseconds)> {
    tokio::task::spawn_blocking(move || medians(&one, &other, rounds)).await?
}

fn medians(one: &Starter, other: &Starter, rounds: usize) -> Result<(Milliseconds, Milliseconds)> {
    let (mut ones, mut others) = (Vec::new(), Vec::new());
    one.measure()?;
    other.measure()?;
    for _ in 0..rounds {
        ones.push(one.measure()?);
        others.push(other.measure()?);
    }
    Ok((median(ones), median(others)))
}

fn median(mut values: Vec<Milliseconds>) -> Milliseconds {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr().context("no port is free")?.port())
}

fn first_answer(port: u16, running: &mut Child, deadline: Instant) -> Result<()> {
    /// Far shorter than what is measured, and long enough to leave the processor to the handler.
    const BETWEEN_TRIES: Duration = Duration::from_micros(200);
    while Instant::now() < deadline {
        if answers(port).unwrap_or(false) {
            return Ok(());
        }
        if let Some(status) = running.try_wait().context("a measured process cannot be watched")? {
            bail!("it ended ({status})");
        }
        std::thread::park_timeout(BETWEEN_TRIES);
    }
    bail!("not within {} s", DEADLINE.as_secs())
}

fn answers(port: u16) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    socket.set_read_timeout(Some(DEADLINE))?;
    socket.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut start = [0; 8];
    socket.read_exact(&mut start)?;
    Ok(start.starts_with(b"HTTP/1.1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![9.0, 1.0, 5.0]) - 5.0).abs() < f64::EPSILON);
    }
}
