//! What one object held, before it is known whether it is a reading. Pure.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::reading::{Reading, named};
use super::seen::{Seen, duplicate, field};
use super::units::{self, Stated};
use super::values;
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::Catalogue;
use crate::telemetry::catalogue::paths::{Place, Target};
use crate::telemetry::measured::Measured;

/// A member that the catalogue knows.
pub(super) struct Finding<'de> {
    /// Its place in the catalogue's paths.
    pub(super) place: u16,
    /// Its JSON.
    pub(super) raw: &'de str,
    /// The JSON of its unit, where a pair of name and value has one.
    pub(super) unit: Option<&'de str>,
    /// Whether a path led to it, and not a name.
    pub(super) is_nested: bool,
    /// Whether it was in a wrapper or is a pair. What stands outside goes before it.
    pub(super) is_wrapped: bool,
}

/// What one object held.
pub(super) struct Draft<'c, 'de> {
    catalogue: &'c Catalogue,
    is_stamped: bool,
    device: Option<String>,
    message_id: Option<String>,
    geo: Option<String>,
    raw: Vec<(usize, Measured)>,
    seen: Seen,
    /// Measurements whose unit needs no other member: the spelling or the pair says it.
    with_unit: Seen,
    /// Whether there was anything for which a reading is sent.
    is_known: bool,
    rejection: Option<Rejection>,
    /// What is looked at when everything was met, because other members may go before it.
    later: Vec<Finding<'de>>,
    /// Dotted paths that were members' names, outside and in wrappers.
    literal: Vec<(bool, u16)>,
    units: Vec<Stated<'c, 'de>>,
    time: Option<((bool, u16), &'de str)>,
}

impl<'c, 'de> Draft<'c, 'de> {
    pub(super) fn new(catalogue: &'c Catalogue, is_stamped: bool) -> Draft<'c, 'de> {
        Draft {
            catalogue,
            is_stamped,
            device: None,
            message_id: None,
            geo: None,
            raw: Vec::new(),
            seen: Seen::default(),
            with_unit: Seen::default(),
            is_known: false,
            rejection: None,
            later: Vec::new(),
            literal: Vec::new(),
            units: Vec::new(),
            time: None,
        }
    }

    /// Keeps the first rejection: later ones often follow from it.
    pub(super) fn note(&mut self, rejection: Rejection) {
        self.rejection.get_or_insert(rejection);
    }

    /// Takes a member at once, or later where others may go before it.
    pub(super) fn found(&mut self, finding: Finding<'de>) {
        let place = self.place(finding.place);
        if finding.is_wrapped || (finding.is_nested && place.dotted) {
            self.later.push(finding);
        } else {
            self.take(&finding);
        }
    }

    fn place(&self, number: u16) -> &'c Place {
        self.catalogue.paths().place(number)
    }

    fn take(&mut self, finding: &Finding<'de>) {
        let Finding { place: number, raw, is_wrapped, .. } = *finding;
        let place = self.place(number);
        if place.dotted && !finding.is_nested && !self.literal.contains(&(is_wrapped, number)) {
            self.literal.push((is_wrapped, number));
        }
        match place.target {
            Target::Device if self.is_stamped => {}
            Target::Measurement(at) => self.take_measurement(usize::from(at), place, finding),
            Target::Unit(unit) => {
                self.units.push(Stated { unit, name: &place.spelling, raw, is_wrapped });
            }
            Target::Time(order) => {
                if self.time.is_none_or(|(before, _)| (is_wrapped, order) < before) {
                    self.time = Some(((is_wrapped, order), raw));
                }
            }
            Target::Ignored => self.is_known = true,
            Target::Device | Target::MessageId | Target::Geo => self.take_text(place, raw),
        }
    }

    fn take_measurement(&mut self, at: usize, place: &'c Place, finding: &Finding<'de>) {
        self.is_known = true;
        if self.seen.before(at) {
            return self.note(duplicate(&place.spelling));
        }
        let entry = &self.catalogue.measurements()[at];
        match values::measured(entry, &place.spelling, finding.raw) {
            Ok(Some(Measured::Number(number))) => {
                let conversion = match (place.conversion, finding.unit) {
                    (None, Some(unit)) => units::of_pair(entry, unit),
                    (own, _) => Ok(own),
                };
                match conversion {
                    Ok(Some(conversion)) => {
                        self.with_unit.before(at);
                        self.raw.push((at, Measured::Number(conversion.apply(number))));
                    }
                    Ok(None) => self.raw.push((at, Measured::Number(number))),
                    Err(rejection) => self.note(rejection),
                }
            }
            Ok(Some(value)) => self.raw.push((at, value)),
            Ok(None) => {}
            Err(rejection) => self.note(rejection),
        }
    }

    fn take_text(&mut self, place: &Place, raw: &str) {
        self.is_known |= place.target == Target::Geo;
        if field(place.target).is_some_and(|field| self.seen.before(field)) {
            return self.note(duplicate(&place.spelling));
        }
        let value = match place.target {
            Target::Geo => values::area(&place.spelling, raw),
            target => values::text(&place.spelling, raw, target == Target::MessageId),
        };
        let value = match value {
            Ok(value) => value,
            Err(rejection) => return self.note(rejection),
        };
        match place.target {
            Target::Device => self.device = value,
            Target::MessageId => self.message_id = value,
            _ => self.geo = value,
        }
    }

    /// Takes what had to wait. A member named like a dotted path goes before what the path leads to, and what stands outside
    /// goes before what a wrapper holds.
    fn take_later(&mut self) {
        let later = std::mem::take(&mut self.later);
        for finding in later.iter().filter(|finding| !finding.is_wrapped) {
            self.take_unless_literal(finding);
        }
        let outside = self.seen;
        let is_free = |finding: &&Finding<'de>, catalogue: &Catalogue| {
            let target = catalogue.paths().place(finding.place).target;
            field(target).is_none_or(|field| !outside.has(field))
        };
        let wrapped = later.iter().filter(|finding| finding.is_wrapped);
        let free: Vec<_> = wrapped.filter(|finding| is_free(finding, self.catalogue)).collect();
        let is_path = |finding: &Finding<'de>, catalogue: &Catalogue| {
            finding.is_nested && catalogue.paths().place(finding.place).dotted
        };
        for finding in free.iter().filter(|finding| !is_path(finding, self.catalogue)) {
            self.take(finding);
        }
        for finding in free.iter().filter(|finding| is_path(finding, self.catalogue)) {
            self.take_unless_literal(finding);
        }
    }

    fn take_unless_literal(&mut self, finding: &Finding<'de>) {
        if !self.literal.contains(&(finding.is_wrapped, finding.place)) {
            self.take(finding);
        }
    }

    /// The reading, or why there is none. `text` is the object.
    pub(super) fn into_reading(mut self, stamped: Option<&str>, text: &str) -> Result<Reading, Rejection> {
        if !self.later.is_empty() {
            self.take_later();
        }
        if !self.units.is_empty() {
            let units = std::mem::take(&mut self.units);
            if let Err(rejection) = units::convert(&mut self.raw, units, self.with_unit, self.catalogue) {
                self.note(rejection);
            }
        }
        let claimed = stamped.or(self.device.as_deref());
        if let Some(rejection) = self.rejection {
            return Err(named(rejection, claimed));
        }
        let Some(claimed) = claimed else {
            return Err(Rejection::new(
                Reason::DeviceId,
                "there is no device id: the hub stamped none and the body has none",
            ));
        };
        let device = DeviceId::parse(claimed)
            .map_err(|error| named(Rejection::new(Reason::DeviceId, error.to_string()), Some(claimed)))?;
        if !self.is_known {
            return Err(named(nothing_known(text), Some(claimed)));
        }
        let (measured_at, clock_ignored) = clock(self.time.map(|(_, raw)| raw));
        Ok(Reading {
            device,
            message_id: self.message_id,
            geo: self.geo,
            raw: self.raw,
            measured_at,
            clock_ignored,
        })
    }
}

/// The time that a member says, and whether it says one that cannot be used.
fn clock(raw: Option<&str>) -> (Option<Millis>, bool) {
    match raw.filter(|raw| !values::is_null(raw)) {
        Some(raw) => match values::time(raw) {
            None => (None, true),
            time => (time, false),
        },
        None => (None, false),
    }
}

/// Says which members there are instead of known ones.
fn nothing_known(text: &str) -> Rejection {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Names { first, others } = deserializer.deserialize_map(Names::default()).unwrap_or_default();
    let others = if others > 0 { format!(" and {others} more") } else { String::new() };
    let detail = match first.is_empty() {
        true => "the object is empty".to_owned(),
        false => format!(
            "nothing in it is known, its members are {}{others}: the catalogue (telemetry.json) says what is measured",
            first.join(", ")
        ),
    };
    Rejection::new(Reason::NothingKnown, detail)
}

/// The names of an object's members: the first ones, and how many others there are.
#[derive(Default)]
struct Names {
    first: Vec<String>,
    others: usize,
}

impl Names {
    /// How many names are said.
    const MOST: usize = 10;
    /// Characters of a name that are said.
    const LONGEST: usize = 32;
}

impl<'de> Visitor<'de> for Names {
    type Value = Names;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Names, A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if self.first.len() == Names::MOST {
                self.others += 1;
                continue;
            }
            self.first.push(match name.char_indices().nth(Names::LONGEST) {
                Some((end, _)) => format!("{:?}…", &name[..end]),
                None => format!("{name:?}"),
            });
        }
        Ok(self)
    }
}
