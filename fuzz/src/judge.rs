//! A second implementation of telemetry, written without regard to speed: which readings a body has, and which of
//! them count.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::primitives::ids::DeviceId;
use crate::telemetry::measured::Measured;

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
    pub(crate) values: Vec<Option<Measured>>,
}

/// The expected result for one element; `None` when it has to be rejected. `catalogue` is the catalogue as it is written.
pub(crate) fn reading(element: &str, stamped: Option<&str>, catalogue: &Json) -> Option<Expected> {
    let object = Object::read(element, catalogue)?;
    let mut is_known = false;
    let entries = catalogue["measurements"].as_array()?;
    let mut values: Vec<Option<Measured>> = Vec::new();
    let mut says_unit = Vec::new();
    for entry in entries {
        let found = object.found(&spellings(&entry["spellings"]))?;
        is_known |= found.is_some();
        let value = found.as_ref().map_or(Some(None), |found| measured(entry, found.raw))?;
        let conversion = match (&value, found.as_ref()) {
            (Some(Measured::Number(_)), Some(found)) => own_conversion(entry, found)?,
            _ => None,
        };
        says_unit.push(conversion.is_some());
        values.push(converted(value, conversion.unwrap_or((1.0, 0.0))));
    }
    convert_stated(&object, entries, &mut values, &says_unit)?;
    let named = |fixed: [&str; 2], more: &Json| {
        let mut all = spellings(more);
        all.extend(fixed.map(|name| (name.to_owned(), None)));
        all
    };
    let geo = object.found(&named(["geo", "Geo"], &catalogue["geo"]))?;
    is_known |= geo.is_some();
    area(geo.map_or("null", |found| found.raw))?;
    let id = object.found(&named(["messageId", "Id"], &Json::Null))?;
    text(id.map_or("null", |found| found.raw), true)?;
    is_known |=
        spellings(&catalogue["ignored"]).iter().any(|one| !object.all(std::slice::from_ref(one)).is_empty());
    let device = match stamped {
        Some(stamped) => stamped.to_owned(),
        None => {
            let id = object.found(&named(["deviceId", "DeviceId"], &Json::Null))?;
            text(id.map_or("null", |found| found.raw), false)??
        }
    };
    DeviceId::parse(&device).ok()?;
    is_known.then_some(Expected { device, values })
}

/// A path and its own conversion.
type Spelling = (String, Option<(f64, f64)>);

fn spellings(list: &Json) -> Vec<Spelling> {
    let one = |written: &Json| match written {
        Json::String(path) => (path.clone(), None),
        written => {
            let is_converted = written.get("scale").is_some() || written.get("offset").is_some();
            (written["path"].as_str().unwrap_or_default().to_owned(), is_converted.then(|| factors(written)))
        }
    };
    list.as_array().map(|list| list.iter().map(one).collect()).unwrap_or_default()
}

fn factors(written: &Json) -> (f64, f64) {
    (written["scale"].as_f64().unwrap_or(1.0), written["offset"].as_f64().unwrap_or(0.0))
}

fn converted(value: Option<Measured>, (scale, offset): (f64, f64)) -> Option<Measured> {
    match value {
        Some(Measured::Number(number)) => Some(Measured::Number(number * scale + offset)),
        value => value,
    }
}

/// A value with where it came from.
#[derive(Clone)]
struct Found<'a> {
    raw: &'a str,
    unit: Option<&'a str>,
    conversion: Option<(f64, f64)>,
    is_wrapped: bool,
}

type Named<'a> = Vec<(String, &'a str)>;

/// An object, and everything in it that is looked into like into itself.
struct Object<'a> {
    /// The object, then what wrappers hold; pairs are taken out.
    roots: Vec<(bool, Named<'a>)>,
    /// What pairs say: name, value, unit.
    pairs: Vec<(String, &'a str, Option<&'a str>)>,
    whole: Named<'a>,
}

impl<'a> Object<'a> {
    fn read(element: &'a str, catalogue: &Json) -> Option<Object<'a>> {
        let whole = named(element)?;
        let mut roots = vec![(false, whole.clone())];
        for (wrapper, _) in spellings(&catalogue["wrappers"]) {
            for held in follow(&whole, &split(&wrapper))? {
                for held in list(held).unwrap_or_else(|| vec![held]) {
                    if held.starts_with('{') {
                        roots.push((true, named(held)?));
                    }
                }
            }
        }
        let mut object = Object { roots, pairs: Vec::new(), whole };
        let known = names(catalogue);
        for (_, root) in &mut object.roots {
            for form in catalogue["pairs"].as_array().into_iter().flatten() {
                object.pairs.extend(take_pair(root, form, &known)?);
            }
        }
        // Whatever can be entered has to be readable.
        all_paths(catalogue).iter().try_for_each(|path| object.nested(path).map(|_| ()))?;
        Some(object)
    }

    /// What a path of several names leads to, outside and in wrappers.
    fn nested(&self, path: &str) -> Option<Vec<(bool, &'a str)>> {
        let mut found = Vec::new();
        for (is_wrapped, root) in &self.roots {
            let root = if *is_wrapped { root } else { &self.whole };
            let leads = path.starts_with('/') && !is_wrapped || is_dotted(path);
            if leads {
                found.extend(follow(root, &split(path))?.into_iter().map(|raw| (*is_wrapped, raw)));
            }
        }
        Some(found)
    }

    /// All values under these spellings that count as said.
    fn all(&self, spellings: &[Spelling]) -> Vec<Found<'a>> {
        let mut all = Vec::new();
        for (path, conversion) in spellings {
            let found = |is_wrapped, raw, unit| Found { raw, unit, conversion: *conversion, is_wrapped };
            let mut literal = Vec::new();
            for (is_wrapped, root) in self.roots.iter().filter(|_| !path.starts_with('/')) {
                let same = root.iter().filter(|(name, _)| name == path);
                literal.extend(same.map(|(_, raw)| found(*is_wrapped, raw, None)));
            }
            let pairs = self.pairs.iter().filter(|(name, ..)| name == path && !path.starts_with('/'));
            literal.extend(pairs.map(|(_, raw, unit)| found(true, raw, *unit)));
            for (is_wrapped, raw) in self.nested(path).unwrap_or_default() {
                if !literal.iter().any(|literal| literal.is_wrapped == is_wrapped) || path.starts_with('/') {
                    all.push(found(is_wrapped, raw, None));
                }
            }
            all.extend(literal);
        }
        all
    }

    /// The one value under these spellings: `Some(None)` if there is none, and `None` if there are several.
    fn found(&self, spellings: &[Spelling]) -> Option<Option<Found<'a>>> {
        let all = self.all(spellings);
        let outside = all.iter().any(|found| !found.is_wrapped);
        let mut counting = all.into_iter().filter(|found| !(outside && found.is_wrapped));
        let first = counting.next();
        counting.next().is_none().then_some(first)
    }
}

fn is_dotted(path: &str) -> bool {
    !path.starts_with('/') && path.contains('.') && path.split('.').all(|name| !name.is_empty())
}

fn split(path: &str) -> Vec<String> {
    match path.strip_prefix('/') {
        Some(rest) => rest.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect(),
        None if is_dotted(path) => path.split('.').map(str::to_owned).collect(),
        None => vec![path.to_owned()],
    }
}

/// Every path that a reader may follow.
fn all_paths(catalogue: &Json) -> Vec<String> {
    let mut paths: Vec<String> = names(catalogue);
    paths.extend(spellings(&catalogue["wrappers"]).into_iter().map(|(path, _)| path));
    paths
}

/// Every spelling of anything.
fn names(catalogue: &Json) -> Vec<String> {
    let mut names: Vec<String> =
        ["deviceId", "DeviceId", "messageId", "Id", "geo", "Geo"].map(str::to_owned).to_vec();
    for list in ["time", "geo", "ignored"] {
        names.extend(spellings(&catalogue[list]).into_iter().map(|(path, _)| path));
    }
    for entry in catalogue["measurements"].as_array().into_iter().flatten() {
        names.extend(spellings(&entry["spellings"]).into_iter().map(|(path, _)| path));
        names.extend(unit_members(entry));
    }
    names
}

/// The values that names lead to.
fn follow<'a>(root: &Named<'a>, names: &[String]) -> Option<Vec<&'a str>> {
    let (first, rest) = names.split_first()?;
    let mut found = Vec::new();
    for (_, raw) in root.iter().filter(|(name, _)| name == first) {
        found.extend(descend(raw, rest)?);
    }
    Some(found)
}

fn descend<'a>(raw: &'a str, names: &[String]) -> Option<Vec<&'a str>> {
    let Some((first, rest)) = names.split_first() else { return Some(vec![raw]) };
    if raw.starts_with('{') {
        return follow(&named(raw)?, names);
    }
    let elements = list(raw).unwrap_or_default();
    match elements.iter().enumerate().find(|(index, _)| index.to_string() == *first) {
        Some((_, element)) => descend(element, rest),
        None => Some(Vec::new()),
    }
}

/// Takes a pair of this form out of an object; `None` when one of its members is there twice.
fn take_pair<'a>(
    root: &mut Named<'a>,
    form: &Json,
    known: &[String],
) -> Option<Option<(String, &'a str, Option<&'a str>)>> {
    let all = |part: &str| -> Vec<&'a str> {
        root.iter().filter(|(name, _)| form[part].as_str() == Some(name)).map(|(_, raw)| *raw).collect()
    };
    let (names, values, units) = (all("name"), all("value"), all("unit"));
    let name = names.first().and_then(|raw| serde_json::from_str::<String>(raw).ok());
    let (Some(name), Some(value)) = (name.filter(|name| known.contains(name)), values.first()) else {
        return Some(None);
    };
    if name.starts_with('/') {
        return Some(None);
    }
    if names.len() > 1 || values.len() > 1 || units.len() > 1 {
        return None;
    }
    let pair = (name, *value, units.first().copied());
    let parts = ["name", "value", "unit"].map(|part| form[part].as_str().map(str::to_owned));
    root.retain(|(name, _)| !parts.contains(&Some(name.clone())));
    Some(Some(pair))
}

fn unit_members(entry: &Json) -> Vec<String> {
    match &entry["unitMember"] {
        Json::String(member) => vec![member.clone()],
        members => spellings(members).into_iter().map(|(path, _)| path).collect(),
    }
}

/// How a value in a named unit is converted; `None` for an unknown unit.
fn from_unit(entry: &Json, unit: &str) -> Option<(f64, f64)> {
    let same = |known: &str| known.to_lowercase() == unit.trim().to_lowercase();
    let listed = entry["units"].as_object()?.iter().find(|(known, _)| same(known));
    let own = entry["unit"].as_str().filter(|own| !own.is_empty() && same(own));
    listed.map(|(_, written)| factors(written)).or(own.map(|_| (1.0, 0.0)))
}

/// What the spelling or the pair says about the unit; `None` when that cannot be used.
fn own_conversion(entry: &Json, found: &Found<'_>) -> Option<Option<(f64, f64)>> {
    let has_units = entry["units"].as_object().is_some_and(|units| !units.is_empty());
    match (found.conversion, found.unit.filter(|_| has_units)) {
        (None, Some(unit)) => match text(unit, false)? {
            Some(unit) => from_unit(entry, &unit).map(Some),
            None => Some(None),
        },
        (own, _) => Some(own),
    }
}

/// Converts by what unit members say; `None` when one of them cannot be used.
fn convert_stated(
    object: &Object<'_>,
    entries: &[Json],
    values: &mut [Option<Measured>],
    says_unit: &[bool],
) -> Option<()> {
    let is_only = values.iter().flatten().count() == 1;
    let mut members: Vec<String> = entries.iter().flat_map(unit_members).collect();
    members.sort();
    members.dedup();
    let mut stated = Vec::new();
    for member in &members {
        let sharing: Vec<usize> =
            (0..entries.len()).filter(|&at| unit_members(&entries[at]).contains(member)).collect();
        for found in object.all(&[(member.clone(), None)]) {
            stated.push(((found.is_wrapped, sharing.len() > 1), sharing.clone(), found.raw));
        }
    }
    stated.sort_by_key(|(key, ..)| *key);
    let mut done: Vec<(usize, (bool, bool))> = Vec::new();
    for (key, sharing, raw) in stated {
        let is_meant = |at: &usize| matches!(values[*at], Some(Measured::Number(_))) && !says_unit[*at];
        let meant: Vec<usize> = sharing.iter().copied().filter(is_meant).collect();
        let is_certain = sharing.len() == 1 || is_only;
        let unit = match text(raw, false) {
            _ if meant.is_empty() => continue,
            None if is_certain => return None,
            Some(Some(unit)) => unit,
            None | Some(None) => continue,
        };
        let known: Vec<_> =
            meant.iter().filter_map(|&at| Some((at, from_unit(&entries[at], &unit)?))).collect();
        if known.is_empty() && is_certain {
            return None;
        }
        for (at, conversion) in known {
            match done.iter().find(|(before, _)| *before == at) {
                Some((_, before)) if *before == key => return None,
                Some(_) => {}
                None => {
                    values[at] = converted(values[at].take(), conversion);
                    done.push((at, key));
                }
            }
        }
    }
    Some(())
}

fn measured(entry: &Json, raw: &str) -> Option<Option<Measured>> {
    match entry["kind"].as_str() {
        Some("text") => Some(text(raw, false)?.map(|text| Measured::from(text.as_str()))),
        Some("flag") => {
            let said: Json = serde_json::from_str(raw).ok()?;
            let word = |at: usize| {
                let word = &entry["values"][at];
                !word.is_null() && (said == *word || word.is_number() && said.as_f64() == word.as_f64())
            };
            match said {
                Json::Null => Some(None),
                Json::Bool(flag) => Some(Some(Measured::Flag(flag))),
                _ if word(0) => Some(Some(Measured::Flag(false))),
                _ if word(1) => Some(Some(Measured::Flag(true))),
                _ => None,
            }
        }
        _ => Some(number(raw)?.map(Measured::Number)),
    }
}

/// The members of an object with their names; `None` when it is none, or a name is no text.
fn named(json: &str) -> Option<Named<'_>> {
    let text = |(name, value)| Some((serde_json::from_str(name).ok()?, value));
    members(json)?.into_iter().map(text).collect()
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
