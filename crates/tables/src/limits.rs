//! What one request, row and property may hold: Table Storage's limits, which every store checks before it does anything.
//!
//! Sources, all from Microsoft's documentation: "Understanding the Table service data model" (keys, names, properties,
//! rows), "Performing entity group transactions" (operations and bytes), "Query entities" (comparisons and pages), and
//! for how a row's size is counted "How the size of an entity is calculated in Windows Azure table storage".

mod query;
mod row;
mod text;
mod transaction;

pub(crate) use query::check_query;
pub(crate) use row::{check_content, check_entity};
pub(crate) use text::{check_keys, comparable, is_time};
pub(crate) use transaction::check_transaction;

/// Operations of one transaction.
pub const MOST_OPERATIONS: usize = 100;

/// Bytes of one transaction with everything around the rows, counted by [`Operation::wire_size`](crate::Operation::wire_size).
pub const LARGEST_TRANSACTION: usize = 4 * 1024 * 1024;

/// Bytes of a transaction's own beginning and end, which count as well.
pub const TRANSACTION_FRAME: usize = 256;

/// Rows of one page.
pub const MOST_PAGE_ROWS: u16 = 1_000;

/// Comparisons of one filter; conditions on keys and on the time of the last change are some.
pub const MOST_COMPARISONS: usize = 15;

/// Properties of one row: 255, of which three are the system's.
pub const MOST_PROPERTIES: usize = 252;

/// Bytes of one row, counted by [`Entity::stored_size`](crate::Entity::stored_size).
pub const LARGEST_ROW: usize = 1024 * 1024;

/// Bytes of one property: of the UTF-16 form of a text, or of a binary value.
pub const LARGEST_PROPERTY: usize = 64 * 1024;

/// UTF-16 units of a key, which is at most 1 KiB as the service stores it.
pub const LONGEST_KEY: usize = 512;

/// UTF-16 units of a property's name.
pub const LONGEST_NAME: usize = 255;
