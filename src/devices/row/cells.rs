//! Reading the cells of a device's row, and what is wrong with one that cannot be read. People edit rows with tools, and many
//! a tool writes every column as text: a cell is read from any type that can hold its value.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use fieldcast_tables::{Entity, Value};

use crate::primitives::instant::Millis;

/// Bytes as text, as tools show and save them.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

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

    /// The same for anybody who may ask: which column it is, and nothing of what it holds.
    pub fn for_strangers(&self) -> String {
        format!(
            "the column {} of this device's row cannot be read; nothing is counted until it is repaired",
            self.column
        )
    }
}

/// A number that counts something; `None` where the column is missing.
pub(super) fn count(row: &Entity, column: &'static str) -> Result<Option<i64>, RowError> {
    let Some(value) = row.get(column) else { return Ok(None) };
    match whole(value) {
        Some(number) if number >= 0 => Ok(Some(number)),
        Some(_) => Err(RowError::new(column, "it is negative".to_owned())),
        None => Err(RowError::new(column, "it is not a whole number".to_owned())),
    }
}

/// A whole number, also one that a tool wrote with a fraction of zero.
pub(super) fn whole(value: &Value) -> Option<i64> {
    let written_with_fraction = || Value::Double(value.as_str()?.trim().parse().ok()?).as_i64();
    value.as_i64().or_else(written_with_fraction)
}

/// A text, also one of digits that a tool took for a number.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Int32(_) | Value::Int64(_) | Value::Double(_) => whole(value).map(|number| number.to_string()),
        other => other.as_str().map(str::to_owned),
    }
}

/// Yes or no, also as a tool wrote it as text.
pub(super) fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        other => match other.as_str()?.trim().to_ascii_lowercase().as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        },
    }
}

/// Bytes, also those that a tool wrote as text.
pub(super) fn bytes(value: &Value) -> Option<std::borrow::Cow<'_, [u8]>> {
    match value {
        Value::Binary(bytes) => Some(bytes.into()),
        Value::String(text) => BASE64.decode(text.trim()).ok().map(Into::into),
        _ => None,
    }
}

/// A point in time, which other programs may have written as text.
pub(super) fn time(row: &Entity, column: &str) -> Option<Millis> {
    row.get(column).and_then(Value::as_str).map(str::trim).and_then(Millis::parse)
}
