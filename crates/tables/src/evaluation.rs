//! What operations and queries mean for rows that are at hand: shared by the stores of this process. Pure.

mod filter;
mod mark;
mod outcome;
mod pages;
mod range;

pub(crate) use filter::{matches, select};
pub(crate) use mark::{Mark, StoreId};
pub(crate) use outcome::outcome;
pub(crate) use pages::{PageBounds, PageBuilder};
#[cfg(feature = "embedded")]
pub(crate) use range::keys_at;
pub(crate) use range::{Range, place};

use crate::time::text_of;
use crate::{Entity, Etag, Stored};

/// A row as a store of this process keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    /// The number of the change that wrote it, of all changes of the store. No two rows ever have the same.
    pub(crate) change: u64,
    /// By the store's clock, in milliseconds since 1970.
    pub(crate) written_at: i64,
    pub(crate) entity: Entity,
}

impl Row {
    pub(crate) fn etag(&self) -> Etag {
        Etag::of_number(self.change)
    }

    pub(crate) fn into_stored(self) -> Stored {
        let (etag, timestamp) = (self.etag(), Some(text_of(self.written_at)));
        Stored { etag, entity: self.entity, timestamp }
    }
}
