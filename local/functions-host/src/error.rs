//! Why a host did not start: each variant names what the caller has to change.

use std::{io, net::SocketAddr, path::PathBuf};

use thiserror::Error;

/// Why [`Host::start`](crate::Host::start) failed.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HostError {
    /// A file of the app must be corrected. `file` is relative to the app root.
    #[error("{}: {problem}", file.display())]
    App {
        /// The file at fault.
        file: PathBuf,
        /// The field and what is wrong with it, in one line.
        problem: String,
    },
    /// The app asks for a binding extension that this stand-in does not have.
    #[error(
        "{}: {field} is \"{kind}\", which this stand-in does not have \
         (it has eventHubTrigger, httpTrigger, timerTrigger and http)",
        file.display()
    )]
    UnsupportedBinding {
        /// The `function.json`, relative to the app root.
        file: PathBuf,
        /// The field, e.g. `bindings[0].type`.
        field: String,
        /// The binding type asked for.
        kind: String,
    },
    /// The app has no functions.
    #[error("no function found: {} has no folder with a function.json", app_root.display())]
    NoFunctions {
        /// The folder that was searched.
        app_root: PathBuf,
    },
    /// The address is in use: choose another port or stop the other process.
    #[error("{address} is already in use")]
    PortTaken {
        /// The address that was asked for.
        address: SocketAddr,
    },
    /// The address cannot be listened on for another reason.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The handler program cannot be executed.
    #[error("cannot start the handler {executable:?}: {problem}")]
    Launch {
        /// The resolved path of the program.
        executable: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The handler was started but never became ready.
    #[error("the handler did not become ready: {ending}{}", last_words(errors))]
    HandlerFailed {
        /// How the last attempt ended.
        ending: String,
        /// The last lines it wrote to stderr, at most three.
        errors: Vec<String>,
    },
    /// The folder for checkpoints cannot be used.
    #[error("cannot use the data folder {}", folder.display())]
    Data {
        /// The folder that was asked for.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn last_words(errors: &[String]) -> String {
    if errors.is_empty() { String::new() } else { format!("; its last errors: {}", errors.join(" | ")) }
}
