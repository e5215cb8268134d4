//! The steps of a transaction. Each has a condition; there is no unconditional write.

use crate::{Entity, Etag};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Adds a row that must not exist.
    Insert(Entity),
    /// Changes the properties that the entity has, if the stored row still has this etag. The others stay.
    Merge(Entity, Etag),
    /// Puts the entity in place of the stored row, if that still has this etag. Other properties go.
    Replace(Entity, Etag),
    /// Deletes a row, if it still has this etag.
    Delete {
        /// `PartitionKey`
        partition: String,
        /// `RowKey`
        row: String,
        /// The version that may be deleted.
        etag: Etag,
    },
}

impl Operation {
    /// The keys of the row: partition, then row.
    #[must_use]
    pub fn keys(&self) -> (&str, &str) {
        match self {
            Operation::Delete { partition, row, .. } => (partition, row),
            Operation::Insert(entity) | Operation::Merge(entity, _) | Operation::Replace(entity, _) => {
                (&entity.partition, &entity.row)
            }
        }
    }

    /// The content that it writes; `None` for a delete.
    #[must_use]
    pub fn entity(&self) -> Option<&Entity> {
        match self {
            Operation::Delete { .. } => None,
            Operation::Insert(entity) | Operation::Merge(entity, _) | Operation::Replace(entity, _) => {
                Some(entity)
            }
        }
    }

    /// The version that the row must have; `None` for an insert, where there must be none.
    #[must_use]
    pub fn etag(&self) -> Option<&Etag> {
        match self {
            Operation::Insert(_) => None,
            Operation::Merge(_, etag) | Operation::Replace(_, etag) | Operation::Delete { etag, .. } => {
                Some(etag)
            }
        }
    }
}
