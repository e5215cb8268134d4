//! `cargo dev test` reports what is missing before it does anything.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::program::{self, Ended};

fn run_with_path(folder: &Path) -> Ended {
    let mut command = program::command(&["test"]);
    command.env("PATH", folder);
    program::finish(command)
}

fn install(folder: &Path, name: &str, words: &str) {
    let program = folder.join(name);
    fs::write(&program, format!("#!/bin/sh\necho {words}\n")).expect("the folder is ours");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("the file is ours");
}

#[test]
fn a_missing_or_old_node_is_one_clear_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let ended = run_with_path(folder.path());
    assert!(ended.complaint().starts_with("Node.js is not installed: install Node.js"), "{}", ended.stderr);

    install(folder.path(), "node", "v18.20.8");
    let ended = run_with_path(folder.path());
    assert!(ended.complaint().starts_with("Node.js 18.20.8 is too old: install Node.js"), "{}", ended.stderr);

    install(folder.path(), "node", "v22.1.0");
    let ended = run_with_path(folder.path());
    assert!(ended.complaint().starts_with("npm is not installed: install"), "{}", ended.stderr);
}
