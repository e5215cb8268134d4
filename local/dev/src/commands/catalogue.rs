//! `cargo dev catalogue check`: what a body becomes with a catalogue, before a device is set up to send it.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use fieldcast::telemetry::{
    body::{self, Found, Reading},
    catalogue::Catalogue,
};

use crate::text::say;

#[derive(Args)]
pub(crate) struct CatalogueOptions {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Read a body as the app would, and print the readings or why there are none
    Check(Check),
}

#[derive(Args)]
struct Check {
    /// The catalogue, such as telemetry.json [default: the built-in one]
    file: Option<PathBuf>,
    /// The body of a message, or @file
    #[arg(long, value_name = "BODY")]
    body: String,
    /// The device that the hub would name
    #[arg(long, value_name = "ID", default_value = "device-1")]
    device: String,
    /// What the message says of itself: utf-16, gzip, ...
    #[arg(long, value_name = "CONTENT-ENCODING")]
    encoding: Option<String>,
}

/// Fails where something would be rejected, so that a script can tell.
pub(crate) fn run(options: CatalogueOptions) -> Result<ExitCode> {
    let Action::Check(options) = options.action;
    let catalogue = match &options.file {
        Some(file) => {
            let json =
                fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
            Catalogue::parse(&json).with_context(|| format!("{} is no catalogue", file.display()))?
        }
        None => Catalogue::environment(),
    };
    let body = match options.body.strip_prefix('@') {
        Some(file) => fs::read(file).with_context(|| format!("{file} cannot be read"))?,
        None => options.body.into_bytes(),
    };
    let found = body::read(&body, options.encoding.as_deref(), Some(&options.device), &catalogue);
    let mut is_counted = true;
    for (number, found) in found.iter().enumerate() {
        is_counted &= print(number + 1, found, &catalogue);
    }
    Ok(if is_counted { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints what became of one object; true where it would be counted.
fn print(number: usize, found: &Found, catalogue: &Catalogue) -> bool {
    let reading = match &found.outcome {
        Ok(reading) => reading,
        Err(rejection) => {
            say!("{number}: rejected as {}: {}", rejection.reason.code(), rejection.detail);
            return false;
        }
    };
    let problem =
        reading.raw.iter().find_map(|(at, value)| catalogue.measurements()[*at].problem_with(value));
    match &problem {
        Some(problem) => say!("{number}: rejected as out_of_range, if no calibration changes it: {problem}"),
        None => say!("{number}: a reading of {}", reading.device),
    }
    print_fields(reading, catalogue);
    problem.is_none()
}

fn print_fields(reading: &Reading, catalogue: &Catalogue) {
    for (at, value) in &reading.raw {
        let measurement = &catalogue.measurements()[*at];
        let value = format!("{value} {}", measurement.unit);
        say!("   {:<16} {}", measurement.name, value.trim_end());
    }
    for (name, text) in [("geo", &reading.geo), ("message id", &reading.message_id)] {
        if let Some(text) = text {
            say!("   {name:<16} {text}");
        }
    }
    match (reading.measured_at, reading.clock_ignored) {
        (Some(time), _) => say!("   {:<16} {}", "measured at", time.to_text()),
        (None, true) => say!("   {:<16} ignored: its time is none from 2000 to 2100", "measured at"),
        (None, false) => {}
    }
}
