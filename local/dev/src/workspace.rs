//! The paths of the checkout that this command was built from.

use std::path::{Path, PathBuf};

pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
}

impl Workspace {
    /// `cargo dev` always runs from its checkout, so the path from compile time is right.
    pub(crate) fn find() -> Workspace {
        let package = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = package.ancestors().nth(2).expect("the package is two folders below the root");
        Workspace { root: root.to_path_buf() }
    }

    pub(crate) fn dashboard(&self) -> PathBuf {
        self.root.join("dashboard")
    }

    pub(crate) fn azurite(&self) -> PathBuf {
        self.root.join("local/azurite")
    }

    pub(crate) fn test_clients(&self) -> PathBuf {
        self.root.join("tests/clients")
    }

    /// The default data folder of `up`.
    pub(crate) fn default_data(&self) -> PathBuf {
        self.root.join(".fieldcast")
    }
}

/// `path` for messages: relative if it is below the current folder.
pub(crate) fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(below) if !below.as_os_str().is_empty() => below.display().to_string(),
        _ => path.display().to_string(),
    }
}
