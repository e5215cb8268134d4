//! The measurement catalogue: which measurements exist, under which spellings they arrive, where they are kept and what
//! is valid. Data, not code: the built-in one is `catalogue/environment.json`, a `telemetry.json` at the app root replaces it.

use std::cmp::Ordering;
use std::collections::HashSet;

use serde::Deserialize;

/// One kind of value that devices send.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// The name in replies and live messages, e.g. `temperature`.
    pub name: String,
    /// Every name under which it is accepted in telemetry, e.g. `temperature`, `Celsius`. Case counts.
    pub spellings: Vec<String>,
    /// The unit that people read, e.g. `°C`; empty for a plain number.
    #[serde(default)]
    pub unit: String,
    /// The column of `DeviceState` that keeps it.
    pub column: String,
    /// The smallest valid value after calibration.
    pub min: Option<f64>,
    /// The largest valid value after calibration.
    pub max: Option<f64>,
    /// The columns of `Calibration` that correct it; absent: it is never corrected.
    pub calibration: Option<CalibrationColumns>,
}

/// The two columns of a calibration row that belong to one measurement: value = raw × slope + intercept.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CalibrationColumns {
    /// Column with the factor.
    pub slope: String,
    /// Column with the offset.
    pub intercept: String,
}

/// All measurements of an installation, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Catalogue {
    measurements: Vec<Measurement>,
    /// Sorted by [`by_length`], for a search whose steps mostly compare two lengths.
    by_spelling: Vec<(String, usize)>,
}

/// What is wrong with a catalogue, and with which entry of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not JSON, or not the shape of a catalogue.
    #[error("{0}")]
    Unreadable(String),
    /// An entry that cannot be used.
    #[error("measurement {entry:?}: {problem}")]
    Entry {
        /// The entry's name.
        entry: String,
        /// What to change.
        problem: String,
    },
}

/// Device state columns that are not measurements.
pub const RESERVED_COLUMNS: [&str; 21] = [
    "PartitionKey",
    "RowKey",
    "Timestamp",
    "DeviceId",
    "Module",
    "Component",
    "Geo",
    "Id",
    "Count",
    "Schema",
    "Ledger",
    "Version",
    "WriteId",
    "Watermarks",
    "OlderValues",
    "RefusedReadings",
    "ReportedAt",
    "ReportedBy",
    "ChangedAt",
    "CalibrationVersion",
    "ETag",
];

/// Members of a device state in JSON that are not measurements.
const RESERVED_NAMES: [&str; 12] = [
    "deviceId",
    "module",
    "component",
    "geo",
    "count",
    "version",
    "reportedAt",
    "measuredAt",
    "changedAt",
    "problem",
    "alerts",
    "reportIntervalSeconds",
];

/// Spellings of the fields that every reading may carry beside its measurements.
const RESERVED_SPELLINGS: [&str; 6] = ["deviceId", "DeviceId", "messageId", "Id", "geo", "Geo"];

/// Table Storage allows 255 properties per row; the rest is for the columns above and for columns of others.
const MOST_MEASUREMENTS: usize = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    measurements: Vec<serde_json::Value>,
}

impl Catalogue {
    /// The environment of the predecessor (temperature, pressure, humidity, light) and a position.
    pub fn environment() -> Catalogue {
        Catalogue::parse(include_str!("catalogue/environment.json"))
            .expect("the built-in catalogue is tested")
    }

    /// Reads a catalogue from JSON: `{"measurements":[{"name","spellings","unit","column","min","max","calibration"}]}`.
    pub fn parse(json: &str) -> Result<Catalogue, CatalogueError> {
        let file: CatalogueFile =
            serde_json::from_str(json).map_err(|error| CatalogueError::Unreadable(error.to_string()))?;
        let measurements =
            file.measurements.into_iter().enumerate().map(read_entry).collect::<Result<Vec<_>, _>>()?;
        if measurements.is_empty() || measurements.len() > MOST_MEASUREMENTS {
            let problem = format!("{} measurements, expected 1 to {MOST_MEASUREMENTS}", measurements.len());
            return Err(CatalogueError::Unreadable(problem));
        }
        check_unique(&measurements)?;
        let mut by_spelling: Vec<_> = measurements
            .iter()
            .enumerate()
            .flat_map(|(index, entry)| entry.spellings.iter().map(move |spelling| (spelling.clone(), index)))
            .collect();
        by_spelling.sort_by(|(one, _), (other, _)| by_length(one, other));
        Ok(Catalogue { measurements, by_spelling })
    }

    /// The measurements, in order. Positions in this slice identify a measurement everywhere in the process.
    pub fn measurements(&self) -> &[Measurement] {
        &self.measurements
    }

    /// The position of the measurement that arrives under this name.
    pub fn position_of(&self, spelling: &str) -> Option<usize> {
        let found = self.by_spelling.binary_search_by(|(known, _)| by_length(known, spelling)).ok()?;
        Some(self.by_spelling[found].1)
    }
}

fn by_length(one: &str, other: &str) -> Ordering {
    one.len().cmp(&other.len()).then_with(|| one.cmp(other))
}

impl Measurement {
    /// Whether a calibrated value may be counted.
    pub fn accepts(&self, value: f64) -> bool {
        value.is_finite()
            && self.min.is_none_or(|min| value >= min)
            && self.max.is_none_or(|max| value <= max)
    }

    /// The valid range in words, for people who read why a reading was rejected.
    pub fn range(&self) -> String {
        match (self.min, self.max) {
            (Some(min), Some(max)) => format!("{min} to {max} {}", self.unit),
            (Some(min), None) => format!("at least {min} {}", self.unit),
            (None, Some(max)) => format!("at most {max} {}", self.unit),
            (None, None) => "any finite number".to_owned(),
        }
        .trim_end()
        .to_owned()
    }
}

fn read_entry((index, value): (usize, serde_json::Value)) -> Result<Measurement, CatalogueError> {
    let entry = match value.get("name").and_then(|name| name.as_str()) {
        Some(name) => name.to_owned(),
        None => format!("number {}", index + 1),
    };
    let fail = |problem: String| CatalogueError::Entry { entry: entry.clone(), problem };
    let measurement: Measurement = serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
    check_entry(&measurement).map_err(fail)?;
    Ok(measurement)
}

fn check_entry(entry: &Measurement) -> Result<(), String> {
    if entry.name.is_empty() || RESERVED_NAMES.contains(&entry.name.as_str()) {
        return Err("the name is empty or taken by a fixed member of a device state".to_owned());
    }
    if entry.spellings.is_empty() {
        return Err("it has no spelling, so it could never arrive".to_owned());
    }
    if let Some(taken) =
        entry.spellings.iter().find(|spelling| RESERVED_SPELLINGS.contains(&spelling.as_str()))
    {
        return Err(format!("the spelling {taken:?} is taken by a fixed field of a reading"));
    }
    if !is_column(&entry.column) || RESERVED_COLUMNS.contains(&entry.column.as_str()) {
        return Err(format!("the column {:?} is not a free column name (letters, digits, _)", entry.column));
    }
    if entry.min.is_some_and(|min| entry.max.is_some_and(|max| min > max)) {
        return Err("min is greater than max".to_owned());
    }
    match &entry.calibration {
        Some(columns) if !is_column(&columns.slope) || !is_column(&columns.intercept) => {
            Err("a calibration column is not a column name (letters, digits, _)".to_owned())
        }
        _ => Ok(()),
    }
}

/// Table Storage property names are C# identifiers; we keep to the ASCII ones.
fn is_column(name: &str) -> bool {
    let starts_well = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    starts_well && name.len() <= 255 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn check_unique(measurements: &[Measurement]) -> Result<(), CatalogueError> {
    let (mut names, mut columns, mut spellings) = (HashSet::new(), HashSet::new(), HashSet::new());
    for entry in measurements {
        let twice = |what: &str, text: &str| CatalogueError::Entry {
            entry: entry.name.clone(),
            problem: format!("the {what} {text:?} is used twice"),
        };
        if !names.insert(&entry.name) {
            return Err(twice("name", &entry.name));
        }
        if !columns.insert(&entry.column) {
            return Err(twice("column", &entry.column));
        }
        if let Some(spelling) = entry.spellings.iter().find(|spelling| !spellings.insert(*spelling)) {
            return Err(twice("spelling", spelling));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
