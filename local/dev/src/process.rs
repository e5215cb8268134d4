//! Runs the programs that a command needs: cargo, npm, apt-get. They end when the command ends.

use std::{
    io::Write,
    process::{ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

/// Where a program's output goes.
#[derive(Clone, Copy)]
pub(crate) enum Output {
    Shown,
    OnlyOnFailure,
}

/// Runs `command` to its end; `what` names it in the error, as in "`npm ci` failed".
pub(crate) async fn run(command: Command, output: Output, what: &str) -> Result<()> {
    let status = match output {
        Output::Shown => status(command).await,
        Output::OnlyOnFailure => capture_output(command).await.map(|ended| ended.status),
    };
    let status = status.with_context(|| format!("{what} could not be run"))?;
    if !status.success() {
        bail!("{what} failed ({status}): its own words are above");
    }
    Ok(())
}

/// Runs `command` and captures both outputs, which are shown when it fails.
pub(crate) async fn capture_output(mut command: Command) -> std::io::Result<std::process::Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = finish(command).await?;
    if !ended.status.success() {
        show(&ended);
    }
    Ok(ended)
}

/// Runs `command` with its output shown, and returns its exit status.
pub(crate) async fn status(command: Command) -> std::io::Result<ExitStatus> {
    Ok(finish(command).await?.status)
}

/// The standard output of `command`; `None` when it cannot be run or fails.
pub(crate) async fn captured(mut command: Command) -> Option<String> {
    command.stderr(Stdio::null());
    printed(command).await.ok()?
}

/// The standard output of `command`, whose errors are shown; `None` when it fails.
pub(crate) async fn printed(mut command: Command) -> std::io::Result<Option<String>> {
    command.stdout(Stdio::piped());
    let ended = finish(command).await?;
    let text = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
    Ok(ended.status.success().then_some(text))
}

async fn finish(mut command: Command) -> std::io::Result<std::process::Output> {
    command.stdin(Stdio::null()).process_group(0);
    let child = command.spawn()?;
    let group = ProcessGroup::of(&child);
    let ended = child.wait_with_output().await;
    group.ended();
    ended
}

fn show(ended: &std::process::Output) {
    // Fails only when the terminal is closed, and then nobody reads it.
    let _ = std::io::stderr().write_all(&ended.stdout);
    let _ = std::io::stderr().write_all(&ended.stderr);
}

/// The process group of a started program: the program and everything it starts (npm starts a shell, the shell a
/// bundler). Dropping it before the program has ended, as Ctrl-C does, ends them all.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn of(leader: &tokio::process::Child) -> ProcessGroup {
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        ProcessGroup(id.and_then(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Fails only when all processes have ended.
            let _ = kill_process_group(leader, Signal::TERM);
        }
    }
}
