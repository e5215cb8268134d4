//! The repository's own files, as git lists them.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folders with Rust sources.
pub(super) const SOURCES: [&str; 6] = ["benches", "crates", "fuzz", "local", "src", "tests"];

pub(super) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the repository below a folder, by the end of their name.
pub(super) fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard", folder])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let wanted = |name: &&str| name.ends_with(end) && root().join(name).exists();
    let found: Vec<PathBuf> = text.lines().filter(wanted).map(|name| root().join(name)).collect();
    assert!(!found.is_empty(), "no {end} files below {folder}");
    found
}

pub(super) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The path within the repository, with `/`.
pub(super) fn relative(path: &Path) -> String {
    let path = path.strip_prefix(root()).unwrap();
    path.to_str().unwrap().replace('\\', "/")
}
