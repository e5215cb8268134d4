//! What an operation makes of a row.

use crate::evaluation::Row;
use crate::limits::check_content;
use crate::{Entity, Error, Operation};

/// The content that the row has after the operation at `index` of a transaction; `None` if it is gone.
pub(crate) fn outcome(
    index: usize,
    operation: Operation,
    held: Option<&Row>,
) -> Result<Option<Entity>, Error> {
    let conflict = |code: &str| Err(Error::Conflict { index: Some(index), code: code.to_owned() });
    let held = match (operation.etag(), held) {
        (None, None) => None,
        (None, Some(_)) => return conflict("EntityAlreadyExists"),
        (Some(_), None) => return conflict("ResourceNotFound"),
        (Some(etag), Some(held)) if *etag != held.etag() => return conflict("UpdateConditionNotSatisfied"),
        (Some(_), Some(held)) => Some(held),
    };
    match (operation, held) {
        (Operation::Delete { .. }, _) => Ok(None),
        (Operation::Merge(change, _), Some(held)) => {
            let merged = merge(held.entity.clone(), change);
            let checked = check_content(&merged);
            checked.map(|()| Some(merged)).map_err(|reason| Error::Invalid { index: Some(index), reason })
        }
        (Operation::Insert(entity) | Operation::Replace(entity, _) | Operation::Merge(entity, _), _) => {
            Ok(Some(entity))
        }
    }
}

fn merge(mut row: Entity, change: Entity) -> Entity {
    for (name, value) in change.into_properties() {
        row.set(name, value);
    }
    row
}
