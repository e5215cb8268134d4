//! `cargo dev bench --quick` runs every system in every environment, and each does all of its work.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{app::path, program};

const ENVIRONMENTS: [&str; 4] = ["azurite", "azurite-delayed", "stub", "stub-delayed"];

/// A warm batch of 24 readings of 12 devices: the storage and SignalR requests that each peer makes.
const PEERS: [(&str, u64, u64); 4] = [
    ("node-best", 1, 1),
    ("node-sdk-transactions", 1, 1),
    ("node-idiomatic", 2 * 12, 1),
    ("python-predecessor", 2 * 24, 12),
];

/// The command itself checks in the tables that no reading is lost, before it counts a cell as measured.
#[test]
fn every_system_does_its_work_in_every_environment() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (json, markdown) = (folder.path().join("bench.json"), folder.path().join("bench.md"));
    let ended = program::run(&["bench", "--quick", "--json", path(&json), "--markdown", path(&markdown)]);
    assert_eq!(ended.code, Some(0), "{}{}", ended.stdout, ended.stderr);

    let report: Value = serde_json::from_slice(&fs::read(json)?)?;
    assert!(report["machine"]["cores"].is_u64() && report["handler_start_ms"].is_f64(), "{report}");
    for environment in ENVIRONMENTS {
        for (system, storage, signalr) in PEERS {
            let measured = warm(&report, environment, system)?;
            assert_eq!(measured["storage_requests"], storage, "{environment}, {system}: {measured}");
            assert_eq!(measured["signalr_requests"], signalr, "{environment}, {system}: {measured}");
        }
        assert_eq!(warm(&report, environment, "fieldcast")?["signalr_requests"], 1, "{environment}");
    }
    assert_eq!(
        remembering(&report),
        ["fieldcast"].into_iter().chain(PEERS.map(|(name, ..)| name)).collect::<Vec<_>>()
    );
    assert!(fs::read_to_string(markdown)?.contains("| 24 of 12, warm"));
    Ok(())
}

/// The systems whose memory was measured, after batches of the host's size.
fn remembering(report: &Value) -> Vec<&str> {
    let memory = report["memory"].as_array().into_iter().flatten();
    let measured = memory.filter(|memory| {
        memory["devices"] == 12
            && memory["largest_batch"] == 1_000
            && memory["outcome"]["measured"]["resident_bytes"].is_u64()
    });
    measured.filter_map(|memory| memory["system"].as_str()).collect()
}

fn warm<'a>(report: &'a Value, environment: &str, system: &str) -> Result<&'a Value> {
    let wanted = |cell: &&Value| {
        cell["environment"] == environment
            && cell["system"] == system
            && cell["temperature"] == "warm"
            && cell["events"] == 24
    };
    let cells = report["cells"].as_array().context("there are cells")?;
    let cell = cells.iter().find(wanted).with_context(|| format!("{environment}, {system} is not there"))?;
    cell["outcome"]
        .get("measured")
        .with_context(|| format!("{environment}, {system} was not measured: {cell}"))
}

#[test]
fn quick_and_full_exclude_each_other() {
    let ended = program::run(&["bench", "--quick", "--full"]);
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}
