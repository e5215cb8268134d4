//! The copy of a row in another partition: the same to the last column, and in groups that fit a transaction. Pure.

use fieldcast_tables::{Entity, Stored, Value};

use crate::store::{LARGEST_COMMIT, MOST_WRITES};

/// What surrounds an operation: lines of HTTP, and the address of the account.
const AROUND_ROW: usize = 700;
/// What surrounds a property: its type, quotes and commas.
const AROUND_PROPERTY: usize = 40;

/// The row as it will be in its new partition. Rows of the predecessor have no `ReportedAt`, and the time at which the
/// store wrote them stands for it; moving would change that time, so it is written down.
pub(super) fn copy_of(row: &Stored, partition: &str) -> Entity {
    const REPORTED: &str = "ReportedAt";
    let mut copy = row.entity.clone();
    partition.clone_into(&mut copy.partition);
    if let (None, Some(written_at)) = (copy.get(REPORTED), &row.timestamp) {
        copy.set(REPORTED, Value::DateTime(written_at.clone()));
    }
    copy
}

/// Whether two rows hold the same, in whatever order their properties are listed.
pub(super) fn same(one: &Entity, other: &Entity) -> bool {
    let in_other = |(name, value)| other.get(name) == Some(value);
    one.properties().count() == other.properties().count() && one.properties().all(in_other)
}

/// Groups of rows that fit a transaction each.
pub(super) fn chunks(rows: Vec<Stored>) -> impl Iterator<Item = Vec<Stored>> {
    let mut rows = rows.into_iter().peekable();
    std::iter::from_fn(move || {
        let first = rows.next()?;
        let mut bytes = weight(&first.entity);
        let mut chunk = vec![first];
        while chunk.len() < MOST_WRITES
            && let Some(row) = rows.next_if(|row| bytes + weight(&row.entity) <= LARGEST_COMMIT)
        {
            bytes += weight(&row.entity);
            chunk.push(row);
        }
        Some(chunk)
    })
}

/// At least the bytes that a row takes in a transaction.
pub(super) fn weight(entity: &Entity) -> usize {
    let property = |(name, value): (&str, &Value)| AROUND_PROPERTY + 2 * name.len() + value_weight(value);
    let keys = escaped(&entity.partition) + escaped(&entity.row);
    AROUND_ROW + keys + entity.properties().map(property).sum::<usize>()
}

fn value_weight(value: &Value) -> usize {
    match value {
        Value::String(text) | Value::DateTime(text) | Value::Guid(text) => escaped(text),
        Value::Binary(bytes) => bytes.len().div_ceil(3) * 4,
        Value::Double(_) | Value::Int32(_) | Value::Int64(_) | Value::Bool(_) => 25,
    }
}

/// The length of a text in JSON: a control character takes six bytes, a quote or backslash two.
fn escaped(text: &str) -> usize {
    let length = |byte| match byte {
        0..0x20 => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    text.bytes().map(length).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fieldcast_tables::Etag;

    fn stored(entity: Entity) -> Stored {
        let timestamp = Some("2026-11-21T03:00:00.1234567Z".to_owned());
        Stored { etag: Etag::new("W/\"1\"").unwrap(), entity, timestamp }
    }

    #[test]
    fn the_time_that_stands_for_the_last_reading_is_kept() {
        let old = stored(Entity::new("Sydney", "a").with("Count", 7_i64));
        let copy = copy_of(&old, "Sydney-03");
        assert_eq!((copy.partition.as_str(), copy.row.as_str()), ("Sydney-03", "a"));
        let written_at = Value::DateTime("2026-11-21T03:00:00.1234567Z".to_owned());
        assert_eq!(copy.get("ReportedAt"), Some(&written_at));
        let known = Value::DateTime("2020-01-01T00:00:00Z".to_owned());
        let new = stored(Entity::new("Sydney", "a").with("ReportedAt", known.clone()));
        assert_eq!(copy_of(&new, "Sydney-03").get("ReportedAt"), Some(&known));
    }

    #[test]
    fn rows_are_the_same_only_if_every_value_and_type_is() {
        let row = || Entity::new("p", "r").with("a", 1_i64).with("b", "x");
        assert!(same(&row(), &Entity::new("q", "r").with("b", "x").with("a", 1_i64)));
        for other in [
            row().with("a", 2_i64),
            row().with("a", 1_i32),
            row().with("c", true),
            Entity::new("p", "r").with("a", 1_i64),
            Entity::new("p", "r").with("a", 1_i64).with("c", "x"),
        ] {
            assert!(!same(&row(), &other) && !same(&other, &row()), "{other:?}");
        }
    }

    #[test]
    fn groups_keep_both_limits_and_lose_nothing() {
        let row = |n: usize, text: &str| stored(Entity::new("p", n.to_string()).with("t", text));
        let sizes = |rows: Vec<Stored>| chunks(rows).map(|chunk| chunk.len()).collect::<Vec<_>>();
        assert_eq!(sizes((0..250).map(|n| row(n, "x")).collect()), [100, 100, 50]);
        // Six bytes each in JSON: 32 Ki control characters are 192 KiB, of which 18 fit.
        let heavy = "\u{1}".repeat(32 * 1024);
        assert_eq!(sizes((0..40).map(|n| row(n, &heavy)).collect()), [18, 18, 4]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }
}
