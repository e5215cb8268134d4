//! Tables by name.

use std::sync::Arc;

use fieldcast_tables::{Table, TableName, TableStore};

use super::error::StoreError;

/// A table, whether it exists or not.
pub(super) fn table(rows: &Arc<dyn TableStore>, name: &str) -> Result<Table, StoreError> {
    let name = TableName::new(name).map_err(|error| StoreError::Misconfigured(error.into()))?;
    Ok(Table::new(Arc::clone(rows), name))
}
