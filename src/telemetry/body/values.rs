//! Single values of a body, from their JSON. Pure.

use crate::primitives::area;
use crate::primitives::instant::Millis;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::{Kind, Measurement};
use crate::telemetry::measured::Measured;

/// Longest area name, message id and measured text, characters. IoT Hub's own limit for message ids is 128.
const LONGEST_TEXT: usize = 256;

/// Longest time in a body, bytes of its JSON.
const LONGEST_TIME: usize = 64;

/// Times that devices measure at: from 2000 on, and before 2100.
const TIMES: std::ops::Range<f64> = 946_684_800_000.0..4_102_444_800_000.0;

/// What a JSON value is, for people.
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

pub(super) fn is_null(raw: &str) -> bool {
    raw.as_bytes().first() == Some(&b'n')
}

fn wrong_type(name: &str, expected: &str, raw: &str) -> Rejection {
    Rejection::new(Reason::WrongType, format!("{name} must be {expected}, it is {}", kind_of(raw)))
}

/// A measured value, or nothing for `null`.
pub(super) fn measured(entry: &Measurement, name: &str, raw: &str) -> Result<Option<Measured>, Rejection> {
    match entry.kind {
        Kind::Number => Ok(number(name, raw)?.map(Measured::Number)),
        Kind::Text => {
            let text = text(name, raw, false)?;
            Ok(text.map(|text| Measured::Text(text.into_boxed_str())))
        }
        Kind::Flag => flag(entry, name, raw),
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
        _ => Err(wrong_type(name, "a number", raw)),
    }
}

/// Yes or no: a boolean, or one of the two words or numbers that the catalogue has for them.
fn flag(entry: &Measurement, name: &str, raw: &str) -> Result<Option<Measured>, Rejection> {
    match raw {
        "null" => return Ok(None),
        "true" => return Ok(Some(Measured::Flag(true))),
        "false" => return Ok(Some(Measured::Flag(false))),
        _ => {}
    }
    let [no, yes] = &entry.values[..] else { return Err(wrong_type(name, "true or false", raw)) };
    let said = serde_json::from_str::<serde_json::Value>(raw).ok();
    let means = |word: &serde_json::Value| match (word.as_f64(), said.as_ref()) {
        (Some(number), Some(said)) => said.as_f64() == Some(number),
        (None, said) => said == Some(word),
        (Some(_), None) => false,
    };
    match (means(no), means(yes)) {
        (true, _) => Ok(Some(Measured::Flag(false))),
        (_, true) => Ok(Some(Measured::Flag(true))),
        _ => Err(wrong_type(name, &format!("true or false, {yes} or {no}"), raw)),
    }
}

/// The area that a device gave, or nothing for `null` and for a blank one.
pub(super) fn area(name: &str, raw: &str) -> Result<Option<String>, Rejection> {
    let Some(text) = text(name, raw, false)? else { return Ok(None) };
    area::given(text).map_err(|error| Rejection::new(Reason::BadText, format!("{name} {error}")))
}

/// A text, or nothing for `null`. Devices often count their message ids, so those may be numbers.
pub(super) fn text(name: &str, raw: &str, may_be_number: bool) -> Result<Option<String>, Rejection> {
    let value = match kind_of(raw) {
        "null" => return Ok(None),
        "a number" if may_be_number => raw.to_owned(),
        "a string" => serde_json::from_str::<String>(raw)
            .map_err(|error| Rejection::new(Reason::Unreadable, format!("{name} cannot be read: {error}")))?,
        _ => return Err(wrong_type(name, "a string", raw)),
    };
    let bad = |problem: String| Err(Rejection::new(Reason::BadText, format!("{name} {problem}")));
    match value.chars().count() {
        length if length > LONGEST_TEXT => {
            bad(format!("has {length} characters, at most {LONGEST_TEXT} are kept"))
        }
        _ if value.contains(unkeepable) => bad("has control characters".to_owned()),
        _ => Ok(Some(value)),
    }
}

/// Characters that XML has no place for. Table Storage refuses rows with some of them, and one reading must not make a
/// whole batch fail.
fn unkeepable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')
}

/// A point in time: ISO 8601, or seconds or milliseconds since 1970, which no time that is taken has in common.
pub(super) fn time(raw: &str) -> Option<Millis> {
    let text: String = match kind_of(raw) {
        _ if raw.len() > LONGEST_TIME => return None,
        "a number" => raw.to_owned(),
        "a string" => serde_json::from_str(raw).ok()?,
        _ => return None,
    };
    let text = text.trim();
    let millis = match (Millis::parse(text), text.parse::<f64>()) {
        (_, Ok(number)) if TIMES.contains(&number) => number,
        (_, Ok(number)) => number * 1_000.0,
        (Some(Millis(millis)), Err(_)) => return Some(Millis(millis)).filter(is_plausible),
        (None, Err(_)) => return None,
    };
    #[expect(clippy::cast_possible_truncation, reason = "times that are taken are far below 2^53")]
    TIMES.contains(&millis).then(|| Millis(millis.round() as i64))
}

fn is_plausible(time: &Millis) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "the ends of the range are far below 2^53")]
    TIMES.contains(&(time.0 as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_the_forms_that_devices_send() {
        let expected = Some(Millis(1_795_860_000_000));
        for raw in [
            "1795860000",
            "1795860000.0",
            "1795860000000",
            "\"1795860000\"",
            "\" 1795860000000 \"",
            "\"2026-11-28T10:00:00Z\"",
            "\"2026-11-28T12:00:00+02:00\"",
            "\"2026-11-28T10:00:00\"",
            "\"2026-11-28 10:00:00\"",
        ] {
            assert_eq!(time(raw), expected, "{raw}");
        }
        assert_eq!(time("1795860000.1234"), Some(Millis(1_795_860_000_123)));
    }

    #[test]
    fn what_is_no_time_or_an_absurd_one_is_none() {
        for raw in [
            "0",
            "17",
            "-1795860000",
            "1795860000000000",
            "1e999",
            "\"1970-01-01T00:00:00Z\"",
            "\"2101-01-01T00:00:00Z\"",
            "\"yesterday\"",
            "\"NaN\"",
            "\"inf\"",
            "true",
            "{}",
            "[1795860000]",
            "\"\\ud800\"",
        ] {
            assert_eq!(time(raw), None, "{raw}");
        }
        let long = format!("\"{}1795860000\"", " ".repeat(1_000_000));
        assert_eq!(time(&long), None);
    }
}
