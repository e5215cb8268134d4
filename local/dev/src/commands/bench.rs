//! `cargo dev bench`: measures what a batch costs in requests, time, processor and memory, compared with four other
//! handlers that do the same work; how soon the handler answers and how large it is; and how long screens wait. It
//! checks all budgets.

mod backend;
mod budget;
mod cell;
mod contender;
mod delay;
mod figures;
mod handler;
mod host_json;
mod hostile;
mod http1;
mod machine;
mod measure;
mod memory;
mod outcome;
mod proxy;
mod scratch;
mod screens;
mod server;
mod start;
mod statistics;
mod stub;
mod system;
mod table;
mod workload;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

use self::{
    budget::{Budget, Verdict},
    cell::{BenchPlan, Environment},
    figures::{Report, Starts},
    machine::Machine,
    start::Starter,
    system::{Candidate, System},
    table::Style,
};
use crate::{
    npm, process,
    text::{print, say},
    toolchain,
    workspace::Workspace,
};

/// A system that would take longer for one batch is left out of that cell, so that a run takes only minutes.
const LONGEST_BATCH: Duration = Duration::from_secs(8);
/// Longer than any batch.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Args)]
pub(crate) struct Bench {
    /// Also write the figures to this file as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Also write the tables to this file as Markdown
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Only cells whose name contains this, as in `stub/1,000 of 500/warm/fieldcast`, `memory`, `hostile`, `screens` or `start`;
    /// can be repeated
    #[arg(long, value_name = "PART OF A NAME")]
    only: Vec<String>,
    /// Measure the slow cells, too: takes about an hour
    #[arg(long, conflicts_with = "quick")]
    full: bool,
    /// One small round of everything, to see whether it works; no budget is judged
    #[arg(long)]
    quick: bool,
}

pub(crate) async fn run(options: Bench, workspace: &Workspace) -> Result<ExitCode> {
    if cfg!(debug_assertions) && !options.quick {
        return run_optimised(workspace).await;
    }
    let plan = match (options.quick, options.full) {
        (true, _) => BenchPlan::quick(options.only),
        (_, true) => BenchPlan::thorough(options.only, FOREVER),
        _ => BenchPlan::thorough(options.only, LONGEST_BATCH),
    };
    let report = measure(&plan, workspace).await?;
    let budgets = budget::of(&report);
    print(format_args!("\n{}", table::render(&report, &budgets, &plan, Style::Terminal)));
    if let Some(file) = &options.markdown {
        write(file, &table::render(&report, &budgets, &plan, Style::Markdown))?;
    }
    if let Some(file) = &options.json {
        let whole = JsonReport { report: &report, budgets: &budgets };
        write(file, &(serde_json::to_string_pretty(&whole).expect("figures are JSON") + "\n"))?;
    }
    if report.failed() > 0 {
        eprintln!("{} cells failed", report.failed());
        return Ok(ExitCode::FAILURE);
    }
    Ok(if options.quick { ExitCode::SUCCESS } else { verdict(&budgets) })
}

/// The content of the JSON file.
#[derive(Serialize)]
struct JsonReport<'a> {
    #[serde(flatten)]
    report: &'a Report,
    budgets: &'a [Budget],
}

/// The services that handlers are measured with run on the same machine, so they must be fast themselves: this runs
/// an optimised build of the command.
async fn run_optimised(workspace: &Workspace) -> Result<ExitCode> {
    say!("building the optimised bench");
    let program = toolchain::optimised_dev(workspace).await?;
    let mut command = tokio::process::Command::new(program);
    command.args(std::env::args_os().skip(1));
    let status = process::status(command).await.context("the optimised bench could not be run")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

async fn measure(plan: &BenchPlan, workspace: &Workspace) -> Result<Report> {
    npm::require_node().await?;
    npm::install(&workspace.azurite()).await?;
    say!("building the static handler");
    let program = toolchain::static_handler(workspace).await?;
    let candidates = system::prepare(&System::ALL, &program, workspace).await?;
    let starts = match plan.wants_starts() {
        true => Some(measure_starts(&program, plan.starts, workspace).await?),
        false => None,
    };
    let memory = memory::of(&candidates, plan, workspace).await?;
    let hostile = hostile::of(&candidates, plan).await;
    let screens = screens::of(&program, plan, workspace).await;
    let cells = measure_cells(&candidates, plan).await?;
    let program_bytes = fs::metadata(&program).context("the handler cannot be measured")?.len();
    Ok(Report { machine: Machine::this().await, starts, program_bytes, memory, hostile, screens, cells })
}

async fn measure_starts(program: &Path, rounds: usize, workspace: &Workspace) -> Result<Starts> {
    let handler = Starter::handler(program)?;
    let node = Starter::node(&workspace.root.join("benches/peers/node-start/handler.js"))?;
    say!("starting fieldcast and a minimal Node handler, in turn: {rounds} rounds");
    let (handler_start_ms, node_start_ms) = start::medians_in_turn(handler, node, rounds).await?;
    Ok(Starts { rounds, handler_start_ms, node_start_ms, ratio: node_start_ms / handler_start_ms })
}

async fn measure_cells(candidates: &[Candidate], plan: &BenchPlan) -> Result<Vec<figures::Figure>> {
    let mut cells = Vec::new();
    for environment in Environment::ALL {
        cells.extend(measure::environment(environment, candidates, plan).await?);
    }
    Ok(cells)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("{} cannot be written", file.display()))
}

fn verdict(budgets: &[Budget]) -> ExitCode {
    let broken = budgets.iter().filter(|budget| budget.verdict == Verdict::Broken).count();
    if broken == 0 {
        return ExitCode::SUCCESS;
    }
    eprintln!("{broken} of {} budgets are broken", budgets.len());
    ExitCode::FAILURE
}
