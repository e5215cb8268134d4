//! The `cargo dev` command: everything that a developer runs by hand or in CI.

mod commands;

mod arguments;
mod browser;
mod connection_string;
mod device;
mod elf;
mod fleet;
mod lock;
mod npm;
mod ports;
mod process;
mod sas;
mod settings;
mod signals;
mod stage;
mod text;
mod toolchain;
mod workspace;
mod zipfile;

use std::process::ExitCode;

use clap::Parser;

use tokio::runtime::Runtime;

fn main() -> ExitCode {
    let cli = match commands::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return arguments::refused(&error),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("no threads can be started")),
    };
    let code = runtime.block_on(commands::run(cli.command)).unwrap_or_else(|error| failed(&error));
    // A read from the terminal or a wait for a lock may be unfinished; it ends with the process.
    runtime.shutdown_background();
    code
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("{}", text::one_line(error));
    ExitCode::FAILURE
}
