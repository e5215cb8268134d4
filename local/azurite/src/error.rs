//! Why Azurite could not be installed or started.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::package::VERSION;

/// An Azurite that could not be installed or started.
#[derive(Debug, thiserror::Error)]
pub enum AzuriteError {
    /// A program of Node.js (20 or later) is not on the search path.
    #[error("cannot run `{program}`: Node.js 20 or later is needed for Azurite")]
    NodeMissing {
        /// The missing program: `node` or `npm`.
        program: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The pinned version is not in `node_modules`.
    #[error("azurite {} is not installed: run `cargo dev test`, or `npm ci` in {}", VERSION, .folder.display())]
    NotInstalled {
        /// The folder that holds `package.json`.
        folder: PathBuf,
    },
    /// `npm ci` failed.
    #[error("`npm ci` failed in {}:\n{output}", .folder.display())]
    InstallFailed {
        /// The folder that holds `package.json`.
        folder: PathBuf,
        /// What npm printed.
        output: String,
    },
    /// Azurite ended before it listened.
    #[error("azurite ended before it listened; it printed:\n{output}")]
    Ended {
        /// Its last lines.
        output: String,
    },
    /// Azurite did not listen within its time limit.
    #[error("azurite did not listen within {} s; it printed:\n{output}", .waited.as_secs())]
    TooSlow {
        /// The time limit.
        waited: Duration,
        /// Its last lines.
        output: String,
    },
}
