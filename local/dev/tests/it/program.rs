//! Runs the `cargo dev` program to its end.

use std::{
    fs::File,
    io::{Read, Seek},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

/// A finished run.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldcast-dev"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn run(arguments: &[&str]) -> Ended {
    finish(command(arguments))
}

/// Runs `command` to its end. Its output goes to files, so that a full pipe cannot block it.
pub(crate) fn finish(mut command: Command) -> Ended {
    let (mut stdout, mut stderr) = (file(), file());
    command.stdout(handle(&stdout)).stderr(handle(&stderr));
    let mut child = command.spawn().expect("the program starts");
    let status = ended_in_time(&mut child);
    let (stdout, stderr) = (content(&mut stdout), content(&mut stderr));
    let Some(status) = status else { panic!("it did not end: {stdout}{stderr}") };
    Ended { code: status.code(), stdout, stderr }
}

/// Long enough for an optimised build on a busy machine.
const DEADLINE: Duration = Duration::from_secs(20 * 60);

fn ended_in_time(child: &mut Child) -> Option<ExitStatus> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("it is our child") {
            return Some(status);
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    None
}

fn file() -> File {
    tempfile::tempfile().expect("a temporary file")
}

fn handle(file: &File) -> Stdio {
    file.try_clone().expect("a second handle").into()
}

fn content(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("what was written can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

impl Ended {
    /// The standard error of a run that failed with code 1, which must be one line.
    pub(crate) fn complaint(&self) -> &str {
        assert_eq!(self.code, Some(1), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        assert_eq!(self.stderr.lines().count(), 1, "one line was expected: {}", self.stderr);
        self.stderr.trim_end()
    }
}
