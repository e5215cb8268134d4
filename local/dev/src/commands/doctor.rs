//! `cargo dev doctor`: reports what is installed, what is missing, and how to get it. It changes nothing.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Result;
use clap::Args;

use crate::{
    browser, lock, npm, ports, settings, stage,
    text::{self, say},
    toolchain,
    workspace::{Workspace, shown},
};

#[derive(Args)]
pub(crate) struct Doctor {
    /// The data folder to look at [default: .fieldcast in the checkout]
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// One line of the report.
struct Finding {
    what: String,
    found: Result<String, String>,
}

pub(crate) async fn run(options: Doctor, workspace: &Workspace) -> Result<ExitCode> {
    let data = options.data.unwrap_or_else(|| workspace.default_data());
    let mut findings = programs().await;
    findings.extend(packages(workspace));
    findings.extend(app(workspace));
    findings.push(data_folder(&data));
    findings.extend(free_ports(&data));
    for Finding { what, found } in &findings {
        match found {
            Ok(words) => say!("ok   {what:<22} {words}"),
            Err(remedy) => say!("fix  {what:<22} {remedy}"),
        }
    }
    let all_well = findings.iter().all(|finding| finding.found.is_ok());
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn finding(what: &str, found: Result<String, String>) -> Finding {
    Finding { what: what.to_owned(), found }
}

async fn programs() -> Vec<Finding> {
    let cargo = npm::version_of("cargo").await.ok_or("install Rust from https://rustup.rs".to_owned());
    let node = match npm::version_of("node").await {
        Some(version) if npm::new_enough(&version) => Ok(version),
        Some(version) => Err(format!("{version} is too old: {}", npm::REMEDY)),
        None => Err(npm::REMEDY.to_owned()),
    };
    let npm = npm::version_of("npm").await.ok_or("install npm; it comes with Node.js".to_owned());
    let chromium = browser::find().map(|program| program.display().to_string());
    let chromium =
        chromium.ok_or("install the package `chromium`; only `cargo dev test` needs it".to_owned());
    let compiler = toolchain::on_path("cc").map(|program| program.display().to_string());
    let compiler = compiler.ok_or("install gcc, or another C compiler".to_owned());
    vec![
        finding("cargo", cargo),
        finding("C compiler", compiler),
        finding("node", node),
        finding("npm", npm),
        finding("chromium", chromium),
    ]
}

fn packages(workspace: &Workspace) -> Vec<Finding> {
    let folders = [workspace.dashboard(), workspace.azurite(), workspace.test_clients()];
    let look = |folder: &PathBuf| {
        let found = if npm::installed(folder) {
            Ok("installed".to_owned())
        } else {
            Err("`cargo dev test` installs them, or `npm ci` there".to_owned())
        };
        finding(&format!("npm: {}", folder.strip_prefix(&workspace.root).unwrap_or(folder).display()), found)
    };
    folders.iter().map(look).collect()
}

fn app(workspace: &Workspace) -> [Finding; 2] {
    let told = |error| text::one_line(&error);
    let files = stage::app_files(&workspace.root).map(|files| format!("{} files", files.len())).map_err(told);
    let local = settings::overrides(&workspace.root);
    let local = local.map(|values| format!("{} values apply to the local stack", values.len())).map_err(told);
    [finding("functions app", files), finding(settings::FILE, local)]
}

fn data_folder(data: &Path) -> Finding {
    let found = match lock::running(data) {
        Some(running) => format!("{}, in use by process {}", shown(data), running.process),
        None if data.exists() => format!("{}, not in use", shown(data)),
        None => format!("{}, made by the first `cargo dev up`", shown(data)),
    };
    finding("data", Ok(found))
}

/// The ports of `up`. While it runs, it uses them itself.
fn free_ports(data: &Path) -> Vec<Finding> {
    let in_use_by_us = lock::running(data).is_some();
    let look = |(port, flag): (u16, &str)| {
        let found = if ports::is_free(port) {
            Ok("free".to_owned())
        } else if in_use_by_us {
            Ok("in use, `cargo dev up` runs".to_owned())
        } else {
            Err(format!("taken by another program: stop it, or use {flag}"))
        };
        finding(&format!("port {port}"), found)
    };
    super::up::DEFAULT_PORTS.into_iter().map(look).collect()
}
