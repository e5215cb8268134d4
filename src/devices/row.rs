//! Device state as a row of the table `DeviceState`: plain columns for people and other programs, and the packed ledger. The
//! one place that knows these columns. Pure.

mod cells;
mod old;

use fieldcast_tables::{Entity, Stored, Value};

pub use self::cells::RowError;
use self::cells::time;
use super::ledger::{self, Ledger};
use super::state::{DeviceState, Latest, Stamp};
use crate::primitives::ids::{DeviceId, HubPartition};
use crate::primitives::instant::Millis;
use crate::telemetry::catalogue::{Catalogue, Kind, Measurement};
use crate::telemetry::measured::Measured;

/// The layout that this version writes. The Python predecessor wrote 1, version 0.1.0 wrote 2: both without a ledger.
const SCHEMA: i64 = 3;

/// Where version 0.1.0 kept the watermarks. A process of that version which is still running must take the row for damaged,
/// and not for one of which nothing is known: it would count again what is counted.
const OLD_WATERMARKS: (&str, &str) = ("Watermarks", "see Ledger");

/// Columns that hardly ever change. A write leaves out those that the row holds already.
pub(super) const RARELY_CHANGED: [&str; 4] = ["DeviceId", "Geo", "Schema", OLD_WATERMARKS.0];

/// Columns that are not measurements, beside the ledger.
const PLAIN: [&str; 6] = ["DeviceId", "Geo", "Id", "Count", "Schema", "ReportedAt"];

/// The columns of a state's row, each once. Values that arrived with the newest reading have its stamp; only older ones
/// are listed with their own.
pub fn columns(state: &DeviceState, catalogue: &Catalogue) -> Vec<(String, Value)> {
    let mut row = Vec::with_capacity(PLAIN.len() + 1 + state.values.len());
    let mut older: Vec<(&str, &Stamp)> = Vec::new();
    let newest = state.reported.as_ref();
    for (measurement, value) in catalogue.measurements().iter().zip(&state.values) {
        let Some(latest) = value else { continue };
        note_older(&mut older, newest, &measurement.column, &latest.stamp);
        row.push((measurement.column.clone(), cell(&latest.value)));
    }
    for (column, text) in [("Geo", &state.geo), ("Id", &state.message_id)] {
        let Some(latest) = text else { continue };
        note_older(&mut older, newest, column, &latest.stamp);
        row.push((column.to_owned(), Value::String(latest.value.clone())));
    }
    row.extend([
        ("DeviceId".to_owned(), Value::String(state.device.to_string())),
        ("Count".to_owned(), Value::Int64(state.count)),
        ("Schema".to_owned(), Value::Int64(SCHEMA)),
        (OLD_WATERMARKS.0.to_owned(), Value::String(OLD_WATERMARKS.1.to_owned())),
        (ledger::COLUMN.to_owned(), Value::Binary(ledger::pack(state, &older))),
    ]);
    let reported = |stamp: &Stamp| ("ReportedAt".to_owned(), Value::DateTime(stamp.at.to_text()));
    row.extend(newest.map(reported));
    row
}

fn note_older<'a>(
    older: &mut Vec<(&'a str, &'a Stamp)>,
    newest: Option<&Stamp>,
    column: &'a str,
    stamp: &'a Stamp,
) {
    if Some(stamp) != newest {
        older.push((column, stamp));
    }
}

/// Whether the row was written by this version, so that a write may leave out what it holds already.
pub(super) fn is_current(row: &Entity) -> bool {
    row.get(ledger::COLUMN).is_some()
}

/// Columns that neither this version nor an earlier one wrote; a row that is written anew keeps them.
pub(super) fn columns_of_others(row: &Entity, catalogue: &Catalogue) -> Vec<(String, Value)> {
    let is_measured = |name: &str| catalogue.measurements().iter().any(|entry| entry.column == name);
    let is_ours = |name: &str| {
        PLAIN.contains(&name) || name == ledger::COLUMN || old::COLUMNS.contains(&name) || is_measured(name)
    };
    let others = row.properties().filter(|(name, _)| !is_ours(name));
    others.map(|(name, value)| (name.to_owned(), value.clone())).collect()
}

/// The state that a row holds, whichever version wrote it.
///
/// # Errors
/// [`RowError`] when what exactness needs cannot be read: nothing may be counted over it.
pub fn state(device: DeviceId, stored: &Stored, catalogue: &Catalogue) -> Result<DeviceState, RowError> {
    let row = &stored.entity;
    let written_at = stored.timestamp.as_deref().and_then(Millis::parse).unwrap_or_default();
    let count = row.get("Count").and_then(Value::as_i64).unwrap_or(0);
    let ledger = ledger_of(row)?;
    let partition = ledger.reported_by.clone().unwrap_or_else(HubPartition::unknown);
    let newest = Stamp { at: time(row, "ReportedAt").unwrap_or(written_at), partition };
    let stamp_of = |column: &str| match ledger.older.iter().find(|(older, _)| older == column) {
        Some((_, stamp)) => stamp.clone(),
        None => newest.clone(),
    };
    let text = |column: &str| {
        let value = row.get(column).and_then(Value::as_str)?.to_owned();
        Some(Latest { value, stamp: stamp_of(column) })
    };
    let value = |measurement: &Measurement| {
        let value = measured(measurement.kind, row.get(&measurement.column)?)?;
        Some(Latest { value, stamp: stamp_of(&measurement.column) })
    };
    Ok(DeviceState {
        device,
        geo: text("Geo"),
        message_id: text("Id"),
        values: catalogue.measurements().iter().map(value).collect(),
        count,
        version: ledger.version,
        // A row without readings was written for its verdicts; the predecessor's rows have some.
        reported: (count > 0).then(|| newest.clone()),
        changed_at: ledger.changed_at,
        watermarks: ledger.watermarks,
        verdicts: ledger.verdicts,
        write_id: ledger.write_id,
        calibration: ledger.calibration,
    })
}

/// A measured value as a cell.
fn cell(value: &Measured) -> Value {
    match value {
        Measured::Number(number) => Value::Double(*number),
        Measured::Text(text) => Value::String(text.to_string()),
        Measured::Flag(flag) => Value::Bool(*flag),
    }
}

/// The measured value in a cell, which has to be of the measurement's kind.
fn measured(kind: Kind, cell: &Value) -> Option<Measured> {
    match (kind, cell) {
        (Kind::Number, cell) => cell.as_f64().map(Measured::Number),
        (Kind::Text, cell) => cell.as_str().map(Measured::from),
        (Kind::Flag, Value::Bool(flag)) => Some(Measured::Flag(*flag)),
        (Kind::Flag, _) => None,
    }
}

/// The row's ledger. A row of this version without one is damaged: its watermarks have gone.
fn ledger_of(row: &Entity) -> Result<Ledger, RowError> {
    let damaged = |problem: String| RowError::new(ledger::COLUMN, problem);
    let schema = row.get("Schema").and_then(Value::as_i64).unwrap_or(0);
    match row.get(ledger::COLUMN) {
        Some(Value::Binary(bytes)) => ledger::unpack(bytes).map_err(|error| damaged(error.to_string())),
        Some(_) => Err(damaged("it is not binary".to_owned())),
        None if schema >= SCHEMA => Err(damaged("it is missing".to_owned())),
        None => old::ledger(row),
    }
}

#[cfg(test)]
mod tests;
