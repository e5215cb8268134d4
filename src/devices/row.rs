//! Device state as a row: columns with typed cells. The one place that knows the columns of `DeviceState`, shared by
//! every durable store, so that an embedded store and Table Storage hold the same thing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::devices::state::{DeviceState, Latest, Mark, Stamp};
use crate::devices::verdicts::{StoredVerdicts, Verdicts};
use crate::primitives::ids::{DeviceId, Partition};
use crate::primitives::instant::Millis;
use crate::telemetry::catalogue::Catalogue;

/// The layout that this version writes. The Python predecessor wrote 1, without the columns that exactness needs.
const SCHEMA: i64 = 2;

/// A typed cell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Cell {
    /// Text.
    Text(String),
    /// A floating-point number.
    Number(f64),
    /// A whole number.
    Whole(i64),
    /// A point in time.
    Time(Millis),
}

/// Columns by name.
pub(crate) type Row = BTreeMap<String, Cell>;

/// The stamp of a value that is older than the row's newest reading: milliseconds and partition.
type StoredStamp = (i64, String);
/// Sequence number and time hull of a partition.
type StoredMark = (i64, i64);

/// The state as a row.
pub(crate) fn to_row(state: &DeviceState, catalogue: &Catalogue) -> Row {
    columns(state, catalogue).into_iter().map(|(column, cell)| (column.to_owned(), cell)).collect()
}

/// The columns of a state's row, each once. Values that arrived with the newest reading have its stamp; only older ones
/// are listed with their own.
pub(crate) fn columns<'a>(state: &'a DeviceState, catalogue: &'a Catalogue) -> Vec<(&'a str, Cell)> {
    /// Columns that are not measurements.
    const FIXED: usize = 15;
    let mut row = Vec::with_capacity(FIXED + state.values.len());
    let mut older: BTreeMap<&str, StoredStamp> = BTreeMap::new();
    let newest = state.reported.as_ref();
    let mut note = |column, stamp: &Stamp| {
        if Some(stamp) != newest {
            older.insert(column, (stamp.at.0, stamp.partition.as_str().to_owned()));
        }
    };
    for (measurement, value) in catalogue.measurements().iter().zip(&state.values) {
        if let Some(latest) = value {
            note(&measurement.column, &latest.stamp);
            row.push((measurement.column.as_str(), Cell::Number(latest.value)));
        }
    }
    for (column, text) in [("Geo", &state.geo), ("Id", &state.message_id)] {
        if let Some(latest) = text {
            note(column, &latest.stamp);
            row.push((column, Cell::Text(latest.value.clone())));
        }
    }
    row.extend([
        ("OlderValues", Cell::Text(json(&older))),
        ("DeviceId", Cell::Text(state.device.to_string())),
        ("Count", Cell::Whole(state.count)),
        ("Version", Cell::Whole(state.version)),
        ("Schema", Cell::Whole(SCHEMA)),
        ("WriteId", Cell::Text(state.write_id.clone())),
        ("CalibrationVersion", Cell::Text(state.calibration.clone())),
        ("Watermarks", Cell::Text(json(&stored_marks(state)))),
        // Written when empty, too: rows are merged, and a column that is left out would stay as it was.
        ("RefusedReadings", Cell::Text(json(&state.verdicts.to_stored()))),
    ]);
    if let Some(stamp) = newest {
        row.push(("ReportedAt", Cell::Time(stamp.at)));
        row.push(("ReportedBy", Cell::Text(stamp.partition.as_str().to_owned())));
    }
    row.extend(state.changed_at.map(|changed_at| ("ChangedAt", Cell::Time(changed_at))));
    row
}

/// The most bytes that the row can take in a transaction, with its keys and everything around it: every character of a
/// text may have to be escaped.
pub(crate) fn most_bytes(state: &DeviceState, catalogue: &Catalogue) -> usize {
    /// Headers of the part, address, and the names and annotations of the fixed columns.
    const FRAME: usize = 2_500;
    /// `"…@odata.type":"Edm.Double","…":-1.2345678901234567e-300,`, and in `OlderValues` `\"…\":[-9223372036854775808,\"…\"],`.
    const VALUE: usize = 120;
    let partitions = || state.marks.keys().map(|partition| partition.as_str().len());
    let longest_partition = partitions().max().unwrap_or_default();
    let value = |column: &str| 3 * column.len() + VALUE + 2 * longest_partition;
    let values: usize = catalogue.measurements().iter().map(|measurement| value(&measurement.column)).sum();
    let text = |text: &Option<Latest<String>>| text.as_ref().map_or(0, |latest| latest.value.len());
    let texts = text(&state.geo) + text(&state.message_id) + 6 * state.device.as_str().len();
    let marks: usize = partitions().map(|partition| partition + 60).sum();
    FRAME + values + 2 * (texts + marks + state.verdicts.stored_length())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("maps of text and numbers are JSON")
}

fn stored_marks(state: &DeviceState) -> BTreeMap<&str, StoredMark> {
    state.marks.iter().map(|(partition, mark)| (partition.as_str(), (mark.sequence, mark.at.0))).collect()
}

/// Why a row is not a device state; the row is somebody else's or damaged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub(crate) struct RowError {
    column: &'static str,
    problem: String,
}

/// The state that a row holds. Rows of the predecessor lack columns; `written_at` (the store's own time stamp) then
/// stands for the time of the last reading.
pub(crate) fn from_row(
    device: DeviceId,
    row: &Row,
    written_at: Millis,
    catalogue: &Catalogue,
) -> Result<DeviceState, RowError> {
    let columns = Columns(row);
    let partition = columns.text("ReportedBy").map_or_else(Partition::unknown, Partition::from_stored);
    let newest = Stamp { at: columns.time("ReportedAt").unwrap_or(written_at), partition };
    let older: BTreeMap<String, StoredStamp> = columns.json("OlderValues")?;
    let stamp_of = |column: &str| match older.get(column) {
        Some((at, partition)) => Stamp { at: Millis(*at), partition: Partition::from_stored(partition) },
        None => newest.clone(),
    };
    let text = |column: &str| {
        columns.text(column).map(|value| Latest { value: value.to_owned(), stamp: stamp_of(column) })
    };
    let value = |column: &str| columns.number(column).map(|value| Latest { value, stamp: stamp_of(column) });
    let count = columns.whole("Count").unwrap_or(0);
    Ok(DeviceState {
        device,
        geo: text("Geo"),
        message_id: text("Id"),
        values: catalogue.measurements().iter().map(|measurement| value(&measurement.column)).collect(),
        count,
        version: columns.whole("Version").unwrap_or(0),
        marks: columns.json::<BTreeMap<String, StoredMark>>("Watermarks")?.iter().map(mark).collect(),
        verdicts: columns.verdicts("RefusedReadings")?,
        write_id: columns.text("WriteId").unwrap_or_default().to_owned(),
        // A row without readings was written for its verdicts; the predecessor's rows have some.
        reported: (count > 0).then_some(newest),
        changed_at: columns.time("ChangedAt"),
        calibration: columns.text("CalibrationVersion").unwrap_or_default().to_owned(),
    })
}

fn mark((partition, &(sequence, at)): (&String, &StoredMark)) -> (Partition, Mark) {
    (Partition::from_stored(partition), Mark { sequence, at: Millis(at) })
}

/// Typed access to a row; a number is a number whatever its stored type, since predecessors differ in that.
struct Columns<'a>(&'a Row);

impl Columns<'_> {
    fn text(&self, column: &str) -> Option<&str> {
        match self.0.get(column)? {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a measurement stored as a whole number is far below 2^53"
    )]
    fn number(&self, column: &str) -> Option<f64> {
        match self.0.get(column)? {
            Cell::Number(number) => Some(*number),
            Cell::Whole(whole) => Some(*whole as f64),
            _ => None,
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "a count stored as a double by a predecessor is a whole number"
    )]
    fn whole(&self, column: &str) -> Option<i64> {
        match self.0.get(column)? {
            Cell::Whole(whole) => Some(*whole),
            Cell::Number(number) => Some(*number as i64),
            _ => None,
        }
    }

    fn time(&self, column: &str) -> Option<Millis> {
        match self.0.get(column)? {
            Cell::Time(time) => Some(*time),
            Cell::Text(text) => Millis::parse(text),
            _ => None,
        }
    }

    fn verdicts(&self, column: &'static str) -> Result<Verdicts, RowError> {
        let stored: StoredVerdicts = self.json(column)?;
        Verdicts::from_stored(&stored).map_err(|error| RowError { column, problem: error.to_string() })
    }

    /// A column that holds JSON; absent means empty. Damage here is an error and not "empty": forgetting a watermark
    /// would count readings twice.
    fn json<T: Default + for<'de> Deserialize<'de>>(&self, column: &'static str) -> Result<T, RowError> {
        match self.text(column) {
            None => Ok(T::default()),
            Some(text) => {
                serde_json::from_str(text).map_err(|error| RowError { column, problem: error.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests;
