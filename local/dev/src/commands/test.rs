//! `cargo dev test`: sets up what the tests need, fuzzes for a short time, then runs every test. It exits with the
//! code of the test runner.

use std::{
    os::unix::process::ExitStatusExt,
    process::{ExitCode, ExitStatus},
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{browser, npm, process, text::say, toolchain, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Test {
    /// Passed on to `cargo test --workspace`, as in `cargo dev test -- --test it reconnect`
    #[arg(last = true, value_name = "CARGO TEST ARGUMENTS")]
    arguments: Vec<String>,
}

pub(crate) async fn run(options: Test, workspace: &Workspace) -> Result<ExitCode> {
    npm::require_node().await?;
    for folder in [workspace.azurite(), workspace.test_clients(), workspace.dashboard()] {
        npm::install(&folder).await?;
    }
    browser::require().await?;
    check_dashboard(workspace).await?;
    say!("building the static handler for the package's tests");
    toolchain::static_handler(workspace).await?;
    super::fuzz::briefly(workspace).await?;
    run_tests(&options.arguments, workspace).await
}

async fn check_dashboard(workspace: &Workspace) -> Result<()> {
    let folder = workspace.dashboard();
    for script in ["check", "test"] {
        say!("dashboard: npm run {script}");
        npm::script(&folder, script).await?;
    }
    npm::dashboard(workspace).await?;
    npm::client_module(workspace).await
}

async fn run_tests(arguments: &[String], workspace: &Workspace) -> Result<ExitCode> {
    let mut test = toolchain::cargo(workspace);
    test.args(["test", "--workspace"]).args(arguments);
    let ended = process::status(test).await.context("cargo could not be run")?;
    Ok(ExitCode::from(shell_code(ended)))
}

/// The exit code in a shell: the program's own, or 128 plus the signal that ended it.
pub(super) fn shell_code(ended: ExitStatus) -> u8 {
    let code = ended.code().or_else(|| ended.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_and_signals_pass_through() {
        assert_eq!(shell_code(ExitStatus::from_raw(101 << 8)), 101);
        assert_eq!(shell_code(ExitStatus::from_raw(0)), 0);
        assert_eq!(shell_code(ExitStatus::from_raw(9)), 137);
    }
}
