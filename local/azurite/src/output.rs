//! What the Azurite process prints: read on background threads, kept for error messages.

use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// Lines are kept only until Azurite listens, and it prints a handful; a stack trace fits.
const KEPT_LINES: usize = 40;

/// Both output streams of the process, line by line, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Output {
    /// Only so that an [`Azurite`](crate::Azurite) can be shared; it is never locked.
    lines: Mutex<Receiver<String>>,
    kept: Vec<String>,
}

impl Output {
    pub(crate) fn read(stdout: impl Read + Send + 'static, stderr: impl Read + Send + 'static) -> Output {
        let (sender, lines) = channel();
        forward(stdout, sender.clone());
        forward(stderr, sender);
        Output { lines: Mutex::new(lines), kept: Vec::new() }
    }

    /// Waits for a line in which `find` finds something. The error says whether the time was over
    /// ([`RecvTimeoutError::Timeout`]) or the process had ended.
    pub(crate) fn wait_for<T>(
        &mut self,
        deadline: Instant,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<T, RecvTimeoutError> {
        loop {
            let lines = self.lines.get_mut().unwrap_or_else(PoisonError::into_inner);
            let line = lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
            if let Some(found) = find(&line) {
                return Ok(found);
            }
            self.keep(line);
        }
    }

    /// The last lines, for an error message.
    pub(crate) fn last_lines(&self) -> String {
        self.kept.join("\n")
    }

    fn keep(&mut self, line: String) {
        if self.kept.len() == KEPT_LINES {
            self.kept.remove(0);
        }
        self.kept.push(line);
    }
}

/// Reads to the end even when nobody listens any more: a full pipe would stop the process.
fn forward(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
}
