//! The commands of `cargo dev`, one file each. They end when a signal arrives.

mod bench;
mod catalogue;
mod doctor;
mod fuzz;
mod package;
mod rejected;
mod reshard;
mod send;
mod simulate;
mod state;
mod storage;
mod test;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{signals::Signals, workspace::Workspace};

#[derive(Parser)]
#[command(name = "cargo dev", bin_name = "cargo dev", about = "Run, test and package fieldcast", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine: hub, SignalR, Functions host, handler, dashboard and a simulated fleet
    Up(up::Up),
    /// Send one reading as a device would, to the local hub or to a real IoT Hub
    Send(send::Send),
    /// Set up what the tests need, check the dashboard, fuzz for 20 seconds, then run every test
    Test(test::Test),
    /// Build the static handler and lay out the Functions app, as a folder and as a zip
    Package(package::Package),
    /// Move the device rows of a stopped app to another number of table partitions (PartitionShards)
    ///
    /// Stop every app that uses the storage first. If the command is interrupted, run it again: it goes on where it
    /// stopped, and until it has ended no app starts on the half-moved rows. At the end it compares the number of rows
    /// and of readings with those at the beginning. Then set PartitionShards to the new number and start the app.
    Reshard(reshard::Reshard),
    /// Print a device's row unpacked, for people
    State(state::State),
    /// List rejected telemetry with its reasons, newest first, or export it with the bytes that were sent
    Rejected(rejected::Rejected),
    /// Say what a body would become with a catalogue of measurements
    Catalogue(catalogue::CatalogueOptions),
    /// Measure the pipeline beside other handlers, and start time and size, and judge the budgets
    Bench(bench::Bench),
    /// Run the real handler in simulated worlds where everything goes wrong, and check that nothing is counted twice
    #[command(disable_help_flag = true)]
    Simulate(simulate::Simulate),
    /// Look for input that the parsers cannot take, starting from the corpus in fuzz/corpus
    Fuzz(fuzz::Fuzz),
    /// Say what is installed, what is missing and how to get it
    Doctor(doctor::Doctor),
}

/// When a signal arrives, `up` stops its parts in order. Every other command is dropped, which ends the programs it
/// started.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    let workspace = Workspace::find();
    let mut signals = Signals::listen()?;
    if let Command::Up(options) = command {
        return up::run(options, &workspace, &mut signals).await;
    }
    tokio::select! {
        outcome = run_to_the_end(command, &workspace) => outcome,
        code = signals.next() => Ok(code),
    }
}

async fn run_to_the_end(command: Command, workspace: &Workspace) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(_) => unreachable!("run hands `up` its signals"),
        Command::Send(options) => send::run(options, workspace).await,
        Command::Test(options) => test::run(options, workspace).await,
        Command::Package(options) => package::run(options, workspace).await,
        Command::Reshard(options) => reshard::run(options, workspace).await,
        Command::State(options) => state::run(options, workspace).await,
        Command::Rejected(options) => rejected::run(options, workspace).await,
        Command::Catalogue(options) => catalogue::run(options),
        Command::Bench(options) => bench::run(options, workspace).await,
        Command::Simulate(options) => simulate::run(options, workspace).await,
        Command::Fuzz(options) => fuzz::run(options, workspace).await,
        Command::Doctor(options) => doctor::run(options, workspace).await,
    }
}
