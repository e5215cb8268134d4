//! Starts a real Azurite (Table Storage emulator, from npm) for tests and the local stack.
//!
//! The package is pinned in `package.json` beside this crate and has to be installed once with [`install`]
//! (or `npm ci` in that folder). Each [`Azurite`] is a process of its own on a free loopback port, so that
//! tests can run in parallel; it ends when the value is dropped, and also when the process that started it
//! dies.

mod install;
mod output;
mod process;

pub use install::install;
pub use process::Azurite;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why Azurite could not be installed or started.
#[derive(Debug, thiserror::Error)]
pub enum AzuriteError {
    /// A program of Node.js (20 or later) is not on the search path.
    #[error("cannot run `{program}`: Node.js 20 or later is needed for Azurite")]
    NodeMissing {
        /// The program that was wanted: `node` or `npm`.
        program: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The pinned version is not in `node_modules`.
    #[error("azurite {} is not installed: run `cargo dev test`, or `npm ci` in {}", install::VERSION, .folder.display())]
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
    /// Azurite was still not listening after the time it is given.
    #[error("azurite did not listen within {} s; it printed:\n{output}", .waited.as_secs())]
    TooSlow {
        /// How long it was waited for.
        waited: Duration,
        /// Its last lines.
        output: String,
    },
}
