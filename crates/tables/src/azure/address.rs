//! How keys are written into an address. Pure.

use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::TableName;

/// Everything but the unreserved characters of RFC 3986, so that an address is read the same way everywhere.
pub(super) const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The address of one entity below the endpoint: `Table(PartitionKey='…',RowKey='…')`.
pub(super) struct EntityPath<'a> {
    pub(super) table: &'a TableName,
    pub(super) partition: &'a str,
    pub(super) row: &'a str,
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
        EntityPath { table: &TableName::new("Devices").unwrap(), partition: "Sydney", row }.to_string()
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
