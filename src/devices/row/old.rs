//! Rows of version 0.1.0 and of the Python predecessor: what their columns say as a ledger. The predecessor has none of
//! them, which means that nothing is known of the stream yet.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use fieldcast_tables::Entity;
use serde::Deserialize;

use super::cells::{RowError, count, text, time};
use crate::devices::ledger::Ledger;
use crate::devices::state::{Stamp, Watermark, WriteId};
use crate::devices::verdicts::Verdicts;
use crate::primitives::ids::HubPartition;
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
type OldWatermark = (i64, i64);

/// Per partition the sequence numbers of events with rejected readings, and which ones: a bit each, as base64.
type OldVerdicts = BTreeMap<String, Vec<(i64, String)>>;

/// Whether version 0.1.0 wrote the row, or left something of it there.
pub(super) fn is_one(row: &Entity) -> bool {
    COLUMNS.iter().any(|column| row.get(column).is_some())
}

/// The ledger of a row that has none.
pub(super) fn ledger(row: &Entity) -> Result<Ledger, RowError> {
    let text = |column: &str| row.get(column).and_then(text);
    let older: BTreeMap<String, OldStamp> = json(row, "OlderValues")?;
    let watermarks: BTreeMap<String, OldWatermark> = json(row, "Watermarks")?;
    let stamp = |(at, partition): OldStamp| Stamp {
        at: Millis(at),
        partition: HubPartition::from_stored(&partition),
    };
    let mark = |(partition, (sequence, at)): (String, OldWatermark)| {
        (
            HubPartition::from_stored(&partition),
            Watermark { sequence, enqueued_at: None, began: None, at: Millis(at) },
        )
    };
    let verdicts = verdicts(&json(row, "RefusedReadings")?)?;
    Ok(Ledger {
        version: count(row, "Version")?.unwrap_or(0),
        // Whoever wrote it has ended: the new version is a new process.
        write_id: WriteId::default(),
        calibration: text("CalibrationVersion").unwrap_or_default(),
        measured: None,
        reported_by: text("ReportedBy").map(|partition| HubPartition::from_stored(&partition)),
        changed_at: time(row, "ChangedAt"),
        watermarks: watermarks.into_iter().map(mark).collect(),
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

fn verdicts(stored: &OldVerdicts) -> Result<Verdicts, RowError> {
    let mut verdicts = Verdicts::default();
    for (partition, events) in stored {
        for (sequence, bits) in events {
            let damaged = |_| {
                RowError::new("RefusedReadings", format!("the readings of event {sequence} are not base64"))
            };
            let bits = STANDARD_NO_PAD.decode(bits).map_err(damaged)?;
            verdicts.insert(&HubPartition::from_stored(partition), *sequence, bits);
        }
    }
    Ok(verdicts)
}
