//! A Chromium for the tests of the dashboard: an installed one, or the package of Debian.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use tokio::process::Command;

use crate::{
    process::{self, Output},
    text::say,
    toolchain,
};

const PROGRAMS: [&str; 5] =
    ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"];
const MACOS: &str = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome";

/// The installed Chromium or Chrome.
pub(crate) fn find() -> Option<PathBuf> {
    let on_macos = Path::new(MACOS).is_file().then(|| MACOS.into());
    PROGRAMS.iter().find_map(|program| toolchain::on_path(program)).or(on_macos)
}

/// Finds a Chromium, or installs one if there is a package manager and the user may use it.
pub(crate) async fn require() -> Result<PathBuf> {
    if let Some(found) = find() {
        return Ok(found);
    }
    if may_install() {
        say!("installing chromium with apt-get");
        apt_get(&["update"]).await?;
        apt_get(&["install", "--yes", "--no-install-recommends", "chromium"]).await?;
    }
    match find() {
        Some(found) => Ok(found),
        None => bail!(
            "no Chromium or Chrome is installed, which the dashboard's tests need: install the package `chromium`"
        ),
    }
}

fn may_install() -> bool {
    rustix::process::geteuid().is_root() && toolchain::on_path("apt-get").is_some()
}

async fn apt_get(arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    process::run(command, Output::OnlyOnFailure, &format!("`apt-get {}`", arguments.join(" "))).await
}
