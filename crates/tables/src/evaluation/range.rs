//! Where rows stand: their keys as one text of bytes, in the order of the keys.

use std::ops::Bound;

use crate::Query;
#[cfg(feature = "embedded")]
use crate::key::from_ordered;
use crate::key::ordered;

/// Stands between the two keys, neither of which holds a control character. It is less than any character of a key, so
/// places are ordered by partition first.
const BETWEEN: u8 = 0;
/// Comes behind all rows of a partition and before the next partition.
const BEHIND: u8 = 1;

/// The place of a row in its table.
pub(crate) fn place(partition: &str, row: &str) -> Vec<u8> {
    let mut place = ordered(partition);
    place.push(BETWEEN);
    place.extend(ordered(row));
    place
}

/// The keys of the row at a place: partition, then row; `None` if no row can be there.
#[cfg(feature = "embedded")]
pub(crate) fn keys_at(place: &[u8]) -> Option<(String, String)> {
    let between = place.iter().position(|byte| *byte == BETWEEN)?;
    let (partition, row) = place.split_at(between);
    Some((from_ordered(partition)?, from_ordered(row.get(1..)?)?))
}

/// The first place and the one behind the last, in the form that maps take.
pub(crate) type Bounds<'a> = (Bound<&'a [u8]>, Bound<&'a [u8]>);

/// A range of places that holds all rows that a query can find.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    from: Vec<u8>,
    to: Option<Vec<u8>>,
}

impl Range {
    /// The places at which a query's rows can be.
    pub(crate) fn of(query: &Query) -> Range {
        let mut range =
            query.partition.as_deref().map_or(Range { from: Vec::new(), to: None }, |partition| {
                let (from, to) = &query.rows;
                Range { from: first(partition, from), to: Some(end(partition, to)) }
            });
        if let Some(partition) = &query.behind {
            range.start_at(behind(partition));
        }
        range
    }

    /// Leaves out what comes before the row behind this one.
    pub(crate) fn start_after(&mut self, partition: &str, row: &str) {
        self.start_at(after(partition, row));
    }

    fn start_at(&mut self, place: Vec<u8>) {
        if place > self.from {
            self.from = place;
        }
    }

    /// Its ends; `None` if it is empty.
    pub(crate) fn bounds(&self) -> Option<Bounds<'_>> {
        let to = self.to.as_deref();
        let is_empty = to.is_some_and(|to| to <= self.from.as_slice());
        let to = to.map_or(Bound::Unbounded, Bound::Excluded);
        (!is_empty).then_some((Bound::Included(self.from.as_slice()), to))
    }
}

fn first(partition: &str, bound: &Bound<String>) -> Vec<u8> {
    match bound {
        Bound::Included(row) => place(partition, row),
        Bound::Excluded(row) => after(partition, row),
        Bound::Unbounded => place(partition, ""),
    }
}

fn end(partition: &str, bound: &Bound<String>) -> Vec<u8> {
    match bound {
        Bound::Included(row) => after(partition, row),
        Bound::Excluded(row) => place(partition, row),
        Bound::Unbounded => behind(partition),
    }
}

/// The first place behind that of a row.
fn after(partition: &str, row: &str) -> Vec<u8> {
    let mut place = place(partition, row);
    place.push(BETWEEN);
    place
}

/// The first place behind a partition.
fn behind(partition: &str) -> Vec<u8> {
    let mut place = ordered(partition);
    place.push(BEHIND);
    place
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Entity;
    use crate::evaluation::matches;

    fn contains(range: &Range, place: &[u8]) -> bool {
        range.bounds().is_some_and(|bounds| std::ops::RangeBounds::<[u8]>::contains(&bounds, place))
    }

    fn key() -> impl Strategy<Value = String> {
        "[ab \u{ffff}\u{10000}]{0,2}"
    }

    fn bound() -> impl Strategy<Value = Bound<String>> {
        prop_oneof![key().prop_map(Bound::Included), key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
    }

    proptest! {
        /// With a partition, the range holds the rows of the query and no others.
        #[test]
        fn a_range_is_exact(
            partition in key(), from in bound(), to in bound(), behind in prop::option::of(key()),
            at in key(), row in key(),
        ) {
            let query = Query { rows: (from, to), behind, ..Query::partition(partition) };
            let entity = Entity::new(at.clone(), row.clone());
            prop_assert_eq!(contains(&Range::of(&query), &place(&at, &row)), matches(&query, &entity, 0));
        }

        #[test]
        fn going_on_leaves_out_the_row_and_what_was_before(one in (key(), key()), other in (key(), key())) {
            let mut range = Range::of(&Query::everything());
            range.start_after(&one.0, &one.1);
            let (one, other) = (place(&one.0, &one.1), place(&other.0, &other.1));
            prop_assert_eq!(contains(&range, &other), other > one);
        }
    }
}
