//! Where corrections are read from: rows of the table `Calibration`, or a file that people edit.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldcast_tables::{Deadline, Query, Stored, Value};
use tokio::time::{Instant, timeout_at};

use super::Calibration;
use crate::primitives::ids::DeviceId;
use crate::store::{Store, StoreError, tables};
use crate::telemetry::catalogue::Catalogue;

/// Every device's calibration; a device without a row has none.
pub type Calibrations = HashMap<DeviceId, Calibration>;

/// Where the calibrations of an app are.
pub struct CalibrationSource {
    place: Place,
    catalogue: Arc<Catalogue>,
}

enum Place {
    /// The rows under the `PartitionKey`.
    Table(Arc<Store>),
    /// `calibration.json` beside the embedded store.
    File(PathBuf),
}

impl CalibrationSource {
    /// The table `Calibration` of a store.
    pub fn table(store: Arc<Store>, catalogue: Arc<Catalogue>) -> CalibrationSource {
        CalibrationSource { place: Place::Table(store), catalogue }
    }

    /// A file with the columns of the table:
    /// `{"sensor-1":{"TemperatureSlope":1.02,"TemperatureYIntercept":-0.3}}`. It need not exist.
    pub fn file(path: PathBuf, catalogue: Arc<Catalogue>) -> CalibrationSource {
        CalibrationSource { place: Place::File(path), catalogue }
    }

    /// Every device's calibration.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(&self, deadline: Instant) -> Result<Calibrations, StoreError> {
        match &self.place {
            Place::Table(store) => self.read_table(store, deadline).await,
            Place::File(path) => {
                let (path, catalogue) = (path.clone(), Arc::clone(&self.catalogue));
                let reading = tokio::task::spawn_blocking(move || read_file(&path, &catalogue));
                match timeout_at(deadline, reading).await {
                    Ok(Ok(calibrations)) => calibrations,
                    Ok(Err(error)) => Err(StoreError::Unavailable(error.into())),
                    Err(_) => {
                        Err(StoreError::Unavailable("calibration.json could not be read in time".into()))
                    }
                }
            }
        }
    }

    async fn read_table(&self, store: &Store, deadline: Instant) -> Result<Calibrations, StoreError> {
        let table = store.table(tables::CALIBRATION, deadline).await?;
        let query = Query::partition(store.shards().partition_key());
        let rows = table.query_all(&query, Deadline::at(deadline)).await?;
        Ok(rows.iter().filter_map(|row| self.of_row(row)).collect())
    }

    fn of_row(&self, row: &Stored) -> Option<(DeviceId, Calibration)> {
        let number = |name: &str| row.entity.get(name).and_then(Value::as_f64);
        let device = DeviceId::of_key(&row.entity.row)?;
        Some((device, Calibration::from_columns(&self.catalogue, number)))
    }
}

fn read_file(path: &Path, catalogue: &Catalogue) -> Result<Calibrations, StoreError> {
    type File = BTreeMap<String, BTreeMap<String, f64>>;
    let broken = |problem: String| StoreError::Misconfigured(format!("{}: {problem}", path.display()).into());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Calibrations::new()),
        Err(error) => return Err(broken(error.to_string())),
    };
    let file: File = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    let entry = |(device, columns): (String, BTreeMap<String, f64>)| {
        let device = DeviceId::parse(&device).map_err(|error| broken(error.to_string()))?;
        Ok((device, Calibration::from_columns(catalogue, |name| columns.get(name).copied())))
    };
    file.into_iter().map(entry).collect()
}
