//! `cargo dev bench`: how soon the handler answers after its start, beside a minimal Node handler, and how large it is.

mod machine;
mod start;

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use self::{
    machine::Machine,
    start::{Candidate, Milliseconds},
};
use super::package::LARGEST_PROGRAM;
use crate::{
    npm,
    text::{megabytes, say},
    toolchain,
    workspace::Workspace,
};

/// The host gives up on slow starters and every scale-out pays this time; a reader notices nothing below it.
const LONGEST_START: Milliseconds = 50.0;
/// Odd, so that the median is a measured value; enough that two slow starts do not move it.
const ROUNDS: usize = 15;

#[derive(Args)]
pub(crate) struct Bench {
    /// Also write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Serialize)]
struct Figures {
    machine: Machine,
    rounds: usize,
    handler_start_ms: Milliseconds,
    node_start_ms: Milliseconds,
    /// How many times longer Node takes.
    ratio: f64,
    start_budget_ms: Milliseconds,
    program_bytes: u64,
    program_budget_bytes: u64,
}

impl Figures {
    fn within_budgets(&self) -> bool {
        self.handler_start_ms <= self.start_budget_ms && self.program_bytes <= self.program_budget_bytes
    }
}

pub(crate) async fn run(options: Bench, workspace: &Workspace) -> Result<ExitCode> {
    npm::require_node().await?;
    say!("building the static handler");
    let program = toolchain::static_handler(workspace).await?;
    let handler = Candidate::handler(&program)?;
    let node = Candidate::node(&workspace.root.join("benches/peers/node-start/handler.js"))?;
    say!("starting each {ROUNDS} times, in turn");
    let (handler_start, node_start) = start::medians_in_turn(handler, node, ROUNDS).await?;
    let figures = Figures {
        machine: Machine::this().await,
        rounds: ROUNDS,
        handler_start_ms: handler_start,
        node_start_ms: node_start,
        ratio: node_start / handler_start,
        start_budget_ms: LONGEST_START,
        program_bytes: fs::metadata(&program).context("the handler cannot be measured")?.len(),
        program_budget_bytes: LARGEST_PROGRAM,
    };
    print(&figures);
    if let Some(file) = &options.json {
        let json = serde_json::to_string_pretty(&figures).expect("figures are JSON");
        fs::write(file, json + "\n").with_context(|| format!("{} cannot be written", file.display()))?;
    }
    Ok(verdict(&figures))
}

fn print(figures: &Figures) {
    let Figures { machine, .. } = figures;
    say!("");
    say!("machine: {}, {} cores, {}", machine.processor, machine.cores, machine.kernel);
    say!("");
    say!("{:<44} {:>12} {:>12}", "", "measured", "budget");
    row("process start to first answer, fieldcast", &format!("{:.1} ms", figures.handler_start_ms), "50 ms");
    row("the same, minimal Node handler", &format!("{:.1} ms", figures.node_start_ms), "");
    row("Node takes longer by", &format!("{:.1}x", figures.ratio), "");
    row(
        "program size, fieldcast",
        &megabytes(figures.program_bytes),
        &megabytes(figures.program_budget_bytes),
    );
    say!("");
    say!("medians of {} starts each, alternating; no cloud service is reached", figures.rounds);
}

fn row(what: &str, measured: &str, budget: &str) {
    say!("{what:<44} {measured:>12} {budget:>12}");
}

fn verdict(figures: &Figures) -> ExitCode {
    if figures.within_budgets() {
        return ExitCode::SUCCESS;
    }
    eprintln!("a budget is broken");
    ExitCode::FAILURE
}
