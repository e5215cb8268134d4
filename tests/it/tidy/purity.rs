//! The pure modules do no input or output, and read neither clock nor dice: time and random numbers are given to them.

use super::imports;
use super::repository::{files, read, relative, root};
use super::tokens::{tokens, without_tests};

/// Modules that are pure: a file, a folder, or both. `src/name` is `src/name.rs` with all that lies in `src/name/`.
const PURE: [&str; 29] = [
    "src/devices/fold",
    "src/devices/ledger",
    "src/devices/rarely_changed",
    "src/devices/row",
    "src/devices/state",
    "src/devices/verdicts",
    "src/host/callers",
    "src/host/envelope",
    "src/host/host_json",
    "src/host/routes",
    "src/ingestion/backoff",
    "src/ingestion/changes",
    "src/ingestion/draft",
    "src/ingestion/readings",
    "src/ingestion/rejections",
    "src/primitives",
    "src/rejected/body",
    "src/rejected/elements",
    "src/rejected/key",
    "src/rejected/reading",
    "src/rejected/row",
    "src/screens/groups",
    "src/screens/subscriptions/wanted",
    "src/store/reshard/copy",
    "src/store/shard",
    "src/telemetry/body",
    "src/telemetry/calibration",
    "src/telemetry/catalogue",
    "crates/signalr/src/retry",
];

/// Files in the folders above that are not pure, each with the reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("src/telemetry/calibration/cache.rs", "reads the clock: it holds calibrations for a time"),
    ("src/telemetry/calibration/source.rs", "reads the calibrations"),
];

/// What a pure module does not name: whole segments of paths in imports and in code.
const FORBIDDEN: [&str; 9] = [
    "Instant::now",
    "SystemTime::now",
    "Timestamp::now",
    "rand",
    "reqwest",
    "std::fs",
    "std::net",
    "std::thread",
    "tokio",
];

#[test]
fn the_pure_modules_do_no_io_and_read_no_clock() {
    let is_exception = |path: &String| EXCEPTIONS.iter().any(|(exception, _)| exception == path);
    for path in PURE.into_iter().flat_map(module_files).filter(|path| !is_exception(path)) {
        let found = impurities(&read(&root().join(&path)));
        assert!(found.is_empty(), "{path} uses {}", found.join(", "));
    }
}

#[test]
fn every_exception_is_one() {
    for (path, reason) in EXCEPTIONS {
        assert!(
            PURE.into_iter().flat_map(module_files).any(|file| file == path),
            "{path} is not on the list"
        );
        assert!(!impurities(&read(&root().join(path))).is_empty(), "{path} is pure, but it \"{reason}\"");
    }
}

/// The files of one entry of the list, tests aside.
fn module_files(module: &str) -> Vec<String> {
    let (folder, _) = module.rsplit_once('/').unwrap();
    let file = format!("{module}.rs");
    let below = format!("{module}/");
    let all = files(folder, ".rs").into_iter().map(|path| relative(&path));
    let found: Vec<String> = all
        .filter(|path| *path == file || path.starts_with(&below))
        .filter(|path| !path.ends_with("/tests.rs"))
        .collect();
    assert!(!found.is_empty(), "neither {file} nor {below} is there");
    found
}

/// The forbidden names that a file uses outside its tests.
fn impurities(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let (code, _) = without_tests(tokens(text));
    let mut modules = vec![imports::read(&code)];
    while let Some(module) = modules.pop() {
        let imported = module.imports.iter().map(|import| &import.path);
        for path in module.paths.iter().chain(imported) {
            let name = path.segments.join("::");
            if FORBIDDEN.iter().any(|forbidden| format!("::{name}::").contains(&format!("::{forbidden}::"))) {
                found.push(format!("{name} (line {})", path.line));
            }
        }
        modules.extend(module.children.into_iter().filter_map(|child| child.block));
    }
    found
}

#[test]
fn imports_and_paths_are_looked_at_and_tests_are_not() {
    let text = "use std::{fs, io};
        use strand::tokio_like;
        mod block { fn now() -> Instant { std::time::Instant::now() } }
        // rand::rng()
        #[cfg(test)]
        mod tests { use rand::rng; }";
    assert_eq!(impurities(text), ["std::fs (line 1)", "std::time::Instant::now (line 3)"]);
}
