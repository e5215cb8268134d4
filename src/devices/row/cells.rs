//! Reading the cells of a device's row, and what is wrong with one that cannot be read.

use fieldcast_tables::{Entity, Value};

use crate::primitives::instant::Millis;

/// Why a row is not a device state; the row is somebody else's or damaged.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: {problem}")]
pub struct RowError {
    column: &'static str,
    problem: String,
}

impl RowError {
    pub(super) fn new(column: &'static str, problem: String) -> RowError {
        RowError { column, problem }
    }
}

/// A point in time, which other programs may have written as text.
pub(super) fn time(row: &Entity, column: &str) -> Option<Millis> {
    row.get(column).and_then(Value::as_str).and_then(Millis::parse)
}
