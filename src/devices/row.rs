//! Device state as a row of the table `DeviceState`: plain columns for people and other programs, and the packed ledger. The
//! one place that knows these columns. Pure.

mod cells;
mod old;

use fieldcast_tables::{Entity, Stored, Value};

pub use self::cells::RowError;
use self::cells::{bytes, count, flag, text, time, whole};
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
pub(super) const RARELY_CHANGED: [&str; 6] =
    ["DeviceId", "Module", "Component", "Geo", "Schema", OLD_WATERMARKS.0];

/// Columns that are not measurements, beside the ledger.
const PLAIN: [&str; 8] = ["DeviceId", "Module", "Component", "Geo", "Id", "Count", "Schema", "ReportedAt"];

/// The columns of a state's row, each once. The newest values have the state's stamp; only older ones are listed with their
/// own.
pub fn columns(state: &DeviceState, catalogue: &Catalogue) -> Vec<(String, Value)> {
    let mut row = Vec::with_capacity(PLAIN.len() + 1 + state.values.len());
    let mut older: Vec<(&str, &Stamp)> = Vec::new();
    let newest = state.measured.as_ref();
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
        ("DeviceId".to_owned(), Value::String(state.device.device().into_owned())),
        ("Count".to_owned(), Value::Int64(state.count)),
        ("Schema".to_owned(), Value::Int64(SCHEMA)),
        (OLD_WATERMARKS.0.to_owned(), Value::String(OLD_WATERMARKS.1.to_owned())),
        (ledger::COLUMN.to_owned(), Value::Binary(ledger::pack(state, &older))),
    ]);
    for (column, part) in [("Module", state.device.module()), ("Component", state.device.component())] {
        row.extend(part.map(|name| (column.to_owned(), Value::String(name.into_owned()))));
    }
    let reported = |stamp: &Stamp| ("ReportedAt".to_owned(), Value::DateTime(stamp.at.to_text()));
    row.extend(state.reported.as_ref().map(reported));
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
    let ledger = ledger_of(row)?;
    let count = count_of(row)?;
    let partition = ledger.reported_by.clone().unwrap_or_else(HubPartition::unknown);
    let reported = Stamp { at: time(row, "ReportedAt").unwrap_or(written_at), partition };
    let newest = ledger.measured.clone().unwrap_or_else(|| reported.clone());
    let stamp_of = |column: &str| match ledger.older.iter().find(|(older, _)| older == column) {
        Some((_, stamp)) => stamp.clone(),
        None => newest.clone(),
    };
    let text = |column: &str| {
        let value = row.get(column).and_then(text)?;
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
        reported: (count > 0).then(|| reported.clone()),
        measured: (count > 0).then(|| newest.clone()),
        changed_at: ledger.changed_at,
        watermarks: ledger.watermarks,
        verdicts: ledger.verdicts,
        write_id: ledger.write_id,
        calibration: ledger.calibration,
    })
}

/// Columns whose cell holds something that is not read, and that count as empty: values, texts and the time of the newest
/// reading, which is then that of the last write. What exactness needs is not among them.
pub(super) fn unread<'a>(row: &'a Entity, catalogue: &'a Catalogue) -> impl Iterator<Item = &'a str> {
    let is_unread =
        |column: &str, is_read: fn(&Value) -> bool| row.get(column).is_some_and(|value| !is_read(value));
    let is_unread_value = |measurement: &&Measurement| {
        row.get(&measurement.column).is_some_and(|value| measured(measurement.kind, value).is_none())
    };
    let values = catalogue.measurements().iter().filter(is_unread_value);
    let values = values.map(|measurement| measurement.column.as_str());
    let texts =
        ["Geo", "Id"].into_iter().filter(move |column| is_unread(column, |value| text(value).is_some()));
    let times =
        ["ReportedAt"].into_iter().filter(|column| row.get(column).is_some() && time(row, column).is_none());
    values.chain(texts).chain(times)
}

/// Readings that were counted. Only the Python predecessor's rows may be without the column.
fn count_of(row: &Entity) -> Result<i64, RowError> {
    match count(row, "Count")? {
        Some(count) => Ok(count),
        None if schema_of(row)? <= 1 && !is_current(row) && !old::is_one(row) => Ok(0),
        None => Err(RowError::new("Count", "it is missing".to_owned())),
    }
}

fn schema_of(row: &Entity) -> Result<i64, RowError> {
    let unreadable = || RowError::new("Schema", "it is not a whole number".to_owned());
    row.get("Schema").map_or(Ok(0), |value| whole(value).ok_or_else(unreadable))
}

/// A measured value as a cell.
fn cell(value: &Measured) -> Value {
    match value {
        Measured::Number(number) => Value::Double(*number),
        Measured::Text(text) => Value::String(text.to_string()),
        Measured::Flag(flag) => Value::Bool(*flag),
    }
}

/// The measured value in a cell, from any type that holds one of the measurement's kind.
fn measured(kind: Kind, cell: &Value) -> Option<Measured> {
    match kind {
        Kind::Number => cell.as_f64().map(Measured::Number),
        Kind::Text => text(cell).map(|text| Measured::Text(text.into())),
        Kind::Flag => flag(cell).map(Measured::Flag),
    }
}

/// The row's ledger. A row of this version without one is damaged: its watermarks have gone.
fn ledger_of(row: &Entity) -> Result<Ledger, RowError> {
    let damaged = |problem: String| RowError::new(ledger::COLUMN, problem);
    match row.get(ledger::COLUMN) {
        Some(value) => {
            let bytes = bytes(value).ok_or_else(|| damaged("it is neither binary nor base64".to_owned()))?;
            ledger::unpack(&bytes).map_err(|error| damaged(error.to_string()))
        }
        None if schema_of(row)? >= SCHEMA => Err(damaged("it is missing".to_owned())),
        None => old::ledger(row),
    }
}

#[cfg(test)]
mod tests;
