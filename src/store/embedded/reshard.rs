//! Moving the rows of the embedded store: one transaction, so that a process that is killed has moved all or none.

use std::path::Path;

use super::blocking;
use super::database::Database;
use crate::store::reshard::{Outcome, Reshard, ReshardError};

/// Moves the rows of every `PartitionKey` in the store, because one count is recorded for all of them. The app must be
/// stopped, which the lock of the file proves.
///
/// # Errors
/// Each [`ReshardError`]; nothing was changed then.
pub async fn in_directory(directory: &Path, wanted: &Reshard) -> Result<Outcome, ReshardError> {
    let (directory, to) = (directory.to_owned(), wanted.to);
    blocking(move || Database::open_existing(&directory)?.reshard(to)).await
}
