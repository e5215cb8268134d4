//! Where the log lines of the host and of the handler go.

use std::{
    fmt::Display,
    io::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// Takes one line per entry: UTC time, level, source, message. No line contains a key, a query or a body.
#[derive(Clone, Debug, Default)]
pub enum LogSink {
    /// Standard output.
    #[default]
    Stdout,
    /// Nowhere.
    Quiet,
    /// A list, for tests.
    Collect(Arc<Mutex<Vec<String>>>),
}

impl LogSink {
    pub(crate) fn info(&self, source: &str, message: impl Display) {
        self.write("info ", source, message);
    }

    pub(crate) fn warn(&self, source: &str, message: impl Display) {
        self.write("warn ", source, message);
    }

    pub(crate) fn error(&self, source: &str, message: impl Display) {
        self.write("error", source, message);
    }

    fn write(&self, level: &str, source: &str, message: impl Display) {
        let line = || {
            let now = jiff::Timestamp::now().strftime("%H:%M:%S%.3f");
            format!("{now} {level} [{source}] {message}")
        };
        match self {
            LogSink::Quiet => {}
            // A closed pipe must not end the host.
            LogSink::Stdout => drop(writeln!(std::io::stdout().lock(), "{}", line())),
            LogSink::Collect(lines) => lines.lock().unwrap_or_else(PoisonError::into_inner).push(line()),
        }
    }
}
