//! What makes an entry of the catalogue unusable. Pure.

use std::collections::HashSet;

use super::measurement::{Kind, Measurement};

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

/// The longest valid text of a list, in characters: longer ones are not read from a body either.
const LONGEST_VALUE: usize = 256;

/// What to change about one entry.
pub(super) fn entry(entry: &Measurement) -> Result<(), String> {
    if entry.name.is_empty() || RESERVED_NAMES.contains(&entry.name.as_str()) {
        return Err("the name is empty or taken by a fixed member of a device state".to_owned());
    }
    if entry.spellings.is_empty() {
        return Err("it has no spelling, so it could never arrive".to_owned());
    }
    if !is_column(&entry.column) || RESERVED_COLUMNS.contains(&entry.column.as_str()) {
        return Err(format!("the column {:?} is not a free column name (letters, digits, _)", entry.column));
    }
    if entry.min.is_some_and(|min| entry.max.is_some_and(|max| min > max)) {
        return Err("min is greater than max".to_owned());
    }
    match &entry.calibration {
        Some(columns) if !is_column(&columns.slope) || !is_column(&columns.intercept) => {
            return Err("a calibration column is not a column name (letters, digits, _)".to_owned());
        }
        _ => {}
    }
    kind(entry)?;
    units(entry)
}

/// Table Storage property names are C# identifiers; we keep to the ASCII ones.
fn is_column(name: &str) -> bool {
    let starts_well = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    starts_well && name.len() <= 255 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Only numbers have what is made for numbers, and only texts and flags have words.
fn kind(entry: &Measurement) -> Result<(), String> {
    let converted = entry.spellings.iter().any(|spelling| spelling.conversion.is_some());
    let of_numbers = [
        ("min", entry.min.is_some()),
        ("max", entry.max.is_some()),
        ("calibration", entry.calibration.is_some()),
        ("unitMember", !entry.unit_members.is_empty()),
        ("units", !entry.units.is_empty()),
        ("scale or offset", converted),
    ];
    match entry.kind {
        Kind::Number if entry.values.is_empty() => Ok(()),
        Kind::Number => Err("values are for texts and flags, a number has min and max".to_owned()),
        Kind::Text | Kind::Flag => match of_numbers.iter().find(|(_, is_there)| *is_there) {
            Some((what, _)) => Err(format!("{what} is for numbers, and it is none")),
            None if entry.kind == Kind::Text => texts(entry),
            None => words(entry),
        },
    }
}

fn texts(entry: &Measurement) -> Result<(), String> {
    let mut seen = HashSet::new();
    for value in &entry.values {
        match value.as_str() {
            None => return Err(format!("the value {value} is not a text")),
            Some(text) if text.chars().count() > LONGEST_VALUE => {
                return Err(format!("a value has more than {LONGEST_VALUE} characters"));
            }
            Some(text) if !seen.insert(text) => return Err(format!("the value {value} is there twice")),
            Some(_) => {}
        }
    }
    Ok(())
}

fn words(entry: &Measurement) -> Result<(), String> {
    let usable = |value: &serde_json::Value| value.is_string() || value.is_number();
    match &entry.values[..] {
        [] => Ok(()),
        [no, yes] if usable(no) && usable(yes) && no != yes => Ok(()),
        _ => Err("values of a flag are two different texts or numbers: what means no, and what means yes"
            .to_owned()),
    }
}

fn units(entry: &Measurement) -> Result<(), String> {
    if !entry.unit_members.is_empty() && entry.units.is_empty() {
        return Err("unitMember needs units: which ones there are, and how they are converted".to_owned());
    }
    let mut members = HashSet::new();
    if let Some(twice) = entry.unit_members.iter().find(|member| !members.insert(*member)) {
        return Err(format!("the unitMember {twice:?} is there twice"));
    }
    let mut seen = HashSet::new();
    for (unit, conversion) in &entry.units {
        if unit.trim() != unit || unit.is_empty() || !seen.insert(unit.to_lowercase()) {
            return Err(format!("the unit {unit:?} is empty, has space around it, or is there twice"));
        }
        if let Some(problem) = conversion.problem() {
            return Err(format!("the unit {unit:?}: {problem}"));
        }
    }
    let broken = entry.spellings.iter().find_map(|spelling| {
        let problem = spelling.conversion?.problem()?;
        Some(format!("the spelling {:?}: {problem}", spelling.path))
    });
    broken.map_or(Ok(()), Err)
}
