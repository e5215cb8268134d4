//! Message enrichments: what IoT Hub adds to a message as application properties, such as an area from the device's twin.
//! The body goes before them. Pure.

use super::reading::Reading;
use super::values;
use crate::telemetry::catalogue::paths::Target;
use crate::telemetry::catalogue::{Catalogue, Kind};
use crate::telemetry::measured::Measured;

/// What application properties say about the readings of a message: area, message id and measured texts, under their
/// spellings.
#[derive(Debug, Default)]
pub struct Enrichments {
    geo: Option<String>,
    message_id: Option<String>,
    texts: Vec<(usize, Measured)>,
}

impl Enrichments {
    /// Reads application properties: a JSON object. What is of no use is passed over, since no reading is wrong for it; of
    /// several spellings of one field the first is taken.
    pub fn read(properties: &str, catalogue: &Catalogue) -> Enrichments {
        let mut found = Enrichments::default();
        // Most messages have none.
        if matches!(properties.trim_ascii(), "" | "{}" | "null") {
            return found;
        }
        let members: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(properties).unwrap_or_default();
        for (name, value) in &members {
            let Some(number) = catalogue.paths().place_named(name) else { continue };
            let (target, raw) = (catalogue.paths().place(number).target, value.to_string());
            let text = match target {
                Target::Geo => values::area(name, &raw),
                _ => values::text(name, &raw, true),
            };
            let Some(text) = text.ok().flatten() else { continue };
            match target {
                Target::Geo => _ = found.geo.get_or_insert(text),
                Target::MessageId => _ = found.message_id.get_or_insert(text),
                Target::Measurement(at) => found.take(usize::from(at), &text, catalogue),
                _ => {}
            }
        }
        found
    }

    fn take(&mut self, at: usize, text: &str, catalogue: &Catalogue) {
        let (entry, value) = (&catalogue.measurements()[at], Measured::from(text));
        let is_new = self.texts.iter().all(|(known, _)| *known != at);
        if entry.kind == Kind::Text && is_new && entry.accepts(&value) {
            self.texts.push((at, value));
        }
    }

    /// Gives a reading what its body did not say.
    pub fn fill(&self, reading: &mut Reading) {
        for (missing, value) in [(&mut reading.geo, &self.geo), (&mut reading.message_id, &self.message_id)] {
            if missing.is_none() {
                missing.clone_from(value);
            }
        }
        for (at, value) in &self.texts {
            if reading.raw.iter().all(|(known, _)| known != at) {
                reading.raw.push((*at, value.clone()));
            }
        }
    }
}
