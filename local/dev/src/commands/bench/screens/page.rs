//! What the dashboard costs the browser while a large fleet reports: `tests/clients/page-bench.mjs` measures the real page in
//! Chromium, and says what the figures mean.

use anyhow::{Context, Result};
use fieldcast_test_clients::find_chromium;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::super::{cell::Plan, start::Milliseconds};
use crate::{npm, process, workspace::Workspace};

pub(super) const DEVICES: u64 = 10_000;
const UPDATES_PER_SECOND: u64 = 1_000;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Page {
    pub(in super::super) seconds: u64,
    pub(in super::super) devices: u64,
    /// Device states per second.
    pub(in super::super) updates_applied: u64,
    /// In the document.
    pub(in super::super) rows: u64,
    pub(in super::super) script_ms: PerFrame,
    /// Per second.
    pub(in super::super) frames: f64,
    pub(in super::super) long_tasks: LongTasks,
    #[serde(rename = "memoryMB")]
    pub(in super::super) memory_mb: Memory,
}

/// Scripting from one frame to the next.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct PerFrame {
    pub(in super::super) median: Milliseconds,
    pub(in super::super) p99: Milliseconds,
    pub(in super::super) longest: Milliseconds,
}

/// Over 50 ms.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct LongTasks {
    pub(in super::super) count: u64,
    pub(in super::super) longest: Milliseconds,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct Memory {
    pub(in super::super) start: Held,
    pub(in super::super) end: Held,
}

/// After a garbage collection.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct Held {
    pub(in super::super) heap: f64,
    pub(in super::super) buffers: f64,
}

pub(super) async fn measure(plan: &Plan, workspace: &Workspace) -> Result<Page> {
    let clients = workspace.test_clients();
    npm::install(&clients).await?;
    let dashboard = npm::dashboard(workspace).await?;
    let mut bench = Command::new("node");
    bench.arg(clients.join("page-bench.mjs")).arg(dashboard).arg(find_chromium()?);
    bench.args([plan.watched.as_secs(), DEVICES, UPDATES_PER_SECOND].map(|number| number.to_string()));
    let told = process::printed(bench).await.context("the bench of the page could not be run")?;
    let told = told.context("the bench of the page failed: its own words are above")?;
    serde_json::from_str(&told).context("the bench of the page told something else than figures")
}
