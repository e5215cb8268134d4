//! What the dashboard costs the browser while a large fleet reports. `tests/clients/page-bench.mjs` measures the real
//! page in Chromium, and documents the figures.

use anyhow::{Context, Result};
use fieldcast_test_clients::find_chromium;
use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::super::{cell::BenchPlan, statistics::Milliseconds};
use crate::{npm, process, workspace::Workspace};

pub(super) const DEVICES: u64 = 10_000;
const UPDATES_PER_SECOND: u64 = 1_000;

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct PageCost {
    pub(in super::super) seconds: u64,
    pub(in super::super) devices: u64,
    /// Device states per second.
    pub(in super::super) updates_applied: u64,
    /// Rows in the document.
    pub(in super::super) rows: u64,
    pub(in super::super) script_ms: PerFrame,
    /// Frames per second.
    pub(in super::super) frames: f64,
    pub(in super::super) long_tasks: LongTasks,
    #[serde(rename = "memoryMB")]
    pub(in super::super) memory_mb: PageMemory,
}

/// Time in scripts per frame.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct PerFrame {
    pub(in super::super) median: Milliseconds,
    pub(in super::super) p99: Milliseconds,
    pub(in super::super) longest: Milliseconds,
}

/// Tasks of more than 50 ms.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct LongTasks {
    pub(in super::super) count: u64,
    pub(in super::super) longest: Milliseconds,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct PageMemory {
    pub(in super::super) start: MemoryUse,
    pub(in super::super) end: MemoryUse,
}

/// Memory after a garbage collection, in megabytes.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(in super::super) struct MemoryUse {
    pub(in super::super) heap: f64,
    pub(in super::super) buffers: f64,
}

pub(super) async fn measure(plan: &BenchPlan, workspace: &Workspace) -> Result<PageCost> {
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
