//! The output of the Azurite process: read on background threads, and kept for error messages.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

/// The most lines that are kept, until Azurite listens. It prints only a few, and a stack trace fits.
const KEPT_LINES: usize = 40;

/// Both output streams of the process, line by line, in the order of arrival.
#[derive(Debug)]
pub(crate) struct Output {
    /// A mutex only so that an [`Azurite`](crate::Azurite) can be shared between threads; it is never locked.
    lines: Mutex<Receiver<String>>,
    kept: Vec<String>,
}

impl Output {
    /// Reads what `child` prints.
    pub(crate) fn read(child: &mut Child) -> Output {
        let (sender, lines) = channel();
        if let Some(stdout) = child.stdout.take() {
            forward(stdout, sender.clone());
        }
        if let Some(stderr) = child.stderr.take() {
            forward(stderr, sender);
        }
        Output { lines: Mutex::new(lines), kept: Vec::new() }
    }

    /// Waits for a line in which `find` finds something. The error says whether the deadline passed
    /// ([`RecvTimeoutError::Timeout`]) or the process ended.
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

/// Reads to the end even when nobody needs the lines any more, because a full pipe would block the process.
fn forward(stream: impl Read + Send + 'static, lines: Sender<String>) {
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
}
