//! The systems that are compared: fieldcast and its peers, and the installation of what they need.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::process::Command;

use crate::{
    npm,
    process::{self, Output},
    text::{self, say},
    toolchain,
    workspace::{Workspace, shown},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum System {
    Fieldcast,
    /// Writes the wire format by hand.
    NodeBest,
    /// The fastest that uses Microsoft's SDK.
    NodeSdkTransactions,
    NodeIdiomatic,
    PythonPredecessor,
}

impl System {
    pub(super) const ALL: [System; 5] = [
        System::Fieldcast,
        System::NodeBest,
        System::NodeSdkTransactions,
        System::NodeIdiomatic,
        System::PythonPredecessor,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            System::Fieldcast => "fieldcast",
            System::NodeBest => "node-best",
            System::NodeSdkTransactions => "node-sdk-transactions",
            System::NodeIdiomatic => "node-idiomatic",
            System::PythonPredecessor => "python-predecessor",
        }
    }
}

/// A system that is ready to be started.
pub(super) struct Candidate {
    pub(super) system: System,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<PathBuf>,
}

/// Installs what the systems need. A peer that cannot be installed is left out with a message. Without fieldcast
/// there is nothing to compare.
pub(super) async fn prepare(
    systems: &[System],
    fieldcast: &Path,
    workspace: &Workspace,
) -> Result<Vec<Candidate>> {
    let peers = workspace.root.join("benches/peers");
    let mut ready = Vec::new();
    for &system in systems {
        let peer = peers.join(system.name());
        let candidate = match system {
            System::Fieldcast => Ok((fieldcast.to_path_buf(), Vec::new())),
            System::NodeBest => Ok(node(&peer)),
            // Both use the packages of one folder.
            System::NodeSdkTransactions | System::NodeIdiomatic => {
                npm::install(&peers.join(System::NodeIdiomatic.name())).await.map(|()| node(&peer))
            }
            System::PythonPredecessor => python(&peer, workspace).await,
        };
        match candidate {
            Ok((program, arguments)) => ready.push(Candidate { system, program, arguments }),
            Err(error) => say!("{} is left out: {}", system.name(), text::one_line(&error)),
        }
    }
    Ok(ready)
}

type Runnable = (PathBuf, Vec<PathBuf>);

fn node(peer: &Path) -> Runnable {
    ("node".into(), vec![peer.join("handler.js")])
}

/// A virtual environment for the peer, which is created again when its requirements change.
async fn python(peer: &Path, workspace: &Workspace) -> Result<Runnable> {
    let requirements = peer.join("requirements.txt");
    let wanted =
        std::fs::read(&requirements).with_context(|| format!("{} is missing", shown(&requirements)))?;
    let environment = toolchain::target_folder(workspace).await?.join("bench/python");
    let installed = environment.join("installed.txt");
    let python = environment.join("bin/python");
    if std::fs::read(&installed).ok().as_ref() != Some(&wanted) {
        say!("installing the Python packages of {}", shown(peer));
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&environment);
        let remedy = "`python3 -m venv` (install Python 3.9 or newer with venv)";
        process::run(make, Output::OnlyOnFailure, remedy).await?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
        install.arg(&requirements);
        process::run(install, Output::OnlyOnFailure, "`pip install` of the Python peer").await?;
        // Written last, so that it exists only after a complete installation.
        std::fs::write(&installed, wanted)
            .with_context(|| format!("{} cannot be written", shown(&installed)))?;
    }
    Ok((python, vec![peer.join("handler.py")]))
}
