//! Telemetry bodies: bytes of a device to readings, each accepted or rejected with its reason. Nothing here panics or
//! does I/O, and one bad reading of an array does not touch its neighbours.

mod advice;
mod decode;
mod split;

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use self::advice::not_json;
use self::decode::{Declared, PADDING};
use self::split::Part;
use crate::primitives::area;
use crate::primitives::ids::DeviceId;
use crate::primitives::span::span_of;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::Catalogue;

/// Longest area name and message id, characters. IoT Hub's own limit for message ids is 128.
const LONGEST_TEXT: usize = 256;

/// What a device said in one JSON object: raw values, not yet calibrated or validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Who said it.
    pub device: DeviceId,
    /// `messageId` or `Id` of the body.
    pub message_id: Option<String>,
    /// The area, e.g. a city, which can be followed as a group.
    pub geo: Option<String>,
    /// Values that are present: position in the catalogue, raw value.
    pub raw: Vec<(usize, f64)>,
}

/// One JSON object (or whatever stood in its place) of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its bytes within the body, or within its text where the body had to be unpacked or converted: see [`text_of`].
    pub span: Range<usize>,
    /// The reading, or why there is none.
    pub outcome: Result<Reading, Rejection>,
}

/// Reads a body: one JSON object, an array of them, or several one after the other, in any encoding of Unicode, compressed
/// or not. `encoding` is the message's `content-encoding`. `stamped` is the identity that the hub authenticated; only
/// without it is the body's own id believed.
pub fn read(body: &[u8], encoding: Option<&str>, stamped: Option<&str>, catalogue: &Catalogue) -> Vec<Found> {
    let declared = Declared::of(encoding);
    let whole = |length, outcome: Result<Reading, Rejection>| {
        let outcome = outcome.map_err(|rejection| named(remarked(rejection, &declared), stamped));
        vec![Found { span: 0..length, outcome }]
    };
    let text = match decode::text(body, &declared) {
        Ok(text) => text,
        Err(rejection) => return whole(body.len(), Err(rejection)),
    };
    let bytes = match &text {
        Cow::Borrowed(_) => body,
        Cow::Owned(text) => text.as_bytes(),
    };
    let text = match text.as_bytes() {
        // Nothing around it, which is cheaper to see than to look for.
        [b'{' | b'[', .., b'}' | b']'] => &*text,
        _ => text.trim_matches(PADDING),
    };
    let mut as_one = None;
    if text.starts_with('{') && !split::is_too_deep(text) {
        match read_one(text, stamped, catalogue) {
            // Several of them, perhaps.
            Err(rejection) if rejection.reason == Reason::Unreadable => as_one = Some(rejection),
            outcome => return whole(bytes.len(), outcome),
        }
    }
    let found = |part: Part<'_>| {
        let outcome = match part.rejection {
            Some(rejection) => Err(named(rejection, stamped)),
            None => read_one(part.text, stamped, catalogue),
        };
        Found { span: span_of(part.text, bytes), outcome }
    };
    match parts(text, as_one) {
        Ok(parts) => parts.into_iter().map(found).collect(),
        Err(rejection) => whole(bytes.len(), Err(rejection)),
    }
}

/// The bytes that the spans of [`read`] lie in: the text of a body that had to be unpacked or converted, otherwise the body.
pub fn text_of<'b>(body: &'b [u8], encoding: Option<&str>) -> Cow<'b, [u8]> {
    match decode::text(body, &Declared::of(encoding)) {
        Ok(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        Ok(Cow::Borrowed(_)) | Err(_) => Cow::Borrowed(body),
    }
}

/// The parts of a text, or why it is rejected as a whole. `as_one` is why it is not one reading, where that was tried: it
/// says more than what splitting found.
fn parts(text: &str, as_one: Option<Rejection>) -> Result<Vec<Part<'_>>, Rejection> {
    match split::split(text) {
        Ok(mut parts) if parts.len() == 1 => {
            let alone = &mut parts[0];
            let tried = as_one.filter(|_| alone.text == text || alone.rejection.is_some());
            match tried.or_else(|| alone.rejection.take()) {
                Some(rejection) => Err(rejection),
                None => Ok(parts),
            }
        }
        Ok(parts) => Ok(parts),
        Err(too_many) if too_many.reason == Reason::TooMany => Err(too_many),
        Err(rejection) => Err(as_one.unwrap_or(rejection)),
    }
}

/// An unreadable body may be one in an encoding that is not read here.
fn remarked(mut rejection: Rejection, declared: &Declared<'_>) -> Rejection {
    if rejection.reason == Reason::Unreadable
        && let Some(remark) = declared.remark()
    {
        rejection.detail = format!("{}; {remark}", rejection.detail);
    }
    rejection
}

fn named(mut rejection: Rejection, device: Option<&str>) -> Rejection {
    rejection.device = device.map(str::to_owned);
    rejection
}

fn read_one(text: &str, stamped: Option<&str>, catalogue: &Catalogue) -> Result<Reading, Rejection> {
    if !text.trim_ascii_start().starts_with('{') {
        let rejection = match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Rejection::new(Reason::WrongType, "a reading must be a JSON object"),
            Err(error) => Rejection::new(Reason::Unreadable, not_json(text, &error)),
        };
        return Err(named(rejection, stamped));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let fields = Fields { catalogue, stamped: stamped.is_some() }
        .deserialize(&mut deserializer)
        .and_then(|fields| deserializer.end().map(|()| fields))
        .map_err(|error| named(Rejection::new(Reason::Unreadable, not_json(text, &error)), stamped))?;
    fields.into_reading(stamped)
}

/// What one object held, before it is known whether it is a reading.
#[derive(Default)]
struct Draft {
    device: Option<String>,
    message_id: Option<String>,
    geo: Option<String>,
    raw: Vec<(usize, f64)>,
    seen: Seen,
    seen_texts: Seen,
    rejection: Option<Rejection>,
}

impl Draft {
    fn into_reading(self, stamped: Option<&str>) -> Result<Reading, Rejection> {
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
        Ok(Reading { device, message_id: self.message_id, geo: self.geo, raw: self.raw })
    }

    /// Keeps the first rejection: later ones often follow from it.
    fn note(&mut self, rejection: Rejection) {
        self.rejection.get_or_insert(rejection);
    }

    fn take_measurement(&mut self, at: usize, name: &str, raw: &str) {
        if self.seen.before(at) {
            return self.note(duplicate(name));
        }
        match number(name, raw) {
            Ok(Some(value)) => self.raw.push((at, value)),
            Ok(None) => {}
            Err(rejection) => self.note(rejection),
        }
    }

    fn take_text(&mut self, slot: Slot, name: &str, raw: &str) {
        if self.seen_texts.before(slot as usize) {
            return self.note(duplicate(name));
        }
        let value = match text(name, raw, slot) {
            Ok(value) => value,
            Err(rejection) => return self.note(rejection),
        };
        match slot {
            Slot::Device => self.device = value,
            Slot::MessageId => self.message_id = value,
            Slot::Geo => self.geo = value,
        }
    }
}

/// Which fields were there, a bit for each. A catalogue has at most 200 measurements.
#[derive(Default)]
struct Seen([u64; 4]);

impl Seen {
    /// Whether a field was there before; now it was.
    fn before(&mut self, field: usize) -> bool {
        let (word, bit) = (&mut self.0[field / 64], 1 << (field % 64));
        let before = *word & bit != 0;
        *word |= bit;
        before
    }
}

fn duplicate(name: &str) -> Rejection {
    Rejection::new(
        Reason::DuplicateField,
        format!("{name} is there twice (all spellings of one field count as the same)"),
    )
}

/// The text fields of a reading.
#[derive(Clone, Copy, PartialEq)]
enum Slot {
    Device,
    MessageId,
    Geo,
}

fn kind_of(raw: &str) -> &'static str {
    match raw.as_bytes().first() {
        Some(b'"') => "a string",
        Some(b'{') => "an object",
        Some(b'[') => "an array",
        Some(b't' | b'f') => "a boolean",
        Some(b'n') => "null",
        _ => "a number",
    }
}

/// A number, or nothing for `null`. JSON knows no NaN and no infinity; `1e999` is one all the same.
fn number(name: &str, raw: &str) -> Result<Option<f64>, Rejection> {
    match kind_of(raw) {
        "null" => Ok(None),
        "a number" => match raw.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Some(value)),
            _ => Err(Rejection::new(Reason::OutOfRange, format!("{name} is too large for a number"))),
        },
        other => Err(Rejection::new(Reason::WrongType, format!("{name} must be a number, it is {other}"))),
    }
}

/// A text, or nothing for `null`. Devices often count their message ids, so those may be numbers.
fn text(name: &str, raw: &str, slot: Slot) -> Result<Option<String>, Rejection> {
    let value = match kind_of(raw) {
        "null" => return Ok(None),
        "a number" if slot == Slot::MessageId => raw.to_owned(),
        "a string" => serde_json::from_str::<String>(raw)
            .map_err(|error| Rejection::new(Reason::Unreadable, format!("{name} cannot be read: {error}")))?,
        other => {
            return Err(Rejection::new(Reason::WrongType, format!("{name} must be a string, it is {other}")));
        }
    };
    let bad = |problem: String| Err(Rejection::new(Reason::BadText, format!("{name} {problem}")));
    match value.chars().count() {
        length if length > LONGEST_TEXT => {
            bad(format!("has {length} characters, at most {LONGEST_TEXT} are kept"))
        }
        _ if slot == Slot::Geo => area::given(value).or_else(|error| bad(error.to_string())),
        _ if value.contains(unkeepable) => bad("has control characters".to_owned()),
        _ => Ok(Some(value)),
    }
}

/// Characters that XML has no place for. Table Storage refuses rows with some of them, and one reading must not make a
/// whole batch fail.
fn unkeepable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// Reads the members of one object in a single pass, unknown ones skipped without being built.
struct Fields<'c> {
    catalogue: &'c Catalogue,
    stamped: bool,
}

impl<'de> DeserializeSeed<'de> for Fields<'_> {
    type Value = Draft;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Draft, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Draft;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a reading")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Draft, A::Error> {
        let mut draft = Draft::default();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let slot = match &*key {
                "deviceId" | "DeviceId" if !self.stamped => Some(Slot::Device),
                "messageId" | "Id" => Some(Slot::MessageId),
                "geo" | "Geo" => Some(Slot::Geo),
                _ => None,
            };
            match (slot, &*key) {
                (Some(slot), name) => draft.take_text(slot, name, map.next_value::<&RawValue>()?.get()),
                (None, name) => match self.catalogue.position_of(name) {
                    Some(at) => draft.take_measurement(at, name, map.next_value::<&RawValue>()?.get()),
                    None => {
                        map.next_value::<IgnoredAny>()?;
                    }
                },
            }
        }
        Ok(draft)
    }
}

#[cfg(test)]
mod tests;
