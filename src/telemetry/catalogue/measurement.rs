//! One entry of the catalogue: what is measured, under which spellings it arrives, and which values are valid. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::spelling::{Conversion, Spelling};
use crate::telemetry::measured::Measured;

/// One kind of value that devices send.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measurement {
    /// The name in replies and live messages, e.g. `temperature`.
    pub name: String,
    /// Everywhere it is looked for in telemetry, e.g. `temperature`, `Celsius`, `ambient.temperature`. Case counts.
    pub spellings: Vec<Spelling>,
    /// What its values are.
    #[serde(default)]
    pub kind: Kind,
    /// The unit that people read, e.g. `°C`; empty for a plain number.
    #[serde(default)]
    pub unit: String,
    /// The members that may name the unit of the value. A name that several measurements share counts for those that know
    /// the unit.
    #[serde(rename = "unitMember", default, deserialize_with = "one_or_many")]
    pub unit_members: Vec<String>,
    /// The units that may be named there, and how a value in them becomes one in `unit`. Case does not count.
    #[serde(default)]
    pub units: BTreeMap<String, Conversion>,
    /// Of a text: the valid ones; empty: any. Of a flag: the two words or numbers that mean no and yes, beside true and false.
    #[serde(default)]
    pub values: Vec<serde_json::Value>,
    /// The column of `DeviceState` that keeps it.
    pub column: String,
    /// The smallest valid value after calibration.
    pub min: Option<f64>,
    /// The largest valid value after calibration.
    pub max: Option<f64>,
    /// The columns of `Calibration` that correct it; absent: it is never corrected.
    pub calibration: Option<CalibrationColumns>,
}

/// What the values of a measurement are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Numbers.
    #[default]
    Number,
    /// Texts.
    Text,
    /// Yes or no.
    Flag,
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

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "unitMember is a text or a list of texts")]
    enum Written {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::One(member) => vec![member],
        Written::Many(members) => members,
    })
}

impl Measurement {
    /// Whether a calibrated value may be counted.
    pub fn accepts(&self, value: &Measured) -> bool {
        match value {
            Measured::Number(number) => {
                number.is_finite()
                    && self.min.is_none_or(|min| *number >= min)
                    && self.max.is_none_or(|max| *number <= max)
            }
            Measured::Text(text) => {
                self.values.is_empty() || self.values.iter().any(|known| known.as_str() == Some(text))
            }
            Measured::Flag(_) => true,
        }
    }

    /// The valid values in words.
    pub fn range(&self) -> String {
        match (self.min, self.max) {
            _ if self.kind == Kind::Text => self.listed(),
            (Some(min), Some(max)) => format!("{min} to {max} {}", self.unit),
            (Some(min), None) => format!("at least {min} {}", self.unit),
            (None, Some(max)) => format!("at most {max} {}", self.unit),
            (None, None) => "any finite number".to_owned(),
        }
        .trim_end()
        .to_owned()
    }

    /// The valid texts, as many of them as a sentence holds.
    fn listed(&self) -> String {
        const MOST: usize = 10;
        let words = self.values.iter().take(MOST).map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if self.values.len() > MOST { format!("{words} and others") } else { words }
    }

    /// How a value in the named unit is converted; `None` where the unit is not known.
    pub fn conversion_from(&self, unit: &str) -> Option<Conversion> {
        let is_named = |known: &str| lower(known).eq(lower(unit.trim()));
        match self.units.iter().find(|(known, _)| is_named(known)) {
            Some((_, conversion)) => Some(*conversion),
            None if !self.unit.is_empty() && is_named(&self.unit) => Some(Conversion::NONE),
            None => None,
        }
    }

    /// The units that may be named, for people.
    pub fn known_units(&self) -> String {
        self.units.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }

    /// Why a calibrated value is not valid, in words, and what may be behind it; `None` when it is.
    pub fn problem_with(&self, value: &Measured) -> Option<String> {
        if self.accepts(value) {
            return None;
        }
        let guess = value.as_number().and_then(|number| self.unit_that_fits(number)).map(|unit| {
            format!(
                "; if it is in {unit}, a unit member or a scale in the catalogue (telemetry.json) converts it"
            )
        });
        let value = shortened(value.to_string());
        Some(format!("{} is {value}, valid is {}{}", self.name, self.range(), guess.unwrap_or_default()))
    }

    /// The unit in which an invalid number would be a valid one: perhaps it was sent in that.
    fn unit_that_fits(&self, value: f64) -> Option<&str> {
        let fits = |conversion: &Conversion| self.accepts(&Measured::Number(conversion.apply(value)));
        self.units.iter().find(|(_, conversion)| fits(conversion)).map(|(unit, _)| unit.as_str())
    }
}

/// The beginning of a text that may be long: what is wrong with a value shows there.
fn shortened(mut text: String) -> String {
    /// Characters.
    const LONGEST: usize = 64;
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    text
}

fn lower(text: &str) -> impl Iterator<Item = char> {
    text.chars().flat_map(char::to_lowercase)
}
