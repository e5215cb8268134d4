//! Rows and their properties.

use crate::limits::text::{check_keys, check_property_name, is_guid, is_longer, is_time};
use crate::limits::{LARGEST_PROPERTY, LARGEST_ROW, MOST_PROPERTIES};
use crate::{Entity, Invalid, Value};

/// Checks all of an entity: keys, names, values, and what [`check_content`] does.
pub(crate) fn check_entity(entity: &Entity) -> Result<(), Invalid> {
    check_keys(&entity.partition, &entity.row)?;
    check_content(entity)?;
    for (position, (name, value)) in entity.properties().enumerate() {
        check_property_name(name)?;
        check_value(name, value)?;
        if entity.properties().take(position).any(|(earlier, _)| earlier == name) {
            return Err(Invalid::RepeatedProperty(name.to_owned()));
        }
    }
    Ok(())
}

/// Checks how much is in a row: what a merge can break although each part of it is right.
pub(crate) fn check_content(entity: &Entity) -> Result<(), Invalid> {
    let count = entity.properties().len();
    if count > MOST_PROPERTIES {
        return Err(Invalid::TooManyProperties(count));
    }
    if entity.stored_size() > LARGEST_ROW { Err(Invalid::EntityTooLarge) } else { Ok(()) }
}

/// Checks the value of a property, to be stored or to be compared with.
pub(super) fn check_value(name: &str, value: &Value) -> Result<(), Invalid> {
    let name = || name.to_owned();
    match value {
        Value::Double(number) if !number.is_finite() => Err(Invalid::NotFinite(name())),
        Value::String(text) if is_longer(text, LARGEST_PROPERTY / 2) => {
            Err(Invalid::PropertyTooLarge(name()))
        }
        Value::Binary(bytes) if bytes.len() > LARGEST_PROPERTY => Err(Invalid::PropertyTooLarge(name())),
        Value::DateTime(text) if !is_time(text) => Err(Invalid::Literal(name())),
        Value::Guid(text) if !is_guid(text) => Err(Invalid::Literal(name())),
        _ => Ok(()),
    }
}

impl Entity {
    /// The bytes that the row counts for, by the service's published formula.
    #[must_use]
    pub fn stored_size(&self) -> usize {
        let property = |(name, value)| 8 + 2 * units(name) + value_size(value);
        4 + 2 * (units(&self.partition) + units(&self.row)) + self.properties().map(property).sum::<usize>()
    }
}

fn value_size(value: &Value) -> usize {
    match value {
        Value::String(text) => 2 * units(text) + 4,
        Value::Binary(bytes) => bytes.len() + 4,
        Value::Guid(_) => 16,
        Value::Double(_) | Value::Int64(_) | Value::DateTime(_) => 8,
        Value::Int32(_) => 4,
        Value::Bool(_) => 1,
    }
}

fn units(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> Entity {
        Entity::new("p", "r")
    }

    fn text(units: usize) -> String {
        "x".repeat(units)
    }

    #[test]
    fn sizes_follow_the_published_formula() {
        assert_eq!(Entity::new("ab", "c").stored_size(), 4 + 6);
        let property = |value: Value| row().with("Name", value).stored_size() - row().stored_size() - 8 - 8;
        assert_eq!(property(Value::from("\u{1f600}x")), 2 * 3 + 4);
        assert_eq!(property(Value::from(vec![1_u8, 2, 3])), 3 + 4);
        assert_eq!(property(Value::Double(1.0)), 8);
        assert_eq!(property(Value::Int64(1)), 8);
        assert_eq!(property(Value::Int32(1)), 4);
        assert_eq!(property(Value::Bool(true)), 1);
        assert_eq!(property(Value::DateTime("2026-11-21T03:00:00Z".to_owned())), 8);
        assert_eq!(property(Value::Guid("c9da6455-213d-42c9-9a79-3e9149a57833".to_owned())), 16);
    }

    #[test]
    fn properties_have_at_most_64_kib() {
        let too_large = Err(Invalid::PropertyTooLarge("a".to_owned()));
        assert_eq!(check_entity(&row().with("a", text(32 * 1024))), Ok(()));
        assert_eq!(check_entity(&row().with("a", text(32 * 1024 + 1))), too_large);
        assert_eq!(check_entity(&row().with("a", "ü".repeat(32 * 1024))), Ok(()));
        assert_eq!(check_entity(&row().with("a", vec![0; 64 * 1024])), Ok(()));
        assert_eq!(check_entity(&row().with("a", vec![0; 64 * 1024 + 1])), too_large);
    }

    #[test]
    fn rows_have_at_most_252_properties_and_1_mib() {
        let many = |count: usize| (0..count).fold(row(), |row, n| row.with(format!("P{n}"), 1));
        assert_eq!(check_entity(&many(252)), Ok(()));
        assert_eq!(check_entity(&many(253)), Err(Invalid::TooManyProperties(253)));
        let large = (0..15).fold(row(), |row, n| row.with(format!("P{n:02}"), vec![0; 64 * 1024]));
        let rest = LARGEST_ROW - large.with("Q", vec![]).stored_size();
        let large = |more| {
            (0..15)
                .fold(row(), |row, n| row.with(format!("P{n:02}"), vec![0; 64 * 1024]))
                .with("Q", vec![0; more])
        };
        assert_eq!(check_entity(&large(rest)), Ok(()));
        assert_eq!(check_entity(&large(rest + 1)), Err(Invalid::EntityTooLarge));
    }

    #[test]
    fn values_that_nobody_could_read_are_refused() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(check_entity(&row().with("a", number)), Err(Invalid::NotFinite("a".to_owned())));
        }
        for value in [Value::DateTime("today".to_owned()), Value::Guid("7".to_owned())] {
            assert_eq!(check_entity(&row().with("a", value)), Err(Invalid::Literal("a".to_owned())));
        }
    }

    #[test]
    fn a_name_occurs_once() {
        let twice = vec![
            ("a".to_owned(), Value::from(1)),
            ("b".to_owned(), Value::from(2)),
            ("a".to_owned(), Value::from(3)),
        ];
        let refused = check_entity(&Entity::of_distinct("p", "r", twice));
        assert_eq!(refused, Err(Invalid::RepeatedProperty("a".to_owned())));
    }
}
