//! One handler process: its output lines and its end.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io,
    pin::pin,
    process::{ExitStatus, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::log::LogSink;

/// A running child; killed when the last owner drops it.
pub(crate) struct Process {
    child: Mutex<Child>,
    /// The host killed it because a function ran too long.
    uncounted: AtomicBool,
    last_errors: Arc<Mutex<VecDeque<String>>>,
    stderr: Mutex<Option<JoinHandle<()>>>,
}

/// How many stderr lines the host attaches to an abnormal exit.
const KEPT_ERRORS: usize = 3;

/// A grandchild can hold stderr open after the child's end; the host waits this long for its lines.
const STDERR_WAIT: Duration = Duration::from_millis(500);

/// Lines with this prefix go to the host's own log (azure-functions-host, `WorkerProcessUtilities`).
const SYSTEM_LINE: &str = "LanguageWorkerConsoleLog";

impl Process {
    pub(crate) fn spawn(mut command: Command, log: &LogSink) -> io::Result<Process> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let last_errors = Arc::new(Mutex::new(VecDeque::new()));
        let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(io::Error::other("its output is not piped"));
        };
        let out = log.clone();
        tokio::spawn(each_line(stdout, move |line| match line.strip_prefix(SYSTEM_LINE) {
            Some(rest) => out.info("worker", rest),
            None => out.info("handler", line),
        }));
        let (out, kept) = (log.clone(), Arc::clone(&last_errors));
        let stderr = tokio::spawn(each_line(stderr, move |line| log_error_line(&out, &kept, line)));
        Ok(Process {
            child: Mutex::new(child),
            uncounted: AtomicBool::new(false),
            last_errors,
            stderr: Mutex::new(Some(stderr)),
        })
    }

    /// The process id, until the process has ended.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child().id()
    }

    /// Kills the process with SIGKILL; does nothing when it has ended already.
    pub(crate) fn kill(&self) {
        drop(self.child().start_kill());
    }

    /// Kills the process with SIGKILL, without counting this as an error of the handler.
    pub(crate) fn kill_uncounted(&self) {
        self.uncounted.store(true, Ordering::Relaxed);
        self.kill();
    }

    pub(crate) fn is_uncounted(&self) -> bool {
        self.uncounted.load(Ordering::Relaxed)
    }

    /// Waits for the end of the process, reaps it and collects its last errors. Only one task may wait at a time.
    pub(crate) async fn ended(&self) -> io::Result<ExitStatus> {
        // Each poll starts a new wait, which holds the lock only briefly. A wait has no state to lose.
        let status = poll_fn(|context| {
            let mut child = self.child();
            let wait = pin!(child.wait());
            wait.poll(context)
        })
        .await;
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stderr) = stderr {
            drop(tokio::time::timeout(STDERR_WAIT, stderr).await);
        }
        status
    }

    pub(crate) fn last_errors(&self) -> Vec<String> {
        self.last_errors.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log_error_line(log: &LogSink, kept: &Mutex<VecDeque<String>>, line: &str) {
    if let Some(rest) = line.strip_prefix(SYSTEM_LINE) {
        return log.info("worker", rest);
    }
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push_back(line.to_owned());
    if kept.len() > KEPT_ERRORS {
        kept.pop_front();
    }
    if line.to_ascii_lowercase().contains("warn") {
        log.warn("handler", line);
    } else {
        log.error("handler", line);
    }
}

async fn each_line(source: impl AsyncRead + Unpin, mut take: impl FnMut(&str)) {
    let mut reader = BufReader::new(source);
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        take(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']));
        line.clear();
    }
}
