//! Stores around a store: they fail, wait, remember or give their rows bit by bit, for tests and simulations. Each keeps the contract otherwise.

mod delayed;
mod faulty;
mod recorded;
mod sparse;

pub use delayed::{Delayed, Pause};
pub use faulty::{Fault, Faulty, Rule};
pub use recorded::{Recorded, RecordedCall};
pub use sparse::Sparse;

/// The calls of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// [`TableStore::create_table`](crate::TableStore::create_table)
    CreateTable,
    /// [`TableStore::get`](crate::TableStore::get)
    Get,
    /// [`TableStore::query`](crate::TableStore::query)
    Query,
    /// [`TableStore::transact`](crate::TableStore::transact)
    Transact,
}
