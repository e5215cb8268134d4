//! Builds the handler with the cargo that runs this command.

use std::{ffi::OsStr, io::IsTerminal, path::PathBuf};

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use tokio::process::Command;

use crate::{process, workspace::Workspace};

#[derive(Clone, Copy)]
pub(crate) enum Profile {
    Debug,
    Release,
}

/// Builds the handler for this machine and returns its path.
pub(crate) async fn handler(workspace: &Workspace, profile: Profile) -> Result<PathBuf> {
    let mut build = build_command(workspace);
    if let Profile::Release = profile {
        build.arg("--release");
    }
    built(build).await
}

/// A static program that takes its random numbers from the system call. As it stands, `getrandom` looks for that call
/// among dynamic symbols, of which a static program has none, and then needs `/dev/urandom`.
const STATIC: [&str; 2] = ["-Ctarget-feature=+crt-static", "--cfg=getrandom_backend=\"linux_getrandom\""];

/// Builds the handler as it is deployed: optimised and static, so that it runs on any Linux, with or without a C
/// library. Its own target folder keeps the different flags from invalidating the other builds.
pub(crate) async fn static_handler(workspace: &Workspace) -> Result<PathBuf> {
    let triple = gnu_triple()?;
    let mut build = build_command(workspace);
    build.args(["--release", "--target", triple, "--target-dir"]);
    build.arg(target_folder(workspace).await?.join("package"));
    build.env_remove("CARGO_ENCODED_RUSTFLAGS");
    build.env("RUSTFLAGS", STATIC.join(" "));
    built(build).await
}

/// Builds this command with optimisations, for measurements that depend on its speed.
pub(crate) async fn optimised_dev(workspace: &Workspace) -> Result<PathBuf> {
    let mut build = cargo(workspace);
    build.args(["build", "--package", "fieldcast-dev", "--profile", "bench-tool"]);
    told_in_json(&mut build);
    built(build).await
}

/// Flags that make the compiler instrument the code: the fuzzer sees which edges an input covers and which values are
/// compared. The pass is part of LLVM and of every stable toolchain.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];

/// The built fuzz targets.
pub(crate) struct Fuzzers(PathBuf);

impl Fuzzers {
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// Builds the fuzz targets. Naming the target triple keeps build scripts and macros free of the instrumentation.
pub(crate) async fn fuzzers(workspace: &Workspace) -> Result<Fuzzers> {
    if on_path("g++").is_none() && on_path("c++").is_none() {
        bail!(
            "libFuzzer is C++ and there is no compiler for it: install g++, for example with `apt-get install g++`"
        );
    }
    let (triple, folder) = (gnu_triple()?, target_folder(workspace).await?.join("fuzz"));
    let mut build = cargo(workspace);
    build.args(["build", "--package", "fieldcast-fuzz", "--features", "libfuzzer", "--profile", "fuzz"]);
    build.args(["--bins", "--quiet", "--target", triple, "--target-dir"]).arg(&folder);
    build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", COVERAGE.join(" "));
    process::run(build, process::Output::Shown, "building the fuzzers").await?;
    Ok(Fuzzers(folder.join(triple).join("fuzz")))
}

fn gnu_triple() -> Result<&'static str> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok("x86_64-unknown-linux-gnu"),
        ("linux", "aarch64") => Ok("aarch64-unknown-linux-gnu"),
        (system, machine) => bail!(
            "this needs a Linux program, which this machine ({system} on {machine}) cannot build: run it on Linux, for example \
             in WSL or a container"
        ),
    }
}

/// The cargo that runs this command, as if the developer had called it. `cargo run` describes its package in the
/// environment; build scripts that read these variables (ring's does) would see a change and build everything again,
/// and once more at the developer's next cargo command.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(&workspace.root);
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        command.env_remove(name);
    }
    command
}

fn describes_a_package(variable: &OsStr) -> bool {
    let Some(variable) = variable.to_str() else { return false };
    ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|prefix| variable.starts_with(prefix))
}

fn build_command(workspace: &Workspace) -> Command {
    let mut build = cargo(workspace);
    build.args(["build", "--package", "fieldcast", "--bin", "fieldcast"]);
    told_in_json(&mut build);
    build
}

/// Makes the output contain the path of the program.
fn told_in_json(build: &mut Command) {
    build.args(["--message-format", "json-render-diagnostics"]);
    if !std::io::stderr().is_terminal() {
        build.arg("--quiet");
    }
}

#[derive(Deserialize)]
struct Artifact {
    executable: Option<PathBuf>,
}

async fn built(build: Command) -> Result<PathBuf> {
    let messages = process::printed(build).await.context("cargo could not be run")?;
    let Some(messages) = messages else {
        bail!("the program did not build: cargo's own words are above");
    };
    let mut executables =
        messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok()?.executable);
    executables.next_back().context("cargo built the program but did not say where it is")
}

#[derive(Deserialize)]
struct CargoMetadata {
    target_directory: PathBuf,
}

/// The folder of cargo's output, which the user's configuration can change.
pub(crate) async fn target_folder(workspace: &Workspace) -> Result<PathBuf> {
    let mut ask = cargo(workspace);
    ask.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let answer = process::captured(ask).await.context("`cargo metadata` failed")?;
    let metadata: CargoMetadata =
        serde_json::from_str(&answer).context("`cargo metadata` gave no target folder")?;
    Ok(metadata.target_directory)
}

/// The file that a shell would run for `program`.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_package_is_kept_from_cargo() {
        assert!(describes_a_package(OsStr::new("CARGO_PKG_NAME")));
        assert!(describes_a_package(OsStr::new("CARGO_MANIFEST_DIR")));
        assert!(!describes_a_package(OsStr::new("CARGO_HOME")));
        assert!(!describes_a_package(OsStr::new("CARGO_TARGET_DIR")));
    }
}
