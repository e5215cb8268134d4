//! The log lines of the host and the handler: all go to a file, warnings and errors also to the terminal.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use fieldcast_functions_host::LogSink;
use tokio::task::JoinHandle;

use crate::workspace::shown;

/// The longest delay of a line.
const INTERVAL: Duration = Duration::from_millis(100);

/// The log of one run. The terminal shows nothing of it while the stack starts, because a failed start is reported in
/// one line, and nothing while it stops, because then errors are expected.
pub(super) struct Log {
    writer: Arc<Writer>,
    task: JoinHandle<()>,
}

struct Writer {
    lines: Arc<Mutex<Vec<String>>>,
    file: Mutex<BoundedFile>,
    terminal: Terminal,
    shows: AtomicBool,
}

type Terminal = Box<dyn Fn(&str) + Send + Sync>;

/// A file that starts again when it is full, and keeps the previous part as `.old`.
struct BoundedFile {
    path: PathBuf,
    file: BufWriter<File>,
    size: usize,
    limit: usize,
}

/// About a day of twenty devices; a forgotten stack must not fill the disk.
const LIMIT: usize = 64 << 20;

impl Log {
    /// Starts the log, and overwrites that of the last run. `terminal` gets the lines that need attention.
    pub(super) fn open(path: &Path, terminal: impl Fn(&str) + Send + Sync + 'static) -> Result<Log> {
        let file =
            BoundedFile::create(path, LIMIT).with_context(|| format!("{} cannot be written", shown(path)))?;
        let file = Mutex::new(file);
        let writer = Arc::new(Writer {
            lines: Arc::default(),
            file,
            terminal: Box::new(terminal),
            shows: AtomicBool::new(false),
        });
        let task = tokio::spawn(write_now_and_then(Arc::clone(&writer)));
        Ok(Log { writer, task })
    }

    /// The sink for the host's lines.
    pub(super) fn sink(&self) -> LogSink {
        LogSink::Collect(Arc::clone(&self.writer.lines))
    }

    /// Writes all lines that have arrived.
    pub(super) fn catch_up(&self) {
        self.writer.write();
    }

    /// Sets whether the terminal shows warnings and errors from now on.
    pub(super) fn show(&self, shows: bool) {
        // Lines that still wait are not shown, because the stack was starting or is stopping.
        self.writer.shows.store(false, Ordering::Relaxed);
        self.writer.write();
        self.writer.shows.store(shows, Ordering::Relaxed);
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        self.task.abort();
        self.writer.write();
    }
}

async fn write_now_and_then(writer: Arc<Writer>) {
    let mut every = tokio::time::interval(INTERVAL);
    loop {
        every.tick().await;
        writer.write();
    }
}

impl Writer {
    fn write(&self) {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let new = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        for line in &new {
            if self.shows.load(Ordering::Relaxed) && needs_attention(line) {
                (self.terminal)(line);
            }
            // A full disk must not end the stack; the terminal still shows warnings and errors.
            let _ = file.append(line);
        }
        let _ = file.file.flush();
    }
}

impl BoundedFile {
    fn create(path: &Path, limit: usize) -> io::Result<BoundedFile> {
        let file = BufWriter::new(File::create(path)?);
        Ok(BoundedFile { path: path.to_path_buf(), file, size: 0, limit })
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() > self.limit {
            self.file.flush()?;
            fs::rename(&self.path, self.path.with_extension("old.txt"))?;
            *self = BoundedFile::create(&self.path, self.limit)?;
        }
        self.size += line.len() + 1;
        writeln!(self.file, "{line}")
    }
}

/// The host watermarks its own lines with a level; lines of the handler start with the handler's own level.
fn needs_attention(line: &str) -> bool {
    let Some((head, rest)) = line.split_once('[') else {
        return false;
    };
    let message = rest.split_once("] ").map_or(rest, |(_source, message)| message).trim_start();
    let of_host = head.contains(" warn ") || head.contains(" error ");
    of_host || message.starts_with("WARN ") || message.starts_with("ERROR ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_warnings_and_errors_are_shown() {
        assert!(needs_attention("03:00:00.123 warn  [host] the handler ended"));
        assert!(needs_attention("03:00:00.123 error [handler] panicked"));
        assert!(needs_attention("03:00:00.123 info  [handler]  WARN a push failed"));
        assert!(!needs_attention("03:00:00.123 info  [handler]  INFO listening"));
        assert!(!needs_attention("nothing of ours"));
    }

    #[test]
    fn a_full_file_starts_again_and_keeps_the_part_before() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log.txt");
        let mut file = BoundedFile::create(&path, 10)?;
        for line in ["first", "second", "third"] {
            file.append(line)?;
        }
        file.file.flush()?;
        assert_eq!(fs::read_to_string(&path)?, "third\n");
        assert_eq!(fs::read_to_string(folder.path().join("log.old.txt"))?, "second\n");
        Ok(())
    }

    #[tokio::test]
    async fn every_line_reaches_the_file_and_the_terminal_sees_what_happens_while_it_runs() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("log.txt");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let terminal = Arc::clone(&seen);
        let log =
            Log::open(&path, move |line| terminal.lock().expect("no test panics").push(line.to_owned()))?;
        let LogSink::Collect(lines) = log.sink() else { anyhow::bail!("a list was expected") };
        let happens =
            |what: &str| lines.lock().expect("no test panics").push(format!("1 warn  [host] {what}"));

        happens("starting");
        log.show(true);
        happens("running");
        log.catch_up();
        happens("stopping");
        log.show(false);
        happens("stopped");
        drop(log);
        assert_eq!(fs::read_to_string(&path)?.lines().count(), 4);
        assert_eq!(*seen.lock().expect("no test panics"), ["1 warn  [host] running"]);
        Ok(())
    }
}
