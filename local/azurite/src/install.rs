//! The npm package in this crate's own folder: where it is, whether it is installed, installing it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::AzuriteError;

/// The version that `package.json` pins: the newest that runs on Node 20.
pub(crate) const VERSION: &str = "3.35.0";

/// The folder that holds `package.json` and `node_modules`.
pub(crate) fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

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

/// On Windows npm is a batch file, which is only found by its whole name.
const NPM: &str = if cfg!(windows) { "npm.cmd" } else { "npm" };

/// The script that runs the table service, if exactly the pinned version is wholly installed.
pub(crate) fn entry_point(folder: &Path) -> Result<PathBuf, AzuriteError> {
    let package = folder.join("node_modules/azurite");
    // npm writes this list last, so its presence means that the installation was not cut short.
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
    fn package_json_pins_the_version_named_here() {
        let manifest = fs::read_to_string(folder().join("package.json")).unwrap();
        assert!(manifest.contains(&format!("\"azurite\": \"{VERSION}\"")), "{manifest}");
    }

    #[test]
    fn lock_file_names_no_registry() {
        let lock = fs::read_to_string(folder().join("package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""));
    }

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
