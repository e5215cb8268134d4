//! The measurement catalogue: which measurements exist, where they are found in a body, where they are kept and what is
//! valid. Data, not code: the built-in one is `catalogue/environment.json`, a `telemetry.json` at the app root replaces it.
//! `docs/telemetry.md` is its manual.

mod check;
mod measurement;
pub mod paths;
mod spelling;

use std::collections::HashSet;

use serde::Deserialize;

pub use self::check::RESERVED_COLUMNS;
pub use self::measurement::{CalibrationColumns, Kind, Measurement};
use self::paths::{Part, Paths, Target};
pub use self::spelling::{Conversion, Spelling};

/// All measurements of an installation, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Catalogue {
    measurements: Vec<Measurement>,
    paths: Paths,
    /// The measurements that share each unit member.
    unit_members: Vec<(String, Vec<usize>)>,
}

/// What is wrong with a catalogue, and with which entry of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// Not JSON, or not the shape of a catalogue.
    #[error("{0}")]
    Unreadable(String),
    /// A measurement that cannot be used.
    #[error("measurement {entry:?}: {problem}")]
    Entry {
        /// The entry's name.
        entry: String,
        /// What to change.
        problem: String,
    },
    /// Another member of the catalogue that cannot be used.
    #[error("{member}: {problem}")]
    Member {
        /// Which one.
        member: &'static str,
        /// What to change.
        problem: String,
    },
}

/// The fields that every reading may carry beside its measurements, and their spellings.
const FIXED: [(&str, Target); 6] = [
    ("deviceId", Target::Device),
    ("DeviceId", Target::Device),
    ("messageId", Target::MessageId),
    ("Id", Target::MessageId),
    ("geo", Target::Geo),
    ("Geo", Target::Geo),
];

/// Table Storage allows 255 properties per row; the rest is for the columns above and for columns of others.
const MOST_MEASUREMENTS: usize = 200;

/// Paths to wrappers, members that are time, and such: more are no description of what devices send.
const MOST_LISTED: usize = 200;

/// Forms of pairs.
const MOST_PAIRS: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    measurements: Vec<serde_json::Value>,
    #[serde(default)]
    wrappers: Vec<String>,
    #[serde(default)]
    pairs: Vec<Pair>,
    #[serde(default)]
    time: Vec<String>,
    #[serde(default)]
    geo: Vec<String>,
    #[serde(default)]
    ignored: Vec<String>,
}

/// An object that names a measurement in one member and has its value in another.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    value: String,
    unit: Option<String>,
}

impl Catalogue {
    /// The built-in catalogue as it is written.
    pub const ENVIRONMENT: &str = include_str!("catalogue/environment.json");

    /// The environment of the predecessor (temperature, pressure, humidity, light) and a position.
    pub fn environment() -> Catalogue {
        Catalogue::parse(Catalogue::ENVIRONMENT).expect("the built-in catalogue is tested")
    }

    /// Reads a catalogue from JSON.
    ///
    /// # Errors
    /// [`CatalogueError`], which names what to change.
    pub fn parse(json: &str) -> Result<Catalogue, CatalogueError> {
        let file: CatalogueFile =
            serde_json::from_str(json).map_err(|error| CatalogueError::Unreadable(error.to_string()))?;
        let entries = file.measurements.iter().cloned().enumerate();
        let measurements = entries.map(read_entry).collect::<Result<Vec<_>, _>>()?;
        if measurements.is_empty() || measurements.len() > MOST_MEASUREMENTS {
            let problem = format!("{} measurements, expected 1 to {MOST_MEASUREMENTS}", measurements.len());
            return Err(CatalogueError::Unreadable(problem));
        }
        check_unique(&measurements)?;
        let (paths, unit_members) = compile(&file, &measurements)?;
        Ok(Catalogue { measurements, paths, unit_members })
    }

    /// The measurements, in order. Positions in this slice identify a measurement everywhere in the process.
    pub fn measurements(&self) -> &[Measurement] {
        &self.measurements
    }

    /// Where everything is looked for.
    pub fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The measurements, by position, whose unit this unit member may name.
    pub fn sharing_unit(&self, unit: u16) -> &[usize] {
        &self.unit_members[usize::from(unit)].1
    }
}

fn read_entry((index, value): (usize, serde_json::Value)) -> Result<Measurement, CatalogueError> {
    let entry = match value.get("name").and_then(|name| name.as_str()) {
        Some(name) => name.to_owned(),
        None => format!("number {}", index + 1),
    };
    let fail = |problem: String| CatalogueError::Entry { entry: entry.clone(), problem };
    let measurement: Measurement = serde_json::from_value(value).map_err(|error| fail(error.to_string()))?;
    check::entry(&measurement).map_err(fail)?;
    Ok(measurement)
}

fn check_unique(measurements: &[Measurement]) -> Result<(), CatalogueError> {
    let (mut names, mut columns) = (HashSet::new(), HashSet::new());
    for entry in measurements {
        for (what, text, taken) in
            [("name", &entry.name, &mut names), ("column", &entry.column, &mut columns)]
        {
            if !taken.insert(text) {
                let problem = format!("the {what} {text:?} is used twice");
                return Err(CatalogueError::Entry { entry: entry.name.clone(), problem });
            }
        }
    }
    Ok(())
}

type UnitMembers = Vec<(String, Vec<usize>)>;

/// The tree of all spellings, and who shares which unit member.
fn compile(
    file: &CatalogueFile,
    measurements: &[Measurement],
) -> Result<(Paths, UnitMembers), CatalogueError> {
    for (list, spellings) in
        [("wrappers", &file.wrappers), ("time", &file.time), ("geo", &file.geo), ("ignored", &file.ignored)]
    {
        check_length(list, spellings.len(), MOST_LISTED)?;
    }
    let mut paths = Paths::new();
    for (spelling, target) in FIXED {
        paths.add(spelling, target, None).map_err(|problem| member("geo", problem))?;
    }
    for (at, entry) in measurements.iter().enumerate() {
        for spelling in &entry.spellings {
            let fail = |problem| CatalogueError::Entry { entry: entry.name.clone(), problem };
            if FIXED.iter().any(|(fixed, _)| *fixed == spelling.path) {
                let problem =
                    format!("the spelling {:?} is taken by a fixed field of a reading", spelling.path);
                return Err(fail(problem));
            }
            let target = Target::Measurement(number(at));
            paths.add(&spelling.path, target, spelling.conversion).map_err(fail)?;
        }
    }
    let unit_members = add_unit_members(&mut paths, measurements)?;
    let time =
        file.time.iter().enumerate().map(|(at, spelling)| ("time", spelling, Target::Time(number(at))));
    let geo = file.geo.iter().map(|spelling| ("geo", spelling, Target::Geo));
    let ignored = file.ignored.iter().map(|spelling| ("ignored", spelling, Target::Ignored));
    for (list, spelling, target) in time.chain(geo).chain(ignored) {
        paths.add(spelling, target, None).map_err(|problem| member(list, problem))?;
    }
    add_wrappers_and_pairs(&mut paths, file)?;
    Ok((paths, unit_members))
}

fn add_unit_members(paths: &mut Paths, measurements: &[Measurement]) -> Result<UnitMembers, CatalogueError> {
    let mut unit_members = UnitMembers::new();
    for (at, entry) in measurements.iter().enumerate() {
        for spelling in &entry.unit_members {
            if let Some((_, sharing)) = unit_members.iter_mut().find(|(known, _)| known == spelling) {
                sharing.push(at);
                continue;
            }
            let target = Target::Unit(number(unit_members.len()));
            paths
                .add(spelling, target, None)
                .map_err(|problem| CatalogueError::Entry { entry: entry.name.clone(), problem })?;
            unit_members.push((spelling.clone(), vec![at]));
        }
    }
    Ok(unit_members)
}

fn add_wrappers_and_pairs(paths: &mut Paths, file: &CatalogueFile) -> Result<(), CatalogueError> {
    for wrapper in &file.wrappers {
        paths.add_wrapper(wrapper).map_err(|problem| member("wrappers", problem))?;
    }
    check_length("pairs", file.pairs.len(), MOST_PAIRS)?;
    for (form, pair) in file.pairs.iter().enumerate() {
        let unit = pair.unit.iter().map(|unit| (unit.as_str(), Part::Unit));
        let parts = [(pair.name.as_str(), Part::Name), (pair.value.as_str(), Part::Value)];
        let parts: Vec<_> = parts.into_iter().chain(unit).collect();
        let form = u8::try_from(form).unwrap_or(u8::MAX);
        paths.add_pair(form, &parts).map_err(|problem| member("pairs", problem))?;
    }
    paths.finish().map_err(|problem| member("wrappers", problem))
}

fn member(member: &'static str, problem: String) -> CatalogueError {
    CatalogueError::Member { member, problem }
}

fn check_length(name: &'static str, length: usize, most: usize) -> Result<(), CatalogueError> {
    match length <= most {
        true => Ok(()),
        false => Err(member(name, format!("{length} entries, at most {most} are taken"))),
    }
}

/// Positions are below the limits above.
fn number(position: usize) -> u16 {
    u16::try_from(position).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests;
