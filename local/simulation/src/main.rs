//! The program behind `cargo dev simulate`: many seeds, or one with its story; and, when a seed fails, how to see it
//! again and the shortest fault list that still fails.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, ValueEnum};
use fieldcast_simulation::plan::{Fault, plan};
use fieldcast_simulation::workload::Workload;
use fieldcast_simulation::{
    Browser, BrowserError, Counterexample, ENGINE, Explored, Protection, Telling, examine, explore, run,
};

#[derive(Parser)]
#[command(
    name = "cargo dev simulate",
    about = "Run the real handler in simulated worlds where everything goes wrong, and check that nothing is lost or counted twice"
)]
struct Arguments {
    /// How many seeds to run
    #[arg(long, value_name = "N", default_value_t = 1_000, conflicts_with = "seed")]
    seeds: u64,
    /// The first of them
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "seed")]
    seed_start: u64,
    /// Run this seed only and tell its story
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The module that runs the page's code in Node
    #[arg(long, value_name = "FILE", default_value = ENGINE)]
    engine: PathBuf,
    /// Take a protection away and see what the simulation finds
    #[arg(long, value_name = "PROTECTION")]
    without: Option<Protection>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let good = match arguments.seed {
        Some(seed) => tell(&arguments, seed),
        None => run_many(&arguments),
    };
    match good {
        // Without a protection, a broken promise is what was to be seen.
        Ok(good) if good != arguments.without.is_some() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the seeds asked for and says what came of it; true when no promise was broken.
fn run_many(arguments: &Arguments) -> Result<bool, BrowserError> {
    let seeds = arguments.seed_start..arguments.seed_start.saturating_add(arguments.seeds);
    let begun = Instant::now();
    let shows_progress = std::io::stderr().is_terminal();
    let progress = |done: u64| {
        if shows_progress && done.is_multiple_of(20) {
            eprint!("\r{done} of {} seeds", arguments.seeds);
            // Progress that cannot be shown is not missed.
            let _ = std::io::stderr().flush();
        }
    };
    let explored = explore(&arguments.engine, seeds, arguments.without, progress)?;
    if shows_progress {
        eprint!("\r\x1b[K");
    }
    summarise(&explored, begun.elapsed().as_secs_f64());
    match &explored.counterexample {
        Some(found) => report(found, arguments.without),
        None => println!("no promise was broken"),
    }
    Ok(explored.counterexample.is_none())
}

fn summarise(explored: &Explored, seconds: f64) {
    let runs = explored.runs;
    println!("{runs} seeds in {seconds:.1} s");
    for (what, times) in &explored.tally.happened {
        println!("  {times:>9}  {what}");
    }
    println!("faults that took effect:");
    for (kind, times) in &explored.tally.faults {
        println!("  {times:>9}  {kind}");
    }
}

/// Says what was broken, how to see it again, and what is enough to break it.
fn report(found: &Counterexample, without: Option<Protection>) {
    let Counterexample { seed, violation, plan, shortest } = found;
    println!("\nseed {seed} breaks a promise: {violation}");
    println!("  see it again: cargo dev simulate --seed {seed}{}", flag(without));
    println!("  its plan has {} faults, these {} are enough:", plan.len(), shortest.len());
    list(shortest);
}

fn flag(without: Option<Protection>) -> String {
    let name = without.and_then(|without| without.to_possible_value());
    name.map_or_else(String::new, |name| format!(" --without {}", name.get_name()))
}

fn list(faults: &[Fault]) {
    for fault in faults {
        println!("    {fault}");
    }
}

/// Tells the story of a seed; of a failing one, with no more faults than are needed. True when no promise was broken.
fn tell(arguments: &Arguments, seed: u64) -> Result<bool, BrowserError> {
    let (browser, without) = (Browser::open(&arguments.engine)?, arguments.without);
    let found = examine(&browser, seed, without);
    let faults = match &found {
        Some(found) => found.shortest.clone(),
        None => plan(seed, &Workload::of(seed)),
    };
    println!("the story of seed {seed} with these faults:");
    list(&faults);
    for line in run(&browser, seed, &faults, without, Telling::Story).story {
        println!("{line}");
    }
    match &found {
        Some(found) => report(found, without),
        None => println!("no promise was broken"),
    }
    Ok(found.is_none())
}
