//! The tables of the app, by name.

use std::sync::Arc;

use fieldcast_tables::{Table, TableName, TableStore};

use super::error::StoreError;

/// Device states.
pub const DEVICE_STATE: &str = "DeviceState";
/// Corrections, which people edit.
pub(crate) const CALIBRATION: &str = "Calibration";
/// Rejected readings.
pub(crate) const REJECTED_TELEMETRY: &str = "RejectedTelemetry";
/// How the device rows are spread over partitions.
pub(super) const LAYOUT: &str = "FieldcastLayout";

/// A table, whether it exists or not.
pub(super) fn table(rows: &Arc<dyn TableStore>, name: &str) -> Result<Table, StoreError> {
    let name = TableName::new(name).map_err(|error| StoreError::Misconfigured(error.into()))?;
    Ok(Table::new(Arc::clone(rows), name))
}
