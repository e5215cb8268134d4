//! Checks whether the npm package is installed, and installs it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::AzuriteError;
use crate::package::{VERSION, folder};

/// Runs `npm ci` unless the pinned version is already there.
///
/// # Errors
/// [`AzuriteError::NodeMissing`] without npm, [`AzuriteError::InstallFailed`] with what npm printed.
pub fn install() -> Result<(), AzuriteError> {
    if entry_point(folder()).is_ok() {
        return Ok(());
    }
    let run = Command::new(NPM).arg("ci").current_dir(folder()).stdin(Stdio::null()).output();
    let output = run.map_err(|source| AzuriteError::NodeMissing { program: "npm", source })?;
    if output.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(AzuriteError::InstallFailed { folder: folder().to_owned(), output })
}

/// On Windows npm is a batch file, which is found only by its full name.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// The script that runs the table service, if the pinned version is completely installed.
pub(crate) fn entry_point(folder: &Path) -> Result<PathBuf, AzuriteError> {
    let package = folder.join("node_modules/azurite");
    // npm writes this file last, so it exists only after a complete installation.
    let is_complete = folder.join("node_modules/.package-lock.json").exists();
    if is_complete && has_pinned_version(&package).unwrap_or(false) {
        return Ok(package.join("dist/src/table/main.js"));
    }
    Err(AzuriteError::NotInstalled { folder: folder.to_owned() })
}

fn has_pinned_version(package: &Path) -> io::Result<bool> {
    let manifest = fs::read_to_string(package.join("package.json"))?;
    Ok(manifest.contains(&format!("\"version\": \"{VERSION}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_package_says_what_to_run() {
        let empty = tempfile::tempdir().unwrap();
        let error = entry_point(empty.path()).unwrap_err().to_string();
        assert!(error.contains("npm ci") && error.contains("cargo dev test"), "{error}");
    }

    #[test]
    fn half_installed_package_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let package = folder.path().join("node_modules/azurite");
        fs::create_dir_all(&package).unwrap();
        fs::write(package.join("package.json"), format!("{{\n  \"version\": \"{VERSION}\"\n}}")).unwrap();
        assert!(entry_point(folder.path()).is_err());
        fs::write(folder.path().join("node_modules/.package-lock.json"), "{}").unwrap();
        assert!(entry_point(folder.path()).is_ok());
    }
}
