//! Where corrections are read from: rows of the table `Calibration`, or a file that people edit.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldcast_tables::{Deadline, Query, Stored, Value};
use serde_json::Value as Json;
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

    /// Every device's calibration, within the deadline. What is wrong with some of them is logged.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(&self, deadline: Instant) -> Result<Calibrations, StoreError> {
        let reading = async {
            match &self.place {
                Place::Table(store) => self.read_table(store, deadline).await,
                Place::File(path) => {
                    let path = path.clone();
                    let rows = tokio::task::spawn_blocking(move || read_file(&path)).await;
                    rows.map_err(|error| StoreError::Unavailable(error.into()))?
                }
            }
        };
        let late = || StoreError::Unavailable("the calibrations were not read in time".into());
        let rows = timeout_at(deadline, reading).await.map_err(|_| late())??;
        let mut problems = Problems::default();
        let calibrations = of_rows(rows, &self.catalogue, &mut problems);
        problems.log();
        Ok(calibrations)
    }

    async fn read_table(&self, store: &Store, deadline: Instant) -> Result<Vec<Row>, StoreError> {
        let table = store.table(tables::CALIBRATION, deadline).await?;
        let query = Query::partition(store.shards().partition_key());
        let rows = table.query_all(&query, Deadline::at(deadline)).await?;
        Ok(rows.iter().map(of_table).collect())
    }
}

/// The key of a row and its columns. A column that holds no number has one that is not finite.
struct Row {
    key: String,
    columns: Columns,
}

/// The columns of a row.
enum Columns {
    Numbers(HashMap<String, f64>),
    /// There are none, where some should be.
    Unreadable,
}

fn of_table(row: &Stored) -> Row {
    let number = |(name, value): (&str, &Value)| (name.to_owned(), value.as_f64().unwrap_or(f64::NAN));
    Row {
        key: row.entity.row.clone(),
        columns: Columns::Numbers(row.entity.properties().map(number).collect()),
    }
}

fn of_rows(rows: Vec<Row>, catalogue: &Catalogue, problems: &mut Problems) -> Calibrations {
    let mut calibrations = Calibrations::with_capacity(rows.len());
    for Row { key, columns } in rows {
        let device = match DeviceId::of_key_or_name(&key) {
            Ok(device) => device,
            Err(error) => {
                problems.add(&key, &format!("it is passed over: {error}"));
                continue;
            }
        };
        let calibration = Calibration::from_columns(catalogue, |name| match &columns {
            Columns::Numbers(numbers) => numbers.get(name).copied(),
            Columns::Unreadable => Some(f64::NAN),
        });
        for problem in calibration.problems(catalogue) {
            problems.add(&key, &problem);
        }
        calibrations.insert(device, calibration);
    }
    calibrations
}

/// What is wrong with some rows: a line for each, and not more lines than a person reads.
#[derive(Default)]
struct Problems {
    lines: Vec<String>,
    more: usize,
}

impl Problems {
    const MOST: usize = 20;

    fn add(&mut self, row: &str, problem: &str) {
        if self.lines.len() == Problems::MOST {
            self.more += 1;
            return;
        }
        let row: String = row.chars().take(DeviceId::MAX_CHARS).collect();
        self.lines.push(format!("calibration of {row:?}: {problem}"));
    }

    fn log(&self) {
        for line in &self.lines {
            tracing::warn!("{line}");
        }
        if self.more > 0 {
            tracing::warn!("calibrations: {} more problems like these", self.more);
        }
    }
}

/// The rows of a file, which need not exist.
fn read_file(path: &Path) -> Result<Vec<Row>, StoreError> {
    let broken = |problem: String| StoreError::Misconfigured(format!("{}: {problem}", path.display()).into());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(broken(error.to_string())),
    };
    let file: BTreeMap<String, Json> =
        serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    Ok(file.into_iter().map(|(key, columns)| Row { key, columns: of_file(columns) }).collect())
}

fn of_file(columns: Json) -> Columns {
    let number = |value: Json| match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    match columns {
        Json::Object(columns) => {
            let is_there = columns.into_iter().filter(|(_, value)| !value.is_null());
            Columns::Numbers(
                is_there.map(|(name, value)| (name, number(value).unwrap_or(f64::NAN))).collect(),
            )
        }
        _ => Columns::Unreadable,
    }
}

#[cfg(test)]
mod tests;
