//! How many bytes an operation takes in a transaction, at most: the number that all stores hold against the limit.

use crate::{Entity, Etag, Operation, Value};

/// What surrounds the keys and properties of an operation: lines of HTTP, an address at an endpoint of up to
/// [`ORDINARY_ENDPOINT`] bytes, the longest table name, an etag of up to [`ORDINARY_ETAG`] bytes.
const AROUND_OPERATION: usize = 700;
/// `https://<account>.table.core.windows.net` has at most 60 bytes.
#[cfg(test)]
pub(crate) const ORDINARY_ENDPOINT: usize = 128;
/// The service's are 47 bytes.
const ORDINARY_ETAG: usize = 64;

/// What surrounds a property besides its name and value: `,"@odata.type":"Edm.DateTime","":""`.
const AROUND_PROPERTY: usize = 40;
/// The longest number: `-2.2250738585072014e-308`.
const LONGEST_NUMBER: usize = 25;

impl Entity {
    /// An upper bound of the bytes that an operation which writes this entity takes in a transaction.
    #[must_use]
    pub fn wire_size(&self) -> usize {
        let property = |(name, value): (&str, &Value)| AROUND_PROPERTY + 2 * name.len() + value_size(value);
        let keys = key_size(&self.partition) + key_size(&self.row);
        AROUND_OPERATION + keys + self.properties().map(property).sum::<usize>()
    }
}

impl Operation {
    /// An upper bound of the bytes that the operation takes in a transaction. Those of all operations together stay below
    /// [`LARGEST_TRANSACTION`](crate::limits::LARGEST_TRANSACTION) less
    /// [`TRANSACTION_FRAME`](crate::limits::TRANSACTION_FRAME).
    #[must_use]
    pub fn wire_size(&self) -> usize {
        let (partition, row) = self.keys();
        let bare = || AROUND_OPERATION + key_size(partition) + key_size(row);
        let etag = self.etag().map_or(0, |etag| Etag::as_str(etag).len().saturating_sub(ORDINARY_ETAG));
        etag + self.entity().map_or_else(bare, Entity::wire_size)
    }
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::String(text) | Value::DateTime(text) | Value::Guid(text) => escaped(text),
        Value::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        Value::Double(_) | Value::Int32(_) | Value::Int64(_) | Value::Bool(_) => LONGEST_NUMBER,
    }
}

/// A key occurs in the address, where a character takes up to three bytes for one and a quote six, and in JSON.
fn key_size(key: &str) -> usize {
    let in_address = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => 1,
        b'\'' => 6,
        _ => 3,
    };
    escaped(key) + key.bytes().map(in_address).sum::<usize>()
}

/// The length of a text in JSON: a control character takes up to six bytes, a quote or backslash two.
fn escaped(text: &str) -> usize {
    let length = |byte| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    text.bytes().map(length).sum()
}
