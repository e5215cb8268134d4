//! Entity group transactions: the operations, what the service demands of them, and their wire form. Pure.

mod body;
mod reply;

pub(crate) use body::{CONTENT_TYPE, body};
pub(crate) use reply::read;

use crate::{Entity, Etag};

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// Adds a row that must not exist.
    Insert(Entity),
    /// Changes the properties that the entity has, if the stored row still has this etag.
    Merge(Entity, Etag),
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
    /// Whether there is a row afterwards, and so an etag.
    pub(crate) fn leaves_row(&self) -> bool {
        !matches!(self, Operation::Delete { .. })
    }

    /// The keys of the row: partition, then row.
    #[must_use]
    pub fn keys(&self) -> (&str, &str) {
        match self {
            Operation::Insert(entity) | Operation::Merge(entity, _) => (&entity.partition, &entity.row),
            Operation::Delete { partition, row, .. } => (partition, row),
        }
    }
}
