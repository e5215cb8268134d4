//! Rules of the house as tests: what may depend on what, who may read the environment, how files open.

use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Files of the repository below a folder, by extension.
fn files(folder: &str, extension: &str) -> Vec<PathBuf> {
    let output = Command::new("git")
        .args(["ls-files", "-co", "--exclude-standard", folder])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let wanted = |name: &&str| name.ends_with(extension) && root().join(name).exists();
    let found: Vec<PathBuf> = text.lines().filter(wanted).map(|name| root().join(name)).collect();
    assert!(!found.is_empty(), "no {extension} files below {folder}");
    found
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn tree(package: &str) -> String {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal,build", "--prefix", "none", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_deployed_binary_links_nothing_from_local() {
    let tree = tree("fieldcast");
    assert!(tree.contains("fieldcast-tables"));
    assert!(!tree.contains("/local/"), "{tree}");
    for banned in ["azure_data_tables ", "openssl ", "native-tls "] {
        assert!(!tree.lines().any(|line| line.starts_with(banned)), "{banned}: {tree}");
    }
}

#[test]
fn stand_ins_share_no_code_with_what_they_stand_in_for() {
    for package in ["fieldcast-functions-host", "fieldcast-iot-hub", "fieldcast-signalr-service"] {
        let tree = tree(package);
        assert!(!tree.contains("/crates/") && !tree.contains("fieldcast v"), "{package}: {tree}");
    }
}

#[test]
fn every_file_opens_with_what_it_is() {
    for path in
        ["src", "crates", "fuzz", "local", "tests"].into_iter().flat_map(|folder| files(folder, ".rs"))
    {
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
fn the_pure_modules_do_no_io_and_read_no_clock() {
    let pure = [
        "devices/fold",
        "devices/row",
        "devices/state",
        "devices/verdicts",
        "host/envelope",
        "ingestion/backoff",
        "primitives/ids",
        "primitives/instant",
        "rejected/refusal",
        "screens/groups",
        "store/shard",
        "telemetry/body",
        "telemetry/calibration",
        "telemetry/catalogue",
    ];
    for name in pure {
        let text = read(&root().join(format!("src/{name}.rs")));
        for forbidden in ["std::fs", "reqwest", "Instant::now", "SystemTime::now", "rand::"] {
            assert!(!text.contains(forbidden), "src/{name}.rs uses {forbidden}");
        }
    }
}

#[test]
fn nothing_is_ignored_or_left_for_later() {
    let marks =
        [["#[", "ignore"].concat(), ["todo", "!("].concat(), ["FIX", "ME"].concat(), ["TO", "DO"].concat()];
    for path in
        ["src", "crates", "fuzz", "local", "tests"].into_iter().flat_map(|folder| files(folder, ".rs"))
    {
        let text = read(&path);
        for mark in &marks {
            assert!(!text.contains(mark.as_str()), "{} contains {mark}", path.display());
        }
    }
}

#[test]
fn every_function_of_the_app_folder_is_documented_and_served() {
    let readme = read(&root().join("README.md"));
    let routes = read(&root().join("src/app.rs"));
    for path in files(".", "function.json") {
        let name = path.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
        assert!(readme.contains(&name), "README.md does not mention {name}");
        assert!(routes.contains(&format!("/{name}\"")), "no route for {name}");
    }
}
