//! The process boundary: a Node script that writes one JSON event per line and takes one JSON command per line.

use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// Lines of a script's stderr that are kept for error messages.
const LOG_LINES: usize = 20;

/// The time for a script to end by itself after it was asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Why a client could not be started, or did not do what the test waits for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There is no `node` on the path.
    #[error("node was not found; the test clients need Node 20 or newer on the path")]
    NodeMissing,
    /// There is no Chromium or Chrome on the path.
    #[error(
        "no chromium or google-chrome was found on the path; install one, e.g. Debian's package chromium"
    )]
    ChromiumMissing,
    /// The npm packages are not installed.
    #[error("the npm packages of the test clients are missing in {}; run `cargo dev test`, or `npm ci` there", .0.display())]
    NotInstalled(PathBuf),
    /// The process did not start.
    #[error("the test client did not start")]
    Start(#[source] io::Error),
    /// No event arrived in time.
    #[error("nothing came from the test client within {waited:?}; it logged: {log}")]
    TimedOut {
        /// The time limit.
        waited: Duration,
        /// The newest lines it logged.
        log: String,
    },
    /// The process ended.
    #[error("the test client has ended; it logged: {log}")]
    Ended {
        /// The newest lines it logged.
        log: String,
    },
    /// The process wrote a line that is not an event of its protocol.
    #[error("the test client wrote something unexpected: {line}")]
    Unexpected {
        /// The whole line.
        line: String,
        /// Why it is not an event.
        source: serde_json::Error,
    },
}

/// What happens to the process when it is dropped without being stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnDrop {
    Kill,
    /// Closing its standard input makes it end, after it has ended what it started itself.
    LetEnd,
}

pub(crate) struct Script {
    child: Child,
    commands: ChildStdin,
    events: Lines<BufReader<ChildStdout>>,
    log: Arc<Mutex<VecDeque<String>>>,
}

impl Script {
    pub(crate) fn spawn(name: &str, arguments: &[&str], on_drop: OnDrop) -> Result<Script, ClientError> {
        Script::spawn_in(&scripts_folder(), name, arguments, on_drop)
    }

    fn spawn_in(
        folder: &Path,
        name: &str,
        arguments: &[&str],
        on_drop: OnDrop,
    ) -> Result<Script, ClientError> {
        // npm writes this file last, so it exists only after a complete installation.
        if !folder.join("node_modules/.package-lock.json").exists() {
            return Err(ClientError::NotInstalled(folder.to_owned()));
        }
        let spawned = Command::new("node")
            .arg(folder.join(name))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(on_drop == OnDrop::Kill)
            .spawn();
        let mut child = spawned.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => ClientError::NodeMissing,
            _ => ClientError::Start(error),
        })?;
        let log = Arc::default();
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(commands), Some(events), Some(stderr)) = streams else {
            return Err(ClientError::Start(io::Error::other("its input and output are not piped")));
        };
        tokio::spawn(keep_newest(stderr, Arc::clone(&log)));
        Ok(Script { commands, events: BufReader::new(events).lines(), log, child })
    }

    pub(crate) async fn next<E: DeserializeOwned>(&mut self, deadline: Duration) -> Result<E, ClientError> {
        match tokio::time::timeout(deadline, self.events.next_line()).await {
            Err(_) => Err(ClientError::TimedOut { waited: deadline, log: self.logged() }),
            Ok(Ok(Some(line))) => {
                serde_json::from_str(&line).map_err(|source| ClientError::Unexpected { line, source })
            }
            Ok(Ok(None) | Err(_)) => Err(ClientError::Ended { log: self.logged() }),
        }
    }

    pub(crate) async fn command(&mut self, command: &Value) -> Result<(), ClientError> {
        let written = self.commands.write_all(format!("{command}\n").as_bytes()).await;
        written.map_err(|_| ClientError::Ended { log: self.logged() })
    }

    /// Ends the process and waits until it has ended everything it started.
    pub(crate) async fn stop(mut self) -> Result<(), ClientError> {
        drop(self.commands);
        match tokio::time::timeout(STOP_PATIENCE, self.child.wait()).await {
            Ok(_) => Ok(()),
            Err(_) => {
                // Fails only when the process has ended already.
                let _ = self.child.kill().await;
                let log = joined(&self.log);
                Err(ClientError::TimedOut { waited: STOP_PATIENCE, log })
            }
        }
    }

    fn logged(&self) -> String {
        joined(&self.log)
    }
}

fn scripts_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients")
}

fn joined(log: &Mutex<VecDeque<String>>) -> String {
    let log = log.lock().unwrap_or_else(PoisonError::into_inner);
    log.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
}

async fn keep_newest(stderr: ChildStderr, log: Arc<Mutex<VecDeque<String>>>) {
    let mut lines = BufReader::new(stderr).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() == LOG_LINES {
            log.pop_front();
        }
        log.push_back(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn missing_packages_are_an_error_that_says_what_to_run() {
        let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let refused = Script::spawn_in(&nowhere, "signalr-client.mjs", &[], OnDrop::Kill);
        let error = refused.err().expect("nothing is installed there").to_string();
        assert!(error.contains("cargo dev test") && error.contains("npm ci"), "{error}");
    }
}
