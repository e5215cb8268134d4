//! The names of tables and rows, and the order of keys. Pure.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use crate::Invalid;

/// The name of a table. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableName(Arc<str>);

impl TableName {
    /// Checks a name: 3 to 63 ASCII letters and digits, the first a letter, and not `tables`.
    ///
    /// # Errors
    /// [`Invalid::TableName`].
    pub fn new(name: &str) -> Result<TableName, Invalid> {
        let has_right_length = (3..=63).contains(&name.len());
        let starts_with_letter = name.starts_with(|first: char| first.is_ascii_alphabetic());
        let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // At the service, the address `/Tables` is that of the list of tables.
        if has_right_length && starts_with_letter && is_plain && !name.eq_ignore_ascii_case("tables") {
            Ok(TableName(name.into()))
        } else {
            Err(Invalid::TableName)
        }
    }

    /// The name as it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name without the letter case, which tells no tables apart.
    pub(crate) fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The order of keys, and of texts in filters: by UTF-16 code units, as the service orders them. It differs from the
/// order of UTF-8 for characters beyond U+FFFF only.
pub(crate) fn compare(one: &str, other: &str) -> Ordering {
    one.encode_utf16().cmp(other.encode_utf16())
}

/// A key as bytes that are ordered as [`compare`] orders the text.
///
/// UTF-8 puts U+E000 to U+FFFF (first byte EE or EF) before the characters beyond them (first byte F0 to F4), UTF-16
/// behind them. Neither EE nor EF occurs anywhere but first, so giving them the unused numbers F8 and F9 is enough.
pub(crate) fn ordered(key: &str) -> Vec<u8> {
    let mut bytes = key.as_bytes().to_vec();
    for byte in bytes.iter_mut().filter(|byte| matches!(byte, 0xEE | 0xEF)) {
        *byte += 10;
    }
    bytes
}

/// The key that has these bytes; `None` if there is none.
#[cfg(feature = "embedded")]
pub(crate) fn from_ordered(bytes: &[u8]) -> Option<String> {
    let mut bytes = bytes.to_vec();
    for byte in bytes.iter_mut().filter(|byte| matches!(byte, 0xF8 | 0xF9)) {
        *byte -= 10;
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn table_names_follow_the_rule() {
        for name in ["abc", "DeviceState", &"a".repeat(63)] {
            assert_eq!(TableName::new(name).unwrap().as_str(), name);
        }
        for name in ["", "ab", "1abc", "a-b-c", "tables", "Tables", "größe", &"a".repeat(64)] {
            assert_eq!(TableName::new(name), Err(Invalid::TableName), "{name}");
        }
    }

    #[test]
    fn characters_beyond_the_first_plane_come_before_the_end_of_it() {
        assert_eq!(compare("\u{1f600}", "\u{ff01}"), Ordering::Less);
        assert!(ordered("\u{1f600}") < ordered("\u{ff01}"));
    }

    proptest! {
        #[test]
        fn bytes_are_ordered_as_the_text_is(one: String, other: String) {
            prop_assert_eq!(ordered(&one).cmp(&ordered(&other)), compare(&one, &other));
        }

        #[cfg(feature = "embedded")]
        #[test]
        fn bytes_are_read_back(key in "[a\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,5}") {
            prop_assert_eq!(from_ordered(&ordered(&key)), Some(key));
        }

        #[test]
        fn near_the_border_too(one in "[a\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,3}", other in "[a\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,3}") {
            prop_assert_eq!(ordered(&one).cmp(&ordered(&other)), compare(&one, &other));
        }
    }
}
