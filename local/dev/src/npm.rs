//! Node and npm: checks the version of Node, installs the packages of a folder, and builds the dashboard.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::SystemTime,
};

use anyhow::{Context, Result, bail};
use tokio::process::Command;

use crate::{
    process::{self, Output},
    text::say,
    workspace::{Workspace, shown},
};

/// The oldest Node that Vite 7 runs on, major and minor. Azurite needs less.
const OLDEST_NODE: (u32, u32) = (20, 19);
/// How to get Node and npm.
pub(crate) const REMEDY: &str =
    "install Node.js 20.19 or newer with npm, from https://nodejs.org or your package manager";

/// Fails unless Node is new enough and npm is there.
pub(crate) async fn require_node() -> Result<()> {
    let Some(version) = version_of("node").await else {
        bail!("Node.js is not installed: {REMEDY}");
    };
    if !new_enough(&version) {
        bail!("Node.js {version} is too old: {REMEDY}");
    }
    if version_of("npm").await.is_none() {
        bail!("npm is not installed: {REMEDY}");
    }
    Ok(())
}

/// The version that `program --version` prints: its first word that holds a digit, without a leading `v`.
pub(crate) async fn version_of(program: &str) -> Option<String> {
    let mut ask = Command::new(program);
    ask.arg("--version");
    let words = process::captured(ask).await?;
    let version = words.split_whitespace().find(|word| word.contains(|c: char| c.is_ascii_digit()))?;
    Some(version.trim_start_matches('v').to_owned())
}

pub(crate) fn new_enough(version: &str) -> bool {
    let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    version >= OLDEST_NODE
}

/// Runs `npm ci` in `folder` when its lock file is not the one that was installed last.
pub(crate) async fn install(folder: &Path) -> Result<()> {
    if installed(folder) {
        return Ok(());
    }
    require_node().await?;
    let _lock = FolderLock::take(folder).await?;
    if installed(folder) {
        return Ok(());
    }
    say!("installing the npm packages of {}", shown(folder));
    let mut ci = npm(folder);
    ci.args(["ci", "--no-audit", "--no-fund"]);
    process::run(ci, Output::OnlyOnFailure, &format!("`npm ci` in {}", shown(folder))).await
}

/// npm writes its own lock file into `node_modules` last. If that is newer than the folder's lock file, the folder's
/// packages are completely installed.
pub(crate) fn installed(folder: &Path) -> bool {
    let wanted = modified(&folder.join("package-lock.json"));
    let installed = modified(&folder.join("node_modules/.package-lock.json"));
    matches!((wanted, installed), (Ok(wanted), Ok(installed)) if wanted <= installed)
}

/// Runs a script of `folder`'s package.json with its output shown.
pub(crate) async fn script(folder: &Path, name: &str) -> Result<()> {
    let mut script = npm(folder);
    script.args(["run", "--silent", name]);
    process::run(script, Output::Shown, &format!("`npm run {name}` in {}", shown(folder))).await
}

fn npm(folder: &Path) -> Command {
    let mut npm = Command::new("npm");
    npm.current_dir(folder);
    npm
}

/// Builds the dashboard when its sources are newer than its output. Returns the folder to serve.
pub(crate) async fn dashboard(workspace: &Workspace) -> Result<PathBuf> {
    build(workspace, "build", "dist/index.html", "the dashboard").await?;
    Ok(workspace.dashboard().join("dist"))
}

/// Builds the dashboard's client module for Node when its sources are newer.
pub(crate) async fn client_module(workspace: &Workspace) -> Result<()> {
    build(workspace, "build:node", "dist-node/convergence.js", "the client module for Node").await
}

/// Runs a script of the dashboard when the sources are newer than its output.
async fn build(workspace: &Workspace, script: &str, output: &str, what: &str) -> Result<()> {
    let folder = workspace.dashboard();
    if built(&folder, output) {
        return Ok(());
    }
    require_node().await?;
    install(&folder).await?;
    let _lock = FolderLock::take(&folder).await?;
    if !built(&folder, output) {
        say!("building {what}");
        let mut build = npm(&folder);
        build.args(["run", "--silent", script]);
        process::run(build, Output::OnlyOnFailure, &format!("building {what}")).await?;
    }
    Ok(())
}

fn built(dashboard: &Path, output: &str) -> bool {
    let Ok(output) = modified(&dashboard.join(output)) else {
        return false;
    };
    newest_source(dashboard).is_some_and(|source| source <= output)
}

/// The time of the newest file below `folder`, without packages and output.
fn newest_source(folder: &Path) -> Option<SystemTime> {
    const NOT_SOURCES: [&str; 3] = ["node_modules", "dist", "dist-node"];
    let entries = fs::read_dir(folder).ok()?.flatten();
    let sources = entries.filter(|entry| !NOT_SOURCES.iter().any(|name| entry.file_name() == *name));
    let times = sources.filter_map(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => newest_source(&entry.path()),
        _ => modified(&entry.path()).ok(),
    });
    times.max()
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// A lock for writing a folder's packages or output, so that two commands do not write the same files at once.
struct FolderLock {
    _lock: File,
}

impl FolderLock {
    async fn take(folder: &Path) -> Result<FolderLock> {
        let path = folder.join("package.json");
        let lock = File::open(&path).with_context(|| format!("{} cannot be read", shown(&path)))?;
        let waiting = tokio::task::spawn_blocking(move || lock.lock().map(|()| FolderLock { _lock: lock }));
        waiting.await?.with_context(|| format!("{} cannot be locked", shown(&path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_node_that_vite_needs_or_newer_is_accepted() {
        assert!(new_enough("20.19.0"));
        assert!(new_enough("24.1.3"));
        assert!(!new_enough("20.18.9"));
        assert!(!new_enough("18.20.1"));
        assert!(!new_enough("nonsense"));
    }

    const PAGE: &str = "dist/index.html";

    #[test]
    fn a_dashboard_is_built_again_when_a_source_is_newer() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let dashboard = folder.path();
        fs::create_dir_all(dashboard.join("src/deep"))?;
        fs::create_dir_all(dashboard.join("dist"))?;
        fs::write(dashboard.join("src/deep/a.ts"), "")?;
        assert!(!built(dashboard, PAGE));

        fs::write(dashboard.join(PAGE), "")?;
        assert!(built(dashboard, PAGE));
        assert!(!built(dashboard, "dist-node/convergence.js"));

        fs::create_dir(dashboard.join("dist-node"))?;
        touch_later(&written(dashboard.join("dist-node/convergence.js"))?)?;
        assert!(built(dashboard, PAGE), "what was built is no source");

        touch_later(&dashboard.join("src/deep/a.ts"))?;
        assert!(!built(dashboard, PAGE));
        Ok(())
    }

    #[test]
    fn packages_count_as_installed_until_the_lock_file_changes() -> Result<()> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("node_modules"))?;
        fs::write(folder.path().join("package-lock.json"), "")?;
        assert!(!installed(folder.path()));

        fs::write(folder.path().join("node_modules/.package-lock.json"), "")?;
        assert!(installed(folder.path()));

        touch_later(&folder.path().join("package-lock.json"))?;
        assert!(!installed(folder.path()));
        Ok(())
    }

    fn written(file: PathBuf) -> Result<PathBuf> {
        fs::write(&file, "")?;
        Ok(file)
    }

    fn touch_later(file: &Path) -> Result<()> {
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        Ok(File::options().write(true).open(file)?.set_modified(later)?)
    }
}
