//! Reads one JSON object in a single pass, guided by the catalogue's tree of paths. Unknown members are skipped without
//! being built; a nested value is entered only where a path leads through it. Pure.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::draft::{Draft, Finding};
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::Catalogue;
use crate::telemetry::catalogue::paths::{Node, Part, Paths, Step};

/// What the object holds, or where it is no JSON.
pub(super) fn read<'de, 'c>(
    text: &'de str,
    stamped: bool,
    catalogue: &'c Catalogue,
) -> serde_json::Result<Draft<'c, 'de>> {
    let mut draft = Draft::new(catalogue, stamped);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Members {
        draft: &mut draft,
        paths: catalogue.paths(),
        at: Spot { node: Node::READING, is_wrapped: false },
    }
    .deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(draft)
}

/// Where in the tree an object or an array stands.
#[derive(Clone, Copy)]
struct Spot {
    node: Node,
    /// Whether it is there because a wrapper leads to it.
    is_wrapped: bool,
}

/// Reads the members of an object.
struct Members<'a, 'c, 'de> {
    draft: &'a mut Draft<'c, 'de>,
    paths: &'c Paths,
    at: Spot,
}

impl<'c, 'de> Members<'_, 'c, 'de> {
    /// Takes what a step leads to.
    fn take(&mut self, step: Step, is_nested: bool, is_wrapped: bool, raw: &'de str) {
        match step {
            Step::Field(place) | Step::Pair(_, _, Some(place)) => {
                self.draft.found(Finding { place, raw, unit: None, is_nested, is_wrapped });
            }
            Step::Pair(_, _, None) => {}
            Step::Enter(node) => self.enter(Spot { node, is_wrapped }, raw),
        }
    }

    /// Reads an object or an array in which fields may be. Whatever else stands there is unknown.
    fn enter(&mut self, at: Spot, raw: &'de str) {
        let inner = Members { draft: &mut *self.draft, paths: self.paths, at };
        let mut deserializer = serde_json::Deserializer::from_str(raw);
        let done = match raw.as_bytes().first() {
            Some(b'{') => inner.deserialize(&mut deserializer),
            Some(b'[') => deserializer.deserialize_seq(Elements(inner)),
            _ => Ok(()),
        };
        if let Err(error) = done {
            let detail = format!("a nested object cannot be read: {error}");
            self.draft.note(Rejection::new(Reason::Unreadable, detail));
        }
    }

    /// Takes pairs of name and value, and what only looked like parts of one.
    fn take_parts(&mut self, parts: &[Seen<'de>]) {
        let forms = parts.iter().map(|part| part.form).max().map_or(0, |last| last + 1);
        for form in 0..forms {
            let of_form = || parts.iter().filter(|part| part.form == form);
            match self.pair(of_form) {
                Some(finding) => self.draft.found(finding),
                None => of_form().for_each(|part| self.take(part.step, false, part.is_wrapped, part.raw)),
            }
        }
    }

    /// The value that the parts of one form name; `None` when they are no pair of something known.
    fn pair<'s, I: Iterator<Item = &'s Seen<'de>>>(&mut self, parts: impl Fn() -> I) -> Option<Finding<'de>>
    where
        'de: 's,
    {
        let only = |wanted: Part| {
            let mut found = parts().filter(|seen| seen.part == wanted).map(|seen| seen.raw);
            (found.next(), found.next().is_some())
        };
        let ((name, two_names), (value, two_values)) = (only(Part::Name), only(Part::Value));
        let (unit, two_units) = only(Part::Unit);
        let (name, raw) = (serde_json::from_str::<String>(name?).ok()?, value?);
        let place = self.paths.place_named(&name)?;
        if two_names || two_values || two_units {
            let detail = "a pair of name and value has one of its members twice";
            self.draft.note(Rejection::new(Reason::DuplicateField, detail));
        }
        Some(Finding { place, raw, unit, is_nested: false, is_wrapped: true })
    }
}

/// A member that may be part of a pair.
struct Seen<'de> {
    form: u8,
    part: Part,
    step: Step,
    is_wrapped: bool,
    raw: &'de str,
}

impl<'de> DeserializeSeed<'de> for Members<'_, '_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Members<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a reading")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut parts = Vec::new();
        let (paths, at) = (self.paths, self.at);
        while let Some(step) = map.next_key_seed(Name { paths, node: at.node })? {
            let Some((step, by_wrapper)) = step else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let raw = map.next_value::<&'de RawValue>()?.get();
            let is_wrapped = at.is_wrapped || by_wrapper;
            match step {
                Step::Pair(form, part, _) => parts.push(Seen { form, part, step, is_wrapped, raw }),
                step => self.take(step, !by_wrapper && !at.node.is_root(), is_wrapped, raw),
            }
        }
        if !parts.is_empty() {
            self.take_parts(&parts);
        }
        Ok(())
    }
}

/// Looks a member's name up without copying it.
struct Name<'c> {
    paths: &'c Paths,
    node: Node,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<(Step, bool)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<(Step, bool)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a member's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.paths.step(self.node, name))
    }
}

/// Reads the elements of an array: by their number where a path says one, and else, in a wrapper, each as what it holds.
struct Elements<'a, 'c, 'de>(Members<'a, 'c, 'de>);

impl<'de> Visitor<'de> for Elements<'_, '_, 'de> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Elements(mut inner) = self;
        let at = inner.at;
        let mut index = 0;
        while let Some(raw) = elements.next_element::<&'de RawValue>()? {
            match inner.paths.element(at.node, index) {
                Some(step) => inner.take(step, true, at.is_wrapped, raw.get()),
                None if inner.paths.is_wrapper(at.node) && raw.get().starts_with('{') => {
                    inner.enter(Spot { node: Node::WRAPPED, is_wrapped: true }, raw.get());
                }
                None => {}
            }
            index += 1;
        }
        Ok(())
    }
}
