//! Rows as the caller sees them: keys, ordered properties, typed values.

mod value;

pub use value::Value;

use crate::Etag;

/// A row, or for a merge the part of it that changes.
///
/// Nothing is checked until a store is asked to write it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// `PartitionKey`.
    pub partition: String,
    /// `RowKey`, unique in its partition.
    pub row: String,
    properties: Vec<(String, Value)>,
}

impl Entity {
    /// An entity without properties.
    #[must_use]
    pub fn new(partition: impl Into<String>, row: impl Into<String>) -> Entity {
        Entity { partition: partition.into(), row: row.into(), properties: Vec::new() }
    }

    /// An entity with these properties, no two of which have the same name. A store refuses a name that is there twice.
    #[must_use]
    pub fn of_distinct(
        partition: impl Into<String>,
        row: impl Into<String>,
        properties: Vec<(String, Value)>,
    ) -> Entity {
        Entity { partition: partition.into(), row: row.into(), properties }
    }

    /// The same with one property more; one of that name is replaced in its place.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Entity {
        self.set(name, value);
        self
    }

    /// Sets a property; one of that name is replaced in its place.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let (name, value) = (name.into(), value.into());
        match self.properties.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.properties.push((name, value)),
        }
    }

    /// The property of this name. A property that the service holds as null is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.properties.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All properties, in the order in which they were set or sent.
    pub fn properties(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.properties.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The properties alone, in the same order.
    #[must_use]
    pub fn into_properties(self) -> Vec<(String, Value)> {
        self.properties
    }
}

/// A row as the store holds it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its version, for the next merge, replace or delete.
    pub etag: Etag,
    /// Its keys and properties.
    pub entity: Entity,
    /// When the store last changed it, by the store's clock, as RFC 3339 text in UTC. Absent if a query selects other
    /// properties only.
    pub timestamp: Option<String>,
}
