//! Rows of `DeviceState` as entities.

use fieldcast_tables::{Entity, Stored, Value};

use crate::catalogue::Catalogue;
use crate::ids::DeviceId;
use crate::instant::Millis;
use crate::row::{Cell, Row, RowError, columns, from_row};
use crate::state::DeviceState;

/// The entity that a state becomes. Merged, so that columns of others stay.
pub(super) fn entity_of(partition: &str, state: &DeviceState, catalogue: &Catalogue) -> Entity {
    let columns = columns(state, catalogue).into_iter();
    Entity::of_distinct(
        partition,
        state.device.as_str(),
        columns.map(|(column, cell)| (column.to_owned(), value_of(cell))).collect(),
    )
}

/// The state that an entity holds.
pub(super) fn state_of(
    device: DeviceId,
    stored: &Stored,
    catalogue: &Catalogue,
) -> Result<DeviceState, RowError> {
    let row: Row = stored
        .entity
        .properties()
        .filter_map(|(name, value)| Some((name.to_owned(), cell_of(value)?)))
        .collect();
    let written_at = stored.timestamp.as_deref().and_then(Millis::parse).unwrap_or_default();
    from_row(device, &row, written_at, catalogue)
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
