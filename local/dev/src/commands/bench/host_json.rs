//! What the app's `host.json` says about batches.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::workspace::Workspace;

/// The most events that the host puts into one invocation.
pub(super) fn largest_batch(workspace: &Workspace) -> Result<usize> {
    let text = fs::read(workspace.root.join("host.json")).context("host.json cannot be read")?;
    let settings: Value = serde_json::from_slice(&text).context("host.json is not JSON")?;
    let size = settings.pointer("/extensions/eventHubs/maxEventBatchSize").and_then(Value::as_u64);
    let size = size.context("host.json does not say extensions.eventHubs.maxEventBatchSize")?;
    Ok(usize::try_from(size)?)
}
