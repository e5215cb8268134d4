//! The readings that a text holds: one object, the elements of an array, or several of both one after the other, with white
//! space, line ends (NDJSON) or record separators (RFC 7464) between them.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::advice::not_json;
use crate::rejected::reading::{Reason, Rejection};

/// Nesting that is read; Json.NET, which the Functions host uses, stops at 64 as well.
const DEEPEST: usize = 64;
/// Readings in one body. The shortest useful one, `{"light":5}`, fits 21,000 times into IoT Hub's 256 KB; what has more is
/// an array of something else, and each element costs time, though a body is one row however many are rejected.
const MOST_READINGS: usize = 20_000;
/// Readings that any packed body may have, and how many more for each of its bytes: a small body that unpacks to the same
/// element again and again must not cost as much as a large one.
const FEW_READINGS: usize = 2_000;
const READINGS_A_BYTE: usize = 4;
/// Elements of a body of which it is worked out what is wrong with them. The others are told in the same words.
const EXPLAINED: usize = 8;

/// Begins each record of a JSON text sequence; JSON has no place for it.
const RECORD_SEPARATOR: char = '\u{1e}';
const JSON_SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

/// One reading of several, or what stands where one should.
#[derive(Debug, PartialEq)]
pub(super) struct Part<'t> {
    pub(super) text: &'t str,
    /// Why it is none; what is left open is up to its members.
    pub(super) rejection: Option<Rejection>,
}

impl<'t> Part<'t> {
    fn rejected(text: &'t str, rejection: Rejection) -> Part<'t> {
        Part { text, rejection: Some(rejection) }
    }

    fn unreadable(text: &'t str) -> Part<'t> {
        Part::rejected(text, unreadable(text))
    }
}

/// The most readings of a body that was packed into so many bytes.
pub(super) fn most_of_packed(bytes: usize) -> usize {
    MOST_READINGS.min(FEW_READINGS + READINGS_A_BYTE.saturating_mul(bytes))
}

/// The most readings of a body that was not packed.
pub(super) const fn most_of_plain() -> usize {
    MOST_READINGS
}

/// Splits a text without padding around it into at most so many readings.
///
/// # Errors
/// Why the text is rejected as a whole.
pub(super) fn split(text: &str, most: usize) -> Result<Vec<Part<'_>>, Rejection> {
    let mut parts = Parts { most, ..Parts::default() };
    if text.is_empty() {
        return Err(empty());
    }
    match text.contains(RECORD_SEPARATOR) {
        true => {
            let records = text.split(RECORD_SEPARATOR).map(|record| record.trim_matches(JSON_SPACE));
            for record in records.filter(|record| !record.is_empty()) {
                let before = parts.mark();
                if let Err(rejection) = parts.take_sequence(record) {
                    parts.back_to(before);
                    parts.push(Part::rejected(record, rejection));
                }
            }
        }
        false => parts.take_sequence(text)?,
    }
    match parts.count {
        0 => Err(empty()),
        found if found <= most => Ok(parts.kept),
        found => {
            Err(Rejection::new(Reason::TooMany, format!("{found} readings in one body, at most {most}")))
        }
    }
}

/// The parts so far. Beyond the limit they are only counted.
#[derive(Default)]
struct Parts<'t> {
    most: usize,
    kept: Vec<Part<'t>>,
    count: usize,
    /// Parts that cannot be read, so far.
    unreadable: usize,
}

impl<'t> Parts<'t> {
    fn push(&mut self, part: Part<'t>) {
        if self.kept.len() < self.most {
            self.kept.push(part);
        }
        self.count += 1;
    }

    fn push_unreadable(&mut self, text: &'t str) {
        self.unreadable += 1;
        self.push(match self.unreadable <= EXPLAINED {
            true => Part::unreadable(text),
            false => Part::rejected(text, Rejection::new(Reason::Unreadable, "the line is not JSON")),
        });
    }

    /// How many there are, kept and counted.
    fn mark(&self) -> (usize, usize) {
        (self.kept.len(), self.count)
    }

    /// Forgets what came after a mark.
    fn back_to(&mut self, (kept, count): (usize, usize)) {
        self.kept.truncate(kept);
        self.count = count;
    }

    /// Values one after the other; an error is for all of them.
    fn take_sequence(&mut self, text: &'t str) -> Result<(), Rejection> {
        // Nearly every body with several readings is one array. An object was found not to be the whole text.
        if !text.starts_with('{') && self.take_whole(text) {
            return Ok(());
        }
        let (mut rest, before) = (text, self.count);
        loop {
            match first_value(rest) {
                Some((value, behind)) if is_delimited(value, behind) => {
                    self.take_value(value);
                    rest = behind.trim_start_matches(JSON_SPACE);
                    if rest.is_empty() {
                        return Ok(());
                    }
                }
                _ => break,
            }
        }
        let line_before = text[..text.len() - rest.len()].trim_end_matches([' ', '\t']);
        let begins_a_line = line_before.is_empty() || line_before.ends_with('\n');
        let is_first = self.count == before;
        match rest.as_bytes().first() {
            _ if begins_a_line && are_records(rest) && text.starts_with('{') => self.take_lines(rest),
            // The boundary in front of it is known, the next is not.
            Some(b'{' | b'[') if !is_first => self.push(Part::unreadable(rest)),
            _ => return Err(unreadable(text)),
        }
        Ok(())
    }

    /// A value, or what cannot be read, in each line.
    fn take_lines(&mut self, lines: &'t str) {
        let lines = lines.split('\n').map(|line| line.trim_matches(JSON_SPACE));
        for line in lines.filter(|line| !line.is_empty()) {
            if !self.take_whole(line) {
                self.push_unreadable(line);
            }
        }
    }

    /// A text that is one value; false where it is not.
    fn take_whole(&mut self, text: &'t str) -> bool {
        if is_too_deep(text) || !text.starts_with('[') {
            let is_json = serde_json::from_str::<IgnoredAny>(text).is_ok();
            if is_json {
                self.take_value(text);
            }
            return is_json;
        }
        let before = self.mark();
        if self.take_elements(text).is_err() {
            self.back_to(before);
            return false;
        }
        if self.mark() == before {
            self.push(Part::rejected(text, Rejection::new(Reason::Unreadable, "the array is empty")));
        }
        true
    }

    /// A text that is known to be one value.
    fn take_value(&mut self, value: &'t str) {
        if is_too_deep(value) {
            let detail = format!("the body is nested deeper than {DEEPEST} levels");
            self.push(Part::rejected(value, Rejection::new(Reason::Unreadable, detail)));
        } else if value.starts_with('[') {
            self.take_whole(value);
        } else {
            self.push(Part { text: value, rejection: None });
        }
    }

    fn take_elements(&mut self, array: &'t str) -> Result<(), serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_str(array);
        Elements(self).deserialize(&mut deserializer)?;
        deserializer.end()
    }
}

fn empty() -> Rejection {
    Rejection::new(Reason::Unreadable, "the body is empty")
}

fn unreadable(text: &str) -> Rejection {
    let detail = match serde_json::from_str::<IgnoredAny>(text) {
        Err(error) => not_json(text, &error),
        Ok(_) => "the body is not JSON".to_owned(),
    };
    Rejection::new(Reason::Unreadable, detail)
}

/// The first JSON value of a text, and what is behind it.
fn first_value(text: &str) -> Option<(&str, &str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    text.get(values.byte_offset()..).map(|behind| (value, behind))
}

/// Whether what is behind a value is the end or begins another one. Anything else makes doubtful where the value ends.
fn is_delimited(value: &str, behind: &str) -> bool {
    let next = behind.trim_start_matches(JSON_SPACE);
    let between = &behind[..behind.len() - next.len()];
    let is_container = value.starts_with(['{', '[']);
    is_container
        && (next.is_empty() || next.starts_with(['{', '[']) || (between.contains('\n') && are_records(next)))
}

/// Whether each line can be a record of its own: none begins or ends as only a part of a value does. Otherwise a line of a
/// larger value, which cannot be read as a whole, would be taken for a reading.
fn are_records(lines: &str) -> bool {
    let is_one = |line: &str| {
        let line = line.trim_end_matches(JSON_SPACE);
        !line.starts_with([' ', '\t', '}', ']', ',', ':', '"']) && !line.ends_with(['{', '[', ',', ':'])
    };
    !lines.contains('\0') && lines.split('\n').all(is_one)
}

/// Counts open brackets outside strings. Most bodies have few brackets at all, which one cheap count settles.
pub(super) fn is_too_deep(text: &str) -> bool {
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() <= DEEPEST {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    text.bytes().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

/// Takes the elements of an array.
struct Elements<'p, 't>(&'p mut Parts<'t>);

impl<'t> DeserializeSeed<'t> for Elements<'_, 't> {
    type Value = ();

    fn deserialize<D: Deserializer<'t>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'t> Visitor<'t> for Elements<'_, 't> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of readings")
    }

    fn visit_seq<A: SeqAccess<'t>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&'t RawValue>()? {
            self.0.push(Part { text: element.get(), rejection: None });
        }
        Ok(())
    }
}
