//! Columns that hardly ever change. Rows are merged, so a write can leave out what the row holds already, and the service
//! spends its time column by column. What the row holds is remembered with its etag: while that is the row's etag, no
//! other writer has been there.

use std::hash::{BuildHasher, RandomState};

use fieldcast_tables::Value;

use super::row::RARELY_CHANGED;

/// Tells whether the rarely changed columns of two rows are the same from eight bytes a row. The hash has a key that only
/// this process knows: no device can send values that look alike.
#[derive(Debug, Default)]
pub(super) struct RarelyChanged(RandomState);

/// The rarely changed columns that a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u64);

impl RarelyChanged {
    /// The same in whatever order the columns come.
    pub(super) fn digest<'a>(&self, columns: impl Iterator<Item = (&'a str, &'a Value)>) -> Digest {
        let ours = columns.filter(|(column, _)| RARELY_CHANGED.contains(column));
        Digest(ours.map(|(column, value)| self.hash(column, value)).fold(0, u64::wrapping_add))
    }

    fn hash(&self, column: &str, value: &Value) -> u64 {
        match (value.as_i64(), value.as_str()) {
            (Some(whole), None) => self.0.hash_one((column, whole)),
            (_, text) => self.0.hash_one((column, text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_number_is_the_same_in_whatever_type_the_store_gives_it_back() {
        let rarely = RarelyChanged::default();
        let digest = |value| rarely.digest([("Schema", &value)].into_iter());
        assert_eq!(digest(Value::Int64(3)), digest(Value::Int32(3)));
        assert_ne!(digest(Value::Int64(3)), digest(Value::Int64(2)));
    }
}
