//! Programs that a command starts: cargo, npm, apt-get. They end when the command ends.

use std::{
    io::Write,
    process::{ExitStatus, Stdio},
};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Command;

/// What becomes of a program's own words.
#[derive(Clone, Copy)]
pub(crate) enum Output {
    Shown,
    OnlyOnFailure,
}

/// Runs `command` to its end; `what` names it in the error, as in "`npm ci` failed".
pub(crate) async fn run(command: Command, output: Output, what: &str) -> Result<()> {
    let status = match output {
        Output::Shown => status(command).await,
        Output::OnlyOnFailure => words(command).await.map(|ended| ended.status),
    };
    let status = status.with_context(|| format!("{what} could not be run"))?;
    if !status.success() {
        bail!("{what} failed ({status}): its own words are above");
    }
    Ok(())
}

/// Runs `command` for its words on both outputs, which are shown when it fails.
pub(crate) async fn words(mut command: Command) -> std::io::Result<std::process::Output> {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = finish(command).await?;
    if !ended.status.success() {
        show(&ended);
    }
    Ok(ended)
}

/// Runs `command` with its output shown and answers how it ended.
pub(crate) async fn status(command: Command) -> std::io::Result<ExitStatus> {
    Ok(finish(command).await?.status)
}

/// Runs `command` for its standard output; `None` when it cannot be run or fails.
pub(crate) async fn captured(mut command: Command) -> Option<String> {
    command.stderr(Stdio::null());
    printed(command).await.ok()?
}

/// Runs `command` for its standard output, its errors shown; `None` when it fails.
pub(crate) async fn printed(mut command: Command) -> std::io::Result<Option<String>> {
    command.stdout(Stdio::piped());
    let ended = finish(command).await?;
    let words = String::from_utf8_lossy(&ended.stdout).trim().to_owned();
    Ok(ended.status.success().then_some(words))
}

async fn finish(mut command: Command) -> std::io::Result<std::process::Output> {
    command.stdin(Stdio::null()).process_group(0);
    let child = command.spawn()?;
    let group = Group::of(&child);
    let ended = child.wait_with_output().await;
    group.ended();
    ended
}

fn show(ended: &std::process::Output) {
    // A closed terminal is the only way this fails, and then nobody reads it.
    let _ = std::io::stderr().write_all(&ended.stdout);
    let _ = std::io::stderr().write_all(&ended.stderr);
}

/// A started program and whatever it starts in turn (npm a shell, the shell a bundler). Dropped before the end, as
/// when Ctrl-C ends the command, it takes them all down.
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &tokio::process::Child) -> Group {
        let id = leader.id().and_then(|id| i32::try_from(id).ok());
        Group(id.and_then(Pid::from_raw))
    }

    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            // Already gone is what is wanted.
            let _ = kill_process_group(leader, Signal::TERM);
        }
    }
}
