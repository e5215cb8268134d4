//! Which rows a query finds, and what it shows of them.

use std::cmp::Ordering;
use std::ops::Bound;

use crate::key::compare;
use crate::limits::comparable;
use crate::query::{Condition, TIMESTAMP};
use crate::time::text_of;
use crate::{Comparison, Entity, Query, Stored, Value};

/// Whether a row is one of those that the query describes, whenever it was changed.
pub(crate) fn matches(query: &Query, entity: &Entity, written_at: i64) -> bool {
    query.partition.as_ref().is_none_or(|partition| *partition == entity.partition)
        && query.behind.as_ref().is_none_or(|behind| compare(&entity.partition, behind).is_gt())
        && is_in(&query.rows, &entity.row)
        && query.conditions.iter().all(|condition| holds(condition, entity, written_at))
}

/// Leaves of a row what the query selects.
pub(crate) fn select(query: &Query, row: Stored) -> Stored {
    if query.columns.is_empty() {
        return row;
    }
    let is_selected = |name: &str| query.columns.iter().any(|column| column == name);
    let Stored { etag, entity, timestamp } = row;
    let (partition, row) = (entity.partition.clone(), entity.row.clone());
    let mut properties = entity.into_properties();
    properties.retain(|(name, _)| is_selected(name));
    let timestamp = timestamp.filter(|_| is_selected(TIMESTAMP));
    Stored { etag, entity: Entity::of_distinct(partition, row, properties), timestamp }
}

fn is_in(range: &(Bound<String>, Bound<String>), row: &str) -> bool {
    let is_behind = match &range.0 {
        Bound::Included(first) => compare(row, first).is_ge(),
        Bound::Excluded(first) => compare(row, first).is_gt(),
        Bound::Unbounded => true,
    };
    let is_before = match &range.1 {
        Bound::Included(last) => compare(row, last).is_le(),
        Bound::Excluded(last) => compare(row, last).is_lt(),
        Bound::Unbounded => true,
    };
    is_behind && is_before
}

fn holds(condition: &Condition, entity: &Entity, written_at: i64) -> bool {
    let time;
    let property = if condition.name == TIMESTAMP {
        time = Value::DateTime(text_of(written_at));
        Some(&time)
    } else {
        entity.get(&condition.name)
    };
    let ordering = property.and_then(|property| order(property, &condition.value));
    ordering.is_some_and(|ordering| match condition.is {
        Comparison::Equal => ordering.is_eq(),
        Comparison::NotEqual => ordering.is_ne(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterOrEqual => ordering.is_ge(),
        Comparison::Less => ordering.is_lt(),
        Comparison::LessOrEqual => ordering.is_le(),
    })
}

/// How two values of the same type are ordered; those of different types are not.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(compare(one, other)),
        (Value::Double(one), Value::Double(other)) => one.partial_cmp(other),
        (Value::Int32(one), Value::Int32(other)) => Some(one.cmp(other)),
        (Value::Int64(one), Value::Int64(other)) => Some(one.cmp(other)),
        (Value::Bool(one), Value::Bool(other)) => Some(one.cmp(other)),
        (Value::DateTime(one), Value::DateTime(other)) => Some(comparable(one).cmp(comparable(other))),
        (Value::Binary(one), Value::Binary(other)) => Some(one.cmp(other)),
        (Value::Guid(one), Value::Guid(other)) => {
            Some(one.to_ascii_lowercase().cmp(&other.to_ascii_lowercase()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finds(value: impl Into<Value>, is: Comparison, wanted: impl Into<Value>) -> bool {
        matches(&Query::everything().filter("a", is, wanted), &Entity::new("p", "r").with("a", value), 0)
    }

    #[test]
    fn every_comparison_means_what_it_says() {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        let holds = |value: i32| {
            [Equal, NotEqual, Greater, GreaterOrEqual, Less, LessOrEqual].map(|is| finds(value, is, 2))
        };
        assert_eq!(holds(1), [false, true, false, false, true, true]);
        assert_eq!(holds(2), [true, false, false, true, false, true]);
        assert_eq!(holds(3), [false, true, true, true, false, false]);
    }

    #[test]
    fn every_type_is_compared_with_its_own() {
        let time = |text: &str| Value::DateTime(text.to_owned());
        assert!(finds("b", Comparison::Greater, "a"));
        assert!(finds(2.5, Comparison::Greater, 2.0));
        assert!(finds(2_i64, Comparison::Greater, 1_i64));
        assert!(finds(true, Comparison::Greater, false));
        assert!(finds(vec![2_u8], Comparison::Greater, vec![1_u8, 9]));
        assert!(finds(time("2026-11-21T03:00:00.5Z"), Comparison::Greater, time("2026-11-21T03:00:00Z")));
        assert!(finds(Value::Guid("AB".to_owned()), Comparison::Equal, Value::Guid("ab".to_owned())));
        assert!(!finds(2_i64, Comparison::Equal, 2_i32) && !finds(2_i64, Comparison::NotEqual, 3_i32));
    }

    #[test]
    fn a_row_without_the_property_is_left_out() {
        let query = Query::everything().filter("b", Comparison::NotEqual, 1);
        assert!(!matches(&query, &Entity::new("p", "r").with("a", 2), 0));
    }

    #[test]
    fn the_time_of_the_last_change_can_be_asked_for() {
        let time = Value::DateTime("1970-01-01T00:00:01Z".to_owned());
        let query = Query::everything().filter(TIMESTAMP, Comparison::GreaterOrEqual, time);
        assert!(matches(&query, &Entity::new("p", "r"), 1_000));
        assert!(!matches(&query, &Entity::new("p", "r"), 999));
    }
}
