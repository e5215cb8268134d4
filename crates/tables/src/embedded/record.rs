//! A row as bytes: a version, then postcard. Only what is wanted of a row is copied out of it. Pure.

use serde::{Deserialize, Serialize};

use crate::evaluation::Row;
use crate::{Entity, Value};

/// The first byte of every row.
const VERSION: u8 = 1;

#[derive(Serialize, Deserialize)]
struct Record<'a> {
    change: u64,
    written_at: i64,
    #[serde(borrow)]
    properties: Vec<(&'a str, Cell<'a>)>,
}

/// A value. The order of the variants is part of the form: new ones come last.
#[derive(Clone, Copy, Serialize, Deserialize)]
enum Cell<'a> {
    String(&'a str),
    Double(f64),
    Int32(i32),
    Int64(i64),
    Bool(bool),
    DateTime(&'a str),
    Binary(&'a [u8]),
    Guid(&'a str),
}

/// Why bytes are no row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a row cannot be read")]
pub(super) struct NotARow;

/// The row as bytes, without its keys.
pub(super) fn encode(row: &Row) -> Result<Vec<u8>, NotARow> {
    let properties = row.entity.properties().map(|(name, value)| (name, Cell::of(value))).collect();
    let record = Record { change: row.change, written_at: row.written_at, properties };
    postcard::to_extend(&record, vec![VERSION]).map_err(|_| NotARow)
}

/// The row with those properties that are wanted.
pub(super) fn decode(
    bytes: &[u8],
    (partition, row): (String, String),
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Row, NotARow> {
    let record = read(bytes)?;
    let wanted = record.properties.into_iter().filter(|(name, _)| is_wanted(name));
    let properties = wanted.map(|(name, cell)| (name.to_owned(), cell.into_value())).collect();
    let entity = Entity::of_distinct(partition, row, properties);
    Ok(Row { change: record.change, written_at: record.written_at, entity })
}

fn read(bytes: &[u8]) -> Result<Record<'_>, NotARow> {
    let (version, bytes) = bytes.split_first().ok_or(NotARow)?;
    if *version != VERSION {
        return Err(NotARow);
    }
    postcard::from_bytes(bytes).map_err(|_| NotARow)
}

impl<'a> Cell<'a> {
    fn of(value: &'a Value) -> Cell<'a> {
        match value {
            Value::String(text) => Cell::String(text),
            Value::Double(number) => Cell::Double(*number),
            Value::Int32(number) => Cell::Int32(*number),
            Value::Int64(number) => Cell::Int64(*number),
            Value::Bool(value) => Cell::Bool(*value),
            Value::DateTime(text) => Cell::DateTime(text),
            Value::Binary(bytes) => Cell::Binary(bytes),
            Value::Guid(text) => Cell::Guid(text),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Cell::String(text) => Value::String(text.to_owned()),
            Cell::Double(number) => Value::Double(number),
            Cell::Int32(number) => Value::Int32(number),
            Cell::Int64(number) => Value::Int64(number),
            Cell::Bool(value) => Value::Bool(value),
            Cell::DateTime(text) => Value::DateTime(text.to_owned()),
            Cell::Binary(bytes) => Value::Binary(bytes.to_vec()),
            Cell::Guid(text) => Value::Guid(text.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> (String, String) {
        ("p".to_owned(), "r".to_owned())
    }

    fn row() -> Row {
        let entity = Entity::new("p", "r")
            .with("Text", "ü")
            .with("Real", 25.5)
            .with("Small", -7)
            .with("Count", i64::MIN)
            .with("On", true)
            .with("At", Value::DateTime("2026-11-21T03:00:00Z".to_owned()))
            .with("Raw", vec![0_u8, 255])
            .with("Id", Value::Guid("c9".to_owned()));
        Row { change: 300, written_at: -1, entity }
    }

    #[test]
    fn every_type_is_read_back() {
        assert_eq!(decode(&encode(&row()).unwrap(), keys(), |_| true), Ok(row()));
    }

    /// Files are read by later versions, so this may not change.
    #[test]
    fn the_form_is_pinned() {
        let head = [1, 0xac, 0x02, 1, 8];
        let text = b"\x04Text\x00\x02\xc3\xbc";
        let real = b"\x04Real\x01\0\0\0\0\0\x80\x39\x40";
        let small = b"\x05Small\x02\x0d";
        let count = b"\x05Count\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        let on = b"\x02On\x04\x01";
        let at = b"\x02At\x05\x142026-11-21T03:00:00Z";
        let raw = b"\x03Raw\x06\x02\x00\xff";
        let id = b"\x02Id\x07\x02c9";
        let expected = [&head[..], text, real, small, count, on, at, raw, id].concat();
        assert_eq!(encode(&row()).unwrap(), expected);
    }

    #[test]
    fn only_what_is_wanted_is_copied() {
        let read = decode(&encode(&row()).unwrap(), keys(), |name| name == "Count").unwrap();
        assert_eq!(read.entity, Entity::new("p", "r").with("Count", i64::MIN));
    }

    #[test]
    fn another_version_is_not_read() {
        let mut bytes = encode(&row()).unwrap();
        bytes[0] = 2;
        assert_eq!(decode(&bytes, keys(), |_| true), Err(NotARow));
        assert_eq!(decode(&[], keys(), |_| true), Err(NotARow));
    }

    proptest! {
        #[test]
        fn any_damage_is_survived(at in 0_usize..100, bytes in prop::collection::vec(any::<u8>(), 0..12)) {
            let mut encoded = encode(&row()).unwrap();
            let at = at.min(encoded.len());
            let to = (at + bytes.len()).min(encoded.len());
            encoded.splice(at..to, bytes);
            let _ = decode(&encoded, keys(), |_| true);
        }
    }
}
