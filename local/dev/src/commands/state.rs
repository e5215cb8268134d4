//! `cargo dev state`: a device's row unpacked, for people.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result, bail};
use clap::Args;
use fieldcast::{
    devices::{row, state::DeviceState},
    primitives::ids::DeviceId,
    store::{layout, shard::Shards, tables},
    telemetry::catalogue::Catalogue,
};
use fieldcast_tables::{Deadline, Stored, Table, TableName, Value};

use super::storage::{OpenedStorage, StorageOptions};
use crate::{text::say, workspace::Workspace};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Args)]
pub(crate) struct State {
    /// The device, or device|module|component for a part of one
    device: String,
    #[command(flatten)]
    storage: StorageOptions,
}

pub(crate) async fn run(options: State, workspace: &Workspace) -> Result<ExitCode> {
    let device = DeviceId::of_key_or_name(&options.device)?;
    let catalogue = catalogue(workspace)?;
    let storage = OpenedStorage::open(&options.storage, workspace, PATIENCE).await?;
    let found = find(&storage, &device).await?;
    storage.close().await?;
    let Some(stored) = found else { bail!("there is no row of device {device}") };
    print(&stored, row::state(device, &stored, &catalogue), &catalogue);
    Ok(ExitCode::SUCCESS)
}

/// The catalogue beside host.json, or the built-in one.
fn catalogue(workspace: &Workspace) -> Result<Catalogue> {
    match std::fs::read_to_string(workspace.root.join("telemetry.json")) {
        Ok(json) => Catalogue::parse(&json).context("telemetry.json"),
        Err(_) => Ok(Catalogue::environment()),
    }
}

async fn find(storage: &OpenedStorage, device: &DeviceId) -> Result<Option<Stored>> {
    let table = Table::new(Arc::clone(&storage.tables), TableName::new(tables::DEVICE_STATE)?);
    let deadline = Deadline::after(PATIENCE);
    let shards = layout::recorded_shards(&storage.tables, &storage.partition_key, deadline).await?;
    let shards = Shards::new(&storage.partition_key, shards);
    Ok(table.get(&shards.key(shards.of(device)), device.as_str(), deadline).await?)
}

fn print(stored: &Stored, state: Result<DeviceState, row::RowError>, catalogue: &Catalogue) {
    let row = &stored.entity;
    say!("row {:?} of partition {:?}, etag {}", row.row, row.partition, stored.etag);
    for (name, value) in row.properties() {
        say!("  {name:<16} {}", shown(value));
    }
    let state = match state {
        Ok(state) => state,
        Err(error) => return say!("the row is damaged: {error}; nothing is counted until it is repaired"),
    };
    say!("unpacked:");
    say!("  version          {}", state.version);
    say!(
        "  written by       invocation {:016x}, from arrival {}",
        state.write_id.invocation,
        state.write_id.from
    );
    say!("  calibration      {}", if state.calibration.is_empty() { "none" } else { &state.calibration });
    if let Some(changed_at) = state.changed_at {
        say!("  changed at       {}", changed_at.to_text());
    }
    for (partition, mark) in state.watermarks.iter() {
        let enqueued = mark.enqueued_at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_text());
        say!("  partition {}: events up to {}, enqueued {enqueued}", partition.as_str(), mark.sequence);
    }
    if let Some(newest) = &state.reported {
        say!("  newest reading   {} from {}", newest.at.to_text(), newest.partition.as_str());
    }
    for (measurement, value) in catalogue.measurements().iter().zip(&state.values) {
        if let Some(latest) = value.as_ref().filter(|latest| Some(&latest.stamp) != state.reported.as_ref()) {
            say!("  {} is older: {}", measurement.name, latest.stamp.at.to_text());
        }
    }
    for (partition, sequence, readings) in state.verdicts.listed() {
        say!("  rejected: event {sequence} of {}, readings {readings:?}", partition.as_str());
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) | Value::DateTime(text) | Value::Guid(text) => text.clone(),
        Value::Double(number) => number.to_string(),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Binary(bytes) => format!("{} bytes", bytes.len()),
    }
}
