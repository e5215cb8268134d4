//! What a test or a simulator does to a store behind the back of its users: looks into it, and edits it as a person does
//! with a storage browser.

use crate::evaluation::{Row, place};
use crate::{Entity, Etag, MemoryStore, Stored, TableName};

/// For tests: without deadlines and conditions.
impl MemoryStore {
    /// For tests: all rows of a table in the order of their keys; none if there is no such table.
    #[must_use]
    pub fn rows_by_hand(&self, table: &TableName) -> Vec<Stored> {
        let world = self.world();
        world
            .rows(table)
            .map(|rows| rows.values().cloned().map(Row::into_stored).collect())
            .unwrap_or_default()
    }

    /// For tests: puts a row in place of whatever is there, creating the table if need be.
    pub fn set_by_hand(&self, table: &TableName, entity: Entity) -> Option<Etag> {
        let place = place(&entity.partition, &entity.row);
        self.world().write(table, place, Some(entity))
    }

    /// For tests: removes a row and returns it.
    pub fn remove_by_hand(&self, table: &TableName, partition: &str, row: &str) -> Option<Stored> {
        let mut world = self.world();
        let place = place(partition, row);
        let held = world.rows(table).ok()?.get(&place)?.clone();
        world.write(table, place, None);
        Some(held.into_stored())
    }

    /// For tests: gives a row another etag and leaves its content alone. `None` if there is no such row.
    pub fn touch_by_hand(&self, table: &TableName, partition: &str, row: &str) -> Option<Etag> {
        let mut world = self.world();
        let place = place(partition, row);
        let entity = world.rows(table).ok()?.get(&place)?.entity.clone();
        world.write(table, place, Some(entity))
    }
}
