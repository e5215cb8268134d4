//! A `cargo dev up` that runs during a test.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, ExitStatus},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    app::{self, path},
    http, program,
};

/// Long, because the machine may be busy with a build at the same time.
const DEADLINE: Duration = Duration::from_secs(120);

pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// What it printed until it was ready.
    pub(crate) banner: Vec<String>,
    /// Where the Functions host listens.
    pub(crate) host: String,
}

/// How a stopped run ended.
pub(crate) struct Stopped {
    pub(crate) status: ExitStatus,
    pub(crate) last_words: Vec<String>,
    pub(crate) stderr: String,
}

impl Running {
    /// Starts it on free ports with the packaged handler, and waits until it is ready.
    pub(crate) fn start(data: &Path, more: &[&str]) -> Running {
        let handler = app::handler();
        let mut arguments = vec!["up", "--port", "0", "--signalr-port", "0", "--hub-port", "0"];
        arguments.extend(["--data", path(data), "--handler", path(&handler)]);
        arguments.extend(more);
        let mut child = program::command(&arguments).spawn().expect("the program starts");
        let lines = reader(&mut child);
        let mut running = Running { child, lines, banner: Vec::new(), host: String::new() };
        running.wait_for_banner();
        running
    }

    fn wait_for_banner(&mut self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.banner.iter().any(|line| line.contains("Ctrl-C")) {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.banner.push(line),
                Err(RecvTimeoutError::Timeout) => panic!("not ready; so far: {:?}", self.banner),
                Err(RecvTimeoutError::Disconnected) => panic!("it ended: {}", self.stderr()),
            }
        }
        let dashboard =
            self.banner.iter().find_map(|line| line.trim().strip_prefix("dashboard")).expect("its address");
        self.host = dashboard.trim().trim_start_matches("http://").trim_end_matches('/').to_owned();
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Every process that it started, and those that these started.
    pub(crate) fn descendants(&self) -> Vec<u32> {
        descendants_of(self.id())
    }

    /// Waits for device states for which `enough` holds.
    pub(crate) fn devices(&self, enough: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        wait_until(|| {
            let answer = http::get(&self.host, "/api/getdevicestate").map_err(|error| error.to_string())?;
            let json: Value = serde_json::from_str(&answer.body).map_err(|_| answer.body.clone())?;
            let devices = json["devices"].as_array().cloned().unwrap_or_default();
            if enough(&devices) { Ok(devices) } else { Err(answer.body) }
        })
    }

    /// Waits until the handler answers a call.
    pub(crate) fn wait_for_an_answer(&self) {
        wait_until(|| match http::get(&self.host, "/api/getdevicestate") {
            Ok(answer) if answer.status == 200 => Ok(()),
            Ok(answer) => Err(format!("{} {}", answer.status, answer.body)),
            Err(error) => Err(error.to_string()),
        });
    }

    /// Sends `signal` and waits for the end.
    pub(crate) fn stop(self, signal: Signal) -> Stopped {
        self.signal(signal);
        self.ended()
    }

    /// Waits for the end.
    pub(crate) fn ended(mut self) -> Stopped {
        let status = wait_until(|| {
            let ended = self.child.try_wait().map_err(|error| error.to_string())?;
            ended.ok_or_else(|| "it has not ended".to_owned())
        });
        let last_words = self.lines.iter().collect();
        Stopped { status, last_words, stderr: self.stderr() }
    }

    fn signal(&self, signal: Signal) {
        kill_process(pid(self.id()), signal).expect("it runs");
    }

    fn stderr(&mut self) -> String {
        let mut words = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            stderr.read_to_string(&mut words).expect("its words are Unicode");
        }
        words
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.signal(Signal::TERM);
            let _ = self.child.wait();
        }
    }
}

/// Retries until `attempt` succeeds. Fails with the error of the last try.
pub(crate) fn wait_until<T>(mut attempt: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match attempt() {
            Ok(found) => return found,
            Err(status) => assert!(Instant::now() < deadline, "not within {DEADLINE:?}: {status}"),
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// Ends a process with SIGKILL, as a crash.
pub(crate) fn kill(process: u32) {
    kill_process(pid(process), Signal::KILL).expect("it runs");
}

fn pid(process: u32) -> Pid {
    i32::try_from(process).ok().and_then(Pid::from_raw).expect("a process id")
}

/// Waits until all of `processes` have ended.
pub(crate) fn wait_for_the_end_of(processes: &[u32]) {
    wait_until(|| match processes.iter().find(|process| is_alive(**process)) {
        None => Ok(()),
        Some(process) => Err(format!("process {process} is still there")),
    });
}

/// Whether the process exists and has not ended.
fn is_alive(process: u32) -> bool {
    stat(process).is_some_and(|stat| stat.state != "Z")
}

fn reader(child: &mut Child) -> Receiver<String> {
    let (sender, lines) = channel();
    let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            // Fails when the test has ended, and then nobody reads it.
            let _ = sender.send(line);
        }
    });
    lines
}

struct Stat {
    state: String,
    parent: u32,
}

/// From `/proc/<id>/stat`; the name in parentheses may contain spaces, so the fields start after the last
/// parenthesis.
fn stat(process: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    Some(Stat { state: fields.next()?.to_owned(), parent: fields.next()?.parse().ok()? })
}

fn descendants_of(process: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("Linux has it").flatten();
    let all = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let children: Vec<u32> = all.filter(|id| stat(*id).is_some_and(|stat| stat.parent == process)).collect();
    let deeper: Vec<u32> = children.iter().flat_map(|child| descendants_of(*child)).collect();
    [children, deeper].concat()
}
