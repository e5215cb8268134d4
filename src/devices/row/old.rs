//! Rows of version 0.1.0 and of the Python predecessor: what their columns say as a ledger. The predecessor has none of
//! them, which means that nothing is known of the stream yet.

use std::collections::BTreeMap;

use fieldcast_tables::{Entity, Value};
use serde::Deserialize;

use super::cells::{RowError, time};
use crate::devices::ledger::Ledger;
use crate::devices::state::{Mark, Stamp, WriteId};
use crate::devices::verdicts::{OldVerdicts, Verdicts};
use crate::primitives::ids::Partition;
use crate::primitives::instant::Millis;

/// What version 0.1.0 kept in columns of their own, and this version in the ledger.
pub(super) const COLUMNS: [&str; 8] = [
    "CalibrationVersion",
    "ChangedAt",
    "OlderValues",
    "RefusedReadings",
    "ReportedBy",
    "Version",
    "Watermarks",
    "WriteId",
];

/// Milliseconds and partition of a value.
type OldStamp = (i64, String);
/// Sequence number and latest time of a partition.
type OldMark = (i64, i64);

/// The ledger of a row that has none.
pub(super) fn ledger(row: &Entity) -> Result<Ledger, RowError> {
    let text = |column: &str| row.get(column).and_then(Value::as_str);
    let older: BTreeMap<String, OldStamp> = json(row, "OlderValues")?;
    let marks: BTreeMap<String, OldMark> = json(row, "Watermarks")?;
    let stamp =
        |(at, partition): OldStamp| Stamp { at: Millis(at), partition: Partition::from_stored(&partition) };
    let mark = |(partition, (sequence, at)): (String, OldMark)| {
        (Partition::from_stored(&partition), Mark { sequence, enqueued_at: None, at: Millis(at) })
    };
    let rejected: OldVerdicts = json(row, "RefusedReadings")?;
    let verdicts =
        Verdicts::from_old(&rejected).map_err(|error| RowError::new("RefusedReadings", error.to_string()))?;
    Ok(Ledger {
        version: row.get("Version").and_then(Value::as_i64).unwrap_or(0),
        // Whoever wrote it has ended: the new version is a new process.
        write_id: WriteId::default(),
        calibration: text("CalibrationVersion").unwrap_or_default().to_owned(),
        reported_by: text("ReportedBy").map(Partition::from_stored),
        changed_at: time(row, "ChangedAt"),
        marks: marks.into_iter().map(mark).collect(),
        older: older.into_iter().map(|(column, older)| (column, stamp(older))).collect(),
        verdicts,
    })
}

/// A column that holds JSON; absent means empty. Damage here is an error and not "empty": forgetting a watermark would
/// count readings twice.
fn json<T: Default + for<'de> Deserialize<'de>>(row: &Entity, column: &'static str) -> Result<T, RowError> {
    match row.get(column) {
        None => Ok(T::default()),
        Some(value) => {
            let text = value.as_str().unwrap_or_default();
            serde_json::from_str(text).map_err(|error| RowError::new(column, error.to_string()))
        }
    }
}
