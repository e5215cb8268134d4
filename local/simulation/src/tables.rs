//! The tables as they really are, whatever handlers know of them: read and edited without the app's way to them.

use std::sync::Arc;

use fieldcast::devices::row;
use fieldcast::devices::state::DeviceState;
use fieldcast::primitives::ids::DeviceId;
use fieldcast::rejected::body::RejectedBody;
use fieldcast::rejected::row::body;
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_tables::{Entity, MemoryStore, Stored, TableName};

use crate::workload::Workload;

/// The configured `PartitionKey`.
pub(crate) const PARTITION_KEY: &str = "Sydney";

/// Rows that the store looks at for one page; few, so that scans have pages.
const PAGE: usize = 3;

/// The store, and the names of its tables.
pub(crate) struct Tables {
    rows: Arc<MemoryStore>,
    catalogue: Arc<Catalogue>,
    pub(crate) devices: TableName,
    pub(crate) rejected: TableName,
    pub(crate) calibrations: TableName,
}

impl Tables {
    /// With the calibrations of a workload. `clock` tells milliseconds since 1970.
    pub(crate) fn new(
        workload: &Workload,
        catalogue: &Arc<Catalogue>,
        clock: impl Fn() -> i64 + Send + Sync + 'static,
    ) -> Tables {
        let name = |name| TableName::new(name).expect("the app's tables have good names");
        let tables = Tables {
            rows: Arc::new(MemoryStore::with_clock(clock).with_page_size(PAGE)),
            catalogue: Arc::clone(catalogue),
            devices: name("DeviceState"),
            rejected: name("RejectedTelemetry"),
            calibrations: name("Calibration"),
        };
        for (device, intercept) in workload.devices.iter().zip(&workload.intercepts) {
            tables.calibrate(device, *intercept);
        }
        tables
    }

    /// The store itself, as a service that is not far away.
    pub(crate) fn service(&self) -> Arc<MemoryStore> {
        Arc::clone(&self.rows)
    }

    /// What a person does to a calibration row.
    pub(crate) fn calibrate(&self, device: &str, intercept: Option<f64>) {
        match intercept {
            None => drop(self.rows.remove_by_hand(&self.calibrations, PARTITION_KEY, device)),
            Some(intercept) => {
                let row = Entity::new(PARTITION_KEY, device)
                    .with("TemperatureSlope", 1.0)
                    .with("TemperatureYIntercept", intercept);
                self.rows.set_by_hand(&self.calibrations, row);
            }
        }
    }

    /// Every device's state. Rows that cannot be read are missing.
    pub(crate) fn states(&self) -> Vec<DeviceState> {
        self.rows.rows_by_hand(&self.devices).iter().filter_map(|row| self.state_of(row)).collect()
    }

    /// How many rows of devices there are.
    pub(crate) fn device_rows(&self) -> usize {
        self.rows.rows_by_hand(&self.devices).len()
    }

    /// The state that a device's row holds.
    pub(crate) fn state_of(&self, row: &Stored) -> Option<DeviceState> {
        row::state(DeviceId::of_key(&row.entity.row)?, row, &self.catalogue).ok()
    }

    /// The same row with another state in it.
    pub(crate) fn with_state(&self, row: &Stored, state: &DeviceState) -> Stored {
        let columns = row::columns(state, &self.catalogue);
        let entity = Entity::of_distinct(&row.entity.partition, &row.entity.row, columns);
        Stored { entity, ..row.clone() }
    }

    /// Every body that is kept because something of it was rejected.
    pub(crate) fn rejected_bodies(&self) -> Vec<RejectedBody> {
        self.rows.rows_by_hand(&self.rejected).iter().filter_map(|row| body(&row.entity)).collect()
    }
}
