//! `cargo dev simulate`: builds the page's client module and the simulation that runs it. The simulation is a separate
//! program because it contains the whole handler.

use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Args;

use super::test::shell_code;
use crate::{npm, process, toolchain, workspace::Workspace};

#[derive(Args)]
pub(crate) struct Simulate {
    /// Such as `--seeds 1000`, `--seed-start 5000`, `--seed 42` or `--without watermark`; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

pub(crate) async fn run(options: Simulate, workspace: &Workspace) -> Result<ExitCode> {
    npm::client_module(workspace).await?;
    let mut simulation = toolchain::cargo(workspace);
    simulation.args(["run", "--quiet", "--package", "fieldcast-simulation", "--"]).args(options.arguments);
    let ended = process::status(simulation).await.context("cargo could not be run")?;
    Ok(ExitCode::from(shell_code(ended)))
}
