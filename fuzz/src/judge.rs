//! A second implementation of telemetry, written without regard to speed: which readings a body has, and which of
//! them count.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::primitives::ids::DeviceId;
use crate::telemetry::catalogue::Catalogue;

/// The limits of nesting, of readings in a body and of characters in a text, as in `src/telemetry/body.rs`.
const DEEPEST: usize = 64;
const MOST_READINGS: usize = 20_000;
const LONGEST_TEXT: usize = 256;

/// The text of a reading, and whether it is JSON at all.
pub(crate) type Element<'t> = (&'t str, bool);

/// The readings of a text, in order; `None` when it has to be rejected as a whole.
pub(crate) fn elements(text: &[u8]) -> Option<Vec<Element<'_>>> {
    let text = std::str::from_utf8(text).ok()?.trim_matches(['\0', ' ', '\t', '\r', '\n']);
    let elements = match text.contains('\u{1e}') {
        true => text.split('\u{1e}').map(trimmed).filter(|record| !record.is_empty()).fold(
            Vec::new(),
            |mut all, record| {
                all.extend(sequence(record).unwrap_or_else(|| vec![(record, false)]));
                all
            },
        ),
        false => sequence(text)?,
    };
    match elements[..] {
        [(_, false)] => None,
        _ => (1..=MOST_READINGS).contains(&elements.len()).then_some(elements),
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t', '\r', '\n'])
}

/// Values one after the other: as far as one ends where the next begins, and after that line by line.
fn sequence(text: &str) -> Option<Vec<Element<'_>>> {
    if is_json(text) {
        return Some(expanded(text));
    }
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(value) = container(&text[at..]) {
        let behind = at + value.len();
        let next = behind
            + (text[behind..].len() - text[behind..].trim_start_matches([' ', '\t', '\r', '\n']).len());
        let at_line = text[behind..next].contains('\n');
        if !(next == text.len() || text[next..].starts_with(['{', '[']) || at_line && in_lines(&text[next..]))
        {
            break;
        }
        found.extend(expanded(value));
        at = next;
    }
    let rest = &text[at..];
    let begins_line = at == 0 || text[..at].trim_end_matches([' ', '\t']).ends_with('\n');
    if rest.is_empty() {
        Some(found)
    } else if begins_line && text.starts_with('{') && in_lines(rest) {
        for line in rest.split('\n').map(trimmed).filter(|line| !line.is_empty()) {
            match is_json(line) {
                true => found.extend(expanded(line)),
                false => found.push((line, false)),
            }
        }
        Some(found)
    } else if at > 0 && rest.starts_with(['{', '[']) {
        found.push((rest, false));
        Some(found)
    } else {
        None
    }
}

fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok() && text == trimmed(text)
}

/// The object or array that a text begins with, by its brackets.
fn container(text: &str) -> Option<&str> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some(&text[..=at]).filter(|value| is_json(value));
        }
    }
    None
}

/// Whether each line can be a record: none begins or ends like a part of a larger value.
fn in_lines(text: &str) -> bool {
    text.split('\n').all(|line| {
        let (first, last) = (line.chars().next(), trimmed(line).chars().last());
        let inner = matches!(first, Some(' ' | '\t')) && !trimmed(line).is_empty();
        !inner
            && (trimmed(line).is_empty() || !matches!(first, Some('}' | ']' | ',' | ':' | '"')))
            && !matches!(last, Some('{' | '[' | ',' | ':'))
    }) && !text.contains('\0')
}

/// The readings of one value.
fn expanded(value: &str) -> Vec<Element<'_>> {
    if depth(value) > DEEPEST {
        return vec![(value, false)];
    }
    match list(value) {
        Some(elements) if elements.is_empty() => vec![(value, false)],
        Some(elements) => elements.into_iter().map(|element| (element, true)).collect(),
        None => vec![(value, true)],
    }
}

/// The expected result for a reading: its device, and its values by their position in the catalogue.
#[derive(Debug, PartialEq)]
pub(crate) struct Expected {
    pub(crate) device: String,
    pub(crate) values: Vec<Option<f64>>,
}

/// The expected result for one element; `None` when it has to be rejected.
pub(crate) fn reading(element: &str, stamped: Option<&str>, catalogue: &Catalogue) -> Option<Expected> {
    let named: Vec<(String, &str)> = members(element)?
        .into_iter()
        .map(|(name, value)| Some((serde_json::from_str(name).ok()?, value)))
        .collect::<Option<_>>()?;
    let measured = |spellings: &[String]| {
        let spellings: Vec<&str> = spellings.iter().map(String::as_str).collect();
        number(only(&named, &spellings)?)
    };
    let values = catalogue
        .measurements()
        .iter()
        .map(|measurement| measured(&measurement.spellings))
        .collect::<Option<_>>()?;
    area(only(&named, &["geo", "Geo"])?)?;
    text(only(&named, &["messageId", "Id"])?, true)?;
    let device = match stamped {
        Some(stamped) => stamped.to_owned(),
        None => text(only(&named, &["deviceId", "DeviceId"])?, false)??,
    };
    DeviceId::parse(&device).ok()?;
    Some(Expected { device, values })
}

/// The value under any of these names: `null` if there is none, and `None` if there are several.
fn only<'a>(named: &[(String, &'a str)], names: &[&str]) -> Option<&'a str> {
    let mut values = named.iter().filter(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| *value);
    let first = values.next().unwrap_or("null");
    values.next().is_none().then_some(first)
}

fn number(value: &str) -> Option<Option<f64>> {
    match value {
        "null" => Some(None),
        _ if value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
            value.parse::<f64>().ok().filter(|number| number.is_finite()).map(Some)
        }
        _ => None,
    }
}

fn text(value: &str, may_be_number: bool) -> Option<Option<String>> {
    let text = match value.as_bytes()[0] {
        b'"' => serde_json::from_str::<String>(value).ok()?,
        b'-' | b'0'..=b'9' if may_be_number => value.to_owned(),
        _ if value == "null" => return Some(None),
        _ => return None,
    };
    let kept = |c: char| !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}';
    (text.chars().count() <= LONGEST_TEXT && text.chars().all(kept)).then_some(Some(text))
}

/// A blank one is none; in an address, where each byte that is no plain character takes three, it has at most 2,000.
fn area(value: &str) -> Option<()> {
    let blank = serde_json::from_str::<String>(value)
        .is_ok_and(|text| text.chars().count() <= LONGEST_TEXT && text.chars().all(char::is_whitespace));
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let fits =
        |text: &String| text.bytes().map(|byte| if plain(byte) { 1 } else { 3 }).sum::<usize>() <= 2_000;
    (blank || text(value, false)?.as_ref().is_none_or(fits)).then_some(())
}

/// How deep arrays and objects are nested.
fn depth(json: &str) -> usize {
    let inner = match (list(json), members(json)) {
        (Some(elements), _) => elements,
        (_, Some(members)) => members.into_iter().map(|(_, value)| value).collect(),
        (None, None) => return 0,
    };
    1 + inner.into_iter().map(depth).max().unwrap_or_default()
}

fn list(json: &str) -> Option<Vec<&str>> {
    let elements: Vec<&RawValue> = serde_json::from_str(json).ok()?;
    Some(elements.into_iter().map(RawValue::get).collect())
}

/// The members of an object in order, with duplicates, and with names as they are written.
fn members(json: &str) -> Option<Vec<(&str, &str)>> {
    serde_json::from_str::<Members<'_>>(json).ok().map(|members| members.0)
}

struct Members<'a>(Vec<(&'a str, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        deserializer.deserialize_map(InOrder).map(Members)
    }
}

struct InOrder;

impl<'de> Visitor<'de> for InOrder {
    type Value = Vec<(&'de str, &'de str)>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            members.push((name.get(), value.get()));
        }
        Ok(members)
    }
}
