//! Rules of the house as tests: what may depend on what, who may read the environment, how files open.

mod circles;
mod functions;
mod panics;
mod purity;

mod imports;
mod modules;
mod repository;
mod tokens;
mod typescript;

use std::process::Command;

use self::repository::{SOURCES, files, read, root};

fn tree(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal,build", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder of the repository, as `cargo tree` writes where packages lie.
fn folder(name: &str) -> String {
    root().join(name).join("").display().to_string()
}

#[test]
fn the_deployed_binary_links_nothing_from_local() {
    let tree = tree("fieldcast");
    assert!(tree.contains("fieldcast-tables"));
    assert!(!tree.contains(&folder("local")), "{tree}");
    for banned in ["azure_data_tables ", "openssl ", "native-tls "] {
        assert!(!tree.lines().any(|line| line.starts_with(banned)), "{banned}: {tree}");
    }
}

#[test]
fn stand_ins_share_no_code_with_what_they_stand_in_for() {
    for package in ["fieldcast-functions-host", "fieldcast-iot-hub", "fieldcast-signalr-service"] {
        let tree = tree(package);
        assert!(!tree.contains(&folder("crates")) && !tree.contains("fieldcast v"), "{package}: {tree}");
    }
}

#[test]
fn every_file_opens_with_what_it_is() {
    for path in SOURCES.into_iter().flat_map(|folder| files(folder, ".rs")) {
        assert!(read(&path).starts_with("//! "), "{} has no opening sentence", path.display());
    }
}

#[test]
fn only_the_settings_module_reads_the_environment() {
    for path in files("src", ".rs") {
        let reads = read(&path).contains("env::var");
        assert_eq!(reads, path.ends_with("src/settings.rs"), "{}", path.display());
    }
}

#[test]
fn no_file_is_called_mod_rs() {
    for path in SOURCES.into_iter().flat_map(|folder| files(folder, ".rs")) {
        assert!(!path.ends_with("mod.rs"), "{}: a module's file bears its name", path.display());
    }
}

#[test]
fn nothing_is_ignored_or_left_for_later() {
    let marks =
        [["#[", "ignore"].concat(), ["todo", "!("].concat(), ["FIX", "ME"].concat(), ["TO", "DO"].concat()];
    for path in SOURCES.into_iter().flat_map(|folder| files(folder, ".rs")) {
        let text = read(&path);
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{} contains {mark}", path.display());
        }
    }
}

#[test]
fn principal_headers_are_read_in_one_place() {
    for path in files("src", ".rs") {
        let is_test = path.ends_with("tests.rs");
        let reads = !is_test && read(&path).contains("x-ms-client-principal");
        assert_eq!(reads, path.ends_with("src/host/callers.rs"), "{}", path.display());
    }
}

#[test]
fn rooms_know_nothing_of_the_app_that_puts_them_together() {
    for path in files("src", ".rs") {
        let text = read(&path);
        let names_it = text.contains("crate::app::") || text.contains("use crate::app");
        assert!(!names_it, "{} depends on src/app.rs", path.display());
    }
}

#[test]
fn every_function_is_documented() {
    let readme = read(&root().join("README.md"));
    for path in files(".", "function.json") {
        let name = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(readme.contains(&name), "README.md does not mention {name}");
    }
}
