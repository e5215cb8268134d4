//! Units that a body states beside its values. A stated unit is never passed over in silence: a value in °F must not be shown
//! as °C. Pure.

use super::seen::{Seen, duplicate};
use super::values;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::{Catalogue, Conversion, Measurement};
use crate::telemetry::measured::Measured;

/// A unit that a member names.
pub(super) struct Stated<'c, 'de> {
    /// The unit member, by its position in the catalogue.
    pub(super) unit: u16,
    /// The member's spelling.
    pub(super) name: &'c str,
    /// Its JSON.
    pub(super) raw: &'de str,
    /// Whether it was in a wrapper.
    pub(super) is_wrapped: bool,
}

/// What a value is converted by whose pair of name and value states a unit. A measurement without units has nothing to
/// compare it with.
pub(super) fn of_pair(entry: &Measurement, raw: &str) -> Result<Option<Conversion>, Rejection> {
    if entry.units.is_empty() {
        return Ok(None);
    }
    let name = format!("the unit of {}", entry.name);
    let Some(text) = values::text(&name, raw, false)? else { return Ok(None) };
    entry.conversion_from(&text).map(Some).ok_or_else(|| unknown(&name, &text, &[entry]))
}

/// Converts the values whose units are stated. What stands outside goes before what a wrapper holds, and a member of one
/// measurement before one that several share. A shared one that no value knows is about something else, unless there is
/// only one value.
pub(super) fn convert(
    raw: &mut [(usize, Measured)],
    mut stated: Vec<Stated<'_, '_>>,
    with_unit: Seen,
    catalogue: &Catalogue,
) -> Result<(), Rejection> {
    let order = |stated: &Stated<'_, '_>| (stated.is_wrapped, catalogue.sharing_unit(stated.unit).len() > 1);
    stated.sort_by_key(order);
    let mut converted = Vec::new();
    for one in &stated {
        let (key, sharing) = (order(one), catalogue.sharing_unit(one.unit));
        let is_meant = |at: &usize| sharing.contains(at) && !with_unit.has(*at);
        let meant: Vec<usize> = (0..raw.len()).filter(|&place| is_meant(&raw[place].0)).collect();
        let is_certain = sharing.len() == 1 || raw.len() == 1;
        let text = match values::text(one.name, one.raw, false) {
            Ok(Some(text)) if !meant.is_empty() => text,
            Err(rejection) if is_certain && !meant.is_empty() => return Err(rejection),
            _ => continue,
        };
        let entry = |place: usize| &catalogue.measurements()[raw[place].0];
        let known = meant.iter().filter_map(|&place| Some((place, entry(place).conversion_from(&text)?)));
        let known: Vec<(usize, Conversion)> = known.collect();
        if known.is_empty() && is_certain {
            let entries: Vec<&Measurement> = meant.iter().map(|&place| entry(place)).collect();
            return Err(unknown(one.name, &text, &entries));
        }
        for (place, conversion) in known {
            match converted.iter().find(|(before, _)| *before == place) {
                Some((_, before)) if *before == key => return Err(duplicate(one.name)),
                Some(_) => {}
                None => {
                    let value = raw[place].1.as_number().map(|number| conversion.apply(number));
                    raw[place].1 = value.map_or_else(|| raw[place].1.clone(), Measured::Number);
                    converted.push((place, key));
                }
            }
        }
    }
    Ok(())
}

fn unknown(name: &str, unit: &str, entries: &[&Measurement]) -> Rejection {
    /// Characters of the unit that are said.
    const LONGEST: usize = 32;
    let unit: String = unit.chars().take(LONGEST).collect();
    let known: Vec<String> = entries.iter().map(|entry| entry.known_units()).collect();
    Rejection::new(Reason::WrongType, format!("{name} is {unit:?}, known are {}", known.join(", ")))
}
