//! The process boundary to the page's own code: a Node process that runs it in lock step, one line in and one line out.
//! `screens-engine/engine.mjs` says what the lines mean.

mod answer;
mod command;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command as Process, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) use self::answer::{Answer, Device, Shown, Wish};
pub(crate) use self::command::{Command, Headers, Settings, Step};
use self::command::{Line, encoded};

/// The engine of this repository.
pub const ENGINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/screens-engine/engine.mjs");

/// Why the page's code cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// There is no `node` on the path.
    #[error(
        "node was not found; the screens of the simulation run the page's own code in Node 20.19 or newer"
    )]
    NodeMissing,
    /// The process could not be started or spoken to.
    #[error("the page's code could not be started")]
    Broken(#[source] io::Error),
    /// The process has ended.
    #[error("the page's code has ended: {0}")]
    Ended(String),
    /// It said something that is no answer.
    #[error("the page's code says something unexpected: {0}")]
    Unexpected(String),
    /// A command failed, or the page threw an exception.
    #[error("the page failed: {0}")]
    Page(String),
}

/// A browser with the page's code. It serves one run after the other.
#[derive(Clone)]
pub struct Browser(Arc<Mutex<Pipes>>);

struct Pipes {
    child: Child,
    /// Closed first, which ends the process.
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    errors: ChildStderr,
}

impl Browser {
    /// Starts the engine in Node and waits until it works.
    ///
    /// # Errors
    /// Node or the page's module is missing.
    pub fn open(engine: &Path) -> Result<Browser, BrowserError> {
        let mut node = Process::new("node");
        node.arg(engine).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = node.spawn().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => BrowserError::NodeMissing,
            _ => BrowserError::Broken(error),
        })?;
        let pipes = Pipes {
            commands: child.stdin.take(),
            answers: BufReader::new(child.stdout.take().expect("it is piped")),
            errors: child.stderr.take().expect("it is piped"),
            child,
        };
        let browser = Browser(Arc::new(Mutex::new(pipes)));
        browser.ask(0, &Command::Begin { screens: &[] })?;
        Ok(browser)
    }

    /// Carries a command out; `now` is milliseconds since 1970.
    pub(crate) fn ask(&self, now: i64, command: &Command<'_>) -> Result<Answer, BrowserError> {
        let mut pipes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = pipes.exchange(&encoded(&Line { now, command }))?;
        let answer: Answer = serde_json::from_str(&said)
            .map_err(|error| BrowserError::Unexpected(format!("{error}: {said}")))?;
        match answer.error {
            Some(error) => Err(BrowserError::Page(error)),
            None => Ok(answer),
        }
    }
}

impl Pipes {
    fn exchange(&mut self, line: &[u8]) -> Result<String, BrowserError> {
        let commands = self.commands.as_mut().expect("it is open until this is dropped");
        // Of a process that has ended the end of its output tells more.
        let _ = commands.write_all(line).and_then(|()| commands.flush());
        let mut said = String::new();
        match self.answers.read_line(&mut said) {
            Err(error) => Err(BrowserError::Broken(error)),
            Ok(0) => {
                let mut errors = String::new();
                // Without its last words there is less to report.
                let _ = self.errors.read_to_string(&mut errors);
                Err(BrowserError::Ended(errors.trim().to_owned()))
            }
            Ok(_) => Ok(said),
        }
    }
}

impl Drop for Pipes {
    fn drop(&mut self) {
        drop(self.commands.take());
        // It ends by itself then; there is nobody to report to if not.
        let _ = self.child.wait();
    }
}
