//! Rows of `DeviceState` as entities.

use fieldcast_tables::{Entity, Stored, Value};

use crate::devices::row::{Cell, Row, RowError, from_row};
use crate::devices::state::DeviceState;
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::telemetry::catalogue::Catalogue;

/// A device's columns as an entity, to be inserted or merged.
pub(super) fn entity(partition: &str, device: &DeviceId, columns: Vec<(&str, Cell)>) -> Entity {
    let columns = columns.into_iter();
    Entity::of_distinct(
        partition,
        device.as_str(),
        columns.map(|(column, cell)| (column.to_owned(), value_of(cell))).collect(),
    )
}

/// The columns of an entity, of whatever type this program knows.
pub(super) fn row_of(stored: &Stored) -> Row {
    let columns = stored.entity.properties();
    columns.filter_map(|(name, value)| Some((name.to_owned(), cell_of(value)?))).collect()
}

/// The state that an entity's columns hold.
pub(super) fn state_of(
    device: DeviceId,
    stored: &Stored,
    row: &Row,
    catalogue: &Catalogue,
) -> Result<DeviceState, RowError> {
    let written_at = stored.timestamp.as_deref().and_then(Millis::parse).unwrap_or_default();
    from_row(device, row, written_at, catalogue)
}

fn value_of(cell: Cell) -> Value {
    match cell {
        Cell::Text(text) => Value::String(text),
        Cell::Number(number) => Value::Double(number),
        Cell::Whole(whole) => Value::Int64(whole),
        Cell::Time(time) => Value::DateTime(time.to_text()),
    }
}

fn cell_of(value: &Value) -> Option<Cell> {
    Some(match value {
        Value::String(text) => Cell::Text(text.clone()),
        Value::Double(number) => Cell::Number(*number),
        Value::Int32(whole) => Cell::Whole((*whole).into()),
        Value::Int64(whole) => Cell::Whole(*whole),
        Value::DateTime(text) => Cell::Time(Millis::parse(text)?),
        Value::Bool(_) | Value::Binary(_) | Value::Guid(_) => return None,
    })
}
