//! Table names and keys: what the service allows, and how they are written into an address.

use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Invalid;

/// Everything but the unreserved characters of RFC 3986, so that an address is read the same way everywhere.
pub(crate) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// 1 KiB as the service stores it, two bytes for each UTF-16 unit.
const LONGEST_KEY: usize = 512;

pub(crate) fn check_table_name(name: &str) -> Result<(), Invalid> {
    let has_right_length = (3..=63).contains(&name.len());
    let starts_with_letter = name.starts_with(|first: char| first.is_ascii_alphabetic());
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    // The address `/Tables` is that of the list of tables.
    if has_right_length && starts_with_letter && is_plain && !name.eq_ignore_ascii_case("tables") {
        Ok(())
    } else {
        Err(Invalid::TableName)
    }
}

/// Checks both keys of an entity (Microsoft docs, "Understanding the Table service data model").
pub(crate) fn check_keys(partition: &str, row: &str) -> Result<(), Invalid> {
    check_key("PartitionKey", partition)?;
    check_key("RowKey", row)
}

fn check_key(key: &'static str, text: &str) -> Result<(), Invalid> {
    if let Some(character) = text.chars().find(|c| matches!(c, '/' | '\\' | '#' | '?') || c.is_control()) {
        return Err(Invalid::KeyCharacter { key, character });
    }
    // UTF-16 never has more units than UTF-8 has bytes, so most keys need no counting.
    if text.len() > LONGEST_KEY && text.encode_utf16().count() > LONGEST_KEY {
        return Err(Invalid::KeyTooLong { key });
    }
    Ok(())
}

/// The address of one entity below the endpoint: `Table(PartitionKey='…',RowKey='…')`.
pub(crate) struct EntityPath<'a> {
    pub(crate) table: &'a str,
    pub(crate) partition: &'a str,
    pub(crate) row: &'a str,
}

impl Display for EntityPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partition, row) = (KeyLiteral(self.partition), KeyLiteral(self.row));
        write!(f, "{}(PartitionKey='{partition}',RowKey='{row}')", self.table)
    }
}

/// The inside of an OData string in an address: quotes are doubled first, then all is percent-encoded.
struct KeyLiteral<'a>(&'a str);

impl Display for KeyLiteral<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, piece) in self.0.split('\'').enumerate() {
            if position > 0 {
                f.write_str("%27%27")?;
            }
            utf8_percent_encode(piece, RESERVED).fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn path(row: &str) -> String {
        EntityPath { table: "Devices", partition: "Sydney", row }.to_string()
    }

    #[test]
    fn quotes_are_doubled_and_everything_is_encoded() {
        let check = |row: &str, written: &str| {
            assert_eq!(path(row), format!("Devices(PartitionKey='Sydney',RowKey='{written}')"));
        };
        check("sensor-1", "sensor-1");
        check("O'Brien", "O%27%27Brien");
        check("a',RowKey='x", "a%27%27%2CRowKey%3D%27%27x");
        check("50% ü&+(", "50%25%20%C3%BC%26%2B%28");
    }

    #[test]
    fn table_names_follow_the_rule() {
        for name in ["abc", "DeviceState", &"a".repeat(63)] {
            assert_eq!(check_table_name(name), Ok(()), "{name}");
        }
        for name in ["", "ab", "1abc", "a-b-c", "tables", "Tables", "größe", &"a".repeat(64)] {
            assert_eq!(check_table_name(name), Err(Invalid::TableName), "{name}");
        }
    }

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
        assert_eq!(
            check_keys(&"\u{1f600}".repeat(257), "r"),
            Err(Invalid::KeyTooLong { key: "PartitionKey" })
        );
    }

    proptest! {
        #[test]
        fn every_key_can_be_read_back_and_stays_inside_its_quotes(row in any::<String>()) {
            let path = path(&row);
            let written = path.strip_prefix("Devices(PartitionKey='Sydney',RowKey='").unwrap();
            let written = written.strip_suffix("')").unwrap();
            prop_assert!(written.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)));
            let decoded = percent_decode_str(written).decode_utf8().unwrap();
            prop_assert!(!decoded.replace("''", "").contains('\''));
            prop_assert_eq!(decoded.replace("''", "'"), row);
        }
    }
}
