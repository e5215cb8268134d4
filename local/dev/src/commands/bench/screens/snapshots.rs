//! Measures a handler on the embedded store: the snapshot of all devices, plain and compressed, and the catch-up of
//! those that changed since.

use std::{path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use serde_json::Value;

use super::super::{
    backend::Backend,
    cell::{BenchPlan, Environment},
    handler::{Handler, Settings},
    host_json::largest_batch,
    scratch::Scratch,
    statistics::{Milliseconds, median, milliseconds},
    system::{Candidate, System},
    workload::Shape,
};
use crate::workspace::Workspace;

/// Devices that change between a snapshot and its catch-up.
const CHANGED: u32 = 200;
const PATIENCE: Duration = Duration::from_secs(60);

/// Median times, and sizes on the wire.
#[derive(Clone, Copy, Debug, Serialize)]
pub(in super::super) struct Snapshots {
    pub(in super::super) devices: u32,
    pub(in super::super) rounds: usize,
    pub(in super::super) whole_ms: Milliseconds,
    pub(in super::super) whole_bytes: usize,
    pub(in super::super) compressed_ms: Milliseconds,
    pub(in super::super) compressed_bytes: usize,
    pub(in super::super) changed: u32,
    pub(in super::super) catch_up_ms: Milliseconds,
}

pub(super) async fn measure(program: &Path, plan: &BenchPlan, workspace: &Workspace) -> Result<Snapshots> {
    let signalr = Backend::start(Environment::Stub, plan.known).await?;
    let folder = Scratch::make("snapshots")?;
    let storage = format!("Embedded={}", folder.path().display());
    let settings = Settings { storage, signalr: signalr.settings().signalr };
    let candidate =
        Candidate { system: System::Fieldcast, program: program.to_path_buf(), arguments: Vec::new() };
    let mut handler = Handler::start(&candidate, &settings).await?;
    for batch in plan.known.slices(0, largest_batch(workspace)?) {
        handler.post(&batch, PATIENCE).await?;
    }
    let devices = plan.known.devices;
    // Continues the sequence numbers of the first round.
    let some = Shape { events: CHANGED.min(devices), devices: CHANGED.min(devices) };
    let first = plan.known.events / some.events + 1;
    let (mut whole, mut compressed, mut catch_up) = (Vec::new(), Vec::new(), Vec::new());
    let (mut whole_bytes, mut compressed_bytes) = (0, 0);
    for round in 0..u32::try_from(plan.snapshots)? {
        let (took, reply) = handler.get("/api/getdevicestate", "", PATIENCE).await?;
        let content = reply.content();
        let snapshot: Value = serde_json::from_slice(&content).context("a snapshot is not JSON")?;
        ensure!(count(&snapshot) == Some(devices), "the snapshot does not have {devices} devices");
        whole.push(took);
        whole_bytes = content.len();

        let (took, reply) = handler.get("/api/getdevicestate", "Accept-Encoding: gzip\r\n", PATIENCE).await?;
        compressed.push(took);
        compressed_bytes = reply.content().len();

        handler.post(&some.batch(first + round), PATIENCE).await?;
        let cursor = snapshot["cursor"].as_str().context("the snapshot has no cursor")?;
        let (took, reply) = handler.get(&format!("/api/getdevicestate?since={cursor}"), "", PATIENCE).await?;
        let changed: Value = serde_json::from_slice(&reply.content()).context("a catch-up is not JSON")?;
        ensure!(count(&changed) == Some(some.devices), "the catch-up does not have what changed");
        catch_up.push(took);
    }
    handler.stop().await?;
    let median = |times: &[Duration]| milliseconds(median(times));
    Ok(Snapshots {
        devices,
        rounds: plan.snapshots,
        whole_ms: median(&whole),
        whole_bytes,
        compressed_ms: median(&compressed),
        compressed_bytes,
        changed: some.devices,
        catch_up_ms: median(&catch_up),
    })
}

fn count(snapshot: &Value) -> Option<u32> {
    u32::try_from(snapshot["devices"].as_array()?.len()).ok()
}
