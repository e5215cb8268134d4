//! The form of keys, property names, times and GUIDs.

use crate::Invalid;
use crate::limits::{LONGEST_KEY, LONGEST_NAME};

/// Checks both keys of a row.
pub(crate) fn check_keys(partition: &str, row: &str) -> Result<(), Invalid> {
    check_key("PartitionKey", partition)?;
    check_key("RowKey", row)
}

fn check_key(key: &'static str, text: &str) -> Result<(), Invalid> {
    if let Some(character) = text.chars().find(|c| matches!(c, '/' | '\\' | '#' | '?') || c.is_control()) {
        return Err(Invalid::KeyCharacter { key, character });
    }
    if is_longer(text, LONGEST_KEY) { Err(Invalid::KeyTooLong { key }) } else { Ok(()) }
}

/// Whether a text has more UTF-16 units. It never has more than bytes of UTF-8, so most texts need no counting.
pub(super) fn is_longer(text: &str, units: usize) -> bool {
    text.len() > units && text.encode_utf16().count() > units
}

/// An identifier has no character that JSON or OData would have to escape.
pub(super) fn check_property_name(name: &str) -> Result<(), Invalid> {
    let is_reserved = matches!(name, "PartitionKey" | "RowKey" | "Timestamp");
    if !is_reserved && (is_plain(name) || is_identifier(name)) {
        Ok(())
    } else {
        Err(Invalid::PropertyName(name.to_owned()))
    }
}

/// Nearly all names are short and ASCII, which one look at each byte settles.
fn is_plain(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    starts_well && is_word && name.len() <= LONGEST_NAME
}

fn is_identifier(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    starts_well && name.chars().all(|c| c.is_alphanumeric() || c == '_') && !is_longer(name, LONGEST_NAME)
}

/// Whether a text is a time as the data model has it: `2026-11-21T03:00:00Z`, from 1601 on, with up to seven digits
/// behind the second.
pub(crate) fn is_time(text: &str) -> bool {
    /// `2026-11-21T03:00:00`
    const WHOLE: usize = 19;
    let Some((whole, fraction)) = text.strip_suffix('Z').and_then(|text| text.split_at_checked(WHOLE)) else {
        return false;
    };
    let has_fraction = match fraction.strip_prefix('.') {
        None => fraction.is_empty(),
        Some(digits) => (1..=7).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
    };
    has_fraction && whole >= "1601" && is_date_and_time(whole)
}

fn is_date_and_time(text: &str) -> bool {
    let has_form = text.bytes().zip(*b"0000-00-00T00:00:00").all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        sign => byte == sign,
    });
    let number = |from: usize, to: usize| text.get(from..to).and_then(|digits| digits.parse::<i64>().ok());
    let is_in = |from, to, range: std::ops::RangeInclusive<i64>| {
        number(from, to).is_some_and(|number| range.contains(&number))
    };
    let (Some(year), Some(month)) = (number(0, 4), number(5, 7)) else { return false };
    has_form
        && is_in(8, 10, 1..=days_of(year, month))
        && is_in(11, 13, 0..=23)
        && is_in(14, 16, 0..=59)
        && is_in(17, 19, 0..=59)
}

/// 0 for a month that does not exist.
fn days_of(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + i64::from(is_leap),
        1..=12 => 31,
        _ => 0,
    }
}

/// A time in a form that is ordered as time is: without the zeros and the letter that need not be there.
pub(crate) fn comparable(time: &str) -> &str {
    let time = time.strip_suffix('Z').unwrap_or(time);
    if time.contains('.') { time.trim_end_matches('0').trim_end_matches('.') } else { time }
}

/// Whether a text is a GUID: 8-4-4-4-12 hexadecimal digits.
pub(super) fn is_guid(text: &str) -> bool {
    const LENGTHS: [usize; 5] = [8, 4, 4, 4, 12];
    let groups = || text.split('-');
    groups().count() == LENGTHS.len()
        && groups()
            .zip(LENGTHS)
            .all(|(group, length)| group.len() == length && group.bytes().all(|b| b.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forbidden_characters_are_named() {
        for character in ['/', '\\', '#', '?', '\0', '\t', '\n', '\u{1f}', '\u{7f}', '\u{9f}'] {
            let refused = check_keys("Sydney", &format!("a{character}b"));
            assert_eq!(refused, Err(Invalid::KeyCharacter { key: "RowKey", character }));
        }
        assert_eq!(check_keys("O'Brien", "% ü&+(){}\u{a0}\u{1f600}"), Ok(()));
        assert_eq!(check_keys("", ""), Ok(()));
    }

    #[test]
    fn keys_are_at_most_one_kib_of_utf16() {
        assert_eq!(check_keys("p", &"ü".repeat(512)), Ok(()));
        assert_eq!(check_keys("p", &"ü".repeat(513)), Err(Invalid::KeyTooLong { key: "RowKey" }));
        let long = "\u{1f600}".repeat(257);
        assert_eq!(check_keys(&long, "r"), Err(Invalid::KeyTooLong { key: "PartitionKey" }));
    }

    #[test]
    fn property_names_are_identifiers() {
        for name in ["hPa", "_a1", "Größe", &"ü".repeat(255)] {
            assert_eq!(check_property_name(name), Ok(()));
        }
        let bad = ["", "a-b", "1a", "a b", "a\"", "odata.etag", "a@odata.type", "RowKey", "Timestamp"];
        for name in bad.into_iter().chain([&*"a".repeat(256), &*"ü".repeat(256)]) {
            assert_eq!(check_property_name(name), Err(Invalid::PropertyName(name.to_owned())));
        }
    }

    #[test]
    fn times_have_one_form() {
        let good = ["2026-11-21T03:00:00Z", "2024-02-29T23:59:59.1234567Z", "1601-01-01T00:00:00.0Z"];
        for text in good {
            assert!(is_time(text), "{text}");
        }
        let bad = [
            "",
            "Z",
            "2026-11-21",
            "2026-11-21T03:00:00",
            "2026-11-21T03:00:00.Z",
            "2026-11-21T03:00:00.12345678Z",
            "2026-11-21T03:00:00+00:00Z",
            "2026-11-21 03:00:00Z",
            "2026-02-29T03:00:00Z",
            "2026-13-01T03:00:00Z",
            "2026-11-21T24:00:00Z",
            "1600-12-31T03:00:00Z",
            "2026-11-21T03:0ü:00Z",
            "' or true or '",
        ];
        for text in bad {
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn times_are_ordered_whatever_their_digits() {
        let times = [
            "2026-11-21T03:00:00Z",
            "2026-11-21T03:00:00.05Z",
            "2026-11-21T03:00:00.5Z",
            "2026-11-21T03:00:10Z",
        ];
        assert!(times.windows(2).all(|pair| comparable(pair[0]) < comparable(pair[1])));
        assert_eq!(comparable("2026-11-21T03:00:00.000Z"), comparable("2026-11-21T03:00:00Z"));
        assert_eq!(comparable("2026-11-21T03:00:00.500Z"), comparable("2026-11-21T03:00:00.5Z"));
    }

    #[test]
    fn guids_have_one_form() {
        assert!(is_guid("c9da6455-213d-42c9-9a79-3e9149a57833"));
        for text in
            ["", "c9da6455213d42c99a793e9149a57833", "c9da6455-213d-42c9-9a79-3e9149a5783g", "' or true or '"]
        {
            assert!(!is_guid(text), "{text}");
        }
    }
}
