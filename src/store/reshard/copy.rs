//! The copy of a row in another partition: the same to the last column. Pure.

use fieldcast_tables::{Entity, Stored, Value};

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
}
