//! Inserting what is missing, in a store that fails.

use std::sync::Arc;
use std::time::Duration;

use fieldcast_tables::{
    Call, Deadline, Entity, Error, Fault, Faulty, MemoryStore, Operation, Query, Recorded, Rule, Table,
    TableName, insert_missing,
};
use tokio::time::Instant;

use crate::script::soon;

/// A store that fails, behind one that counts.
struct World {
    faulty: Arc<Faulty>,
    recorded: Arc<Recorded>,
    table: Table,
}

impl World {
    async fn new() -> World {
        let faulty = Arc::new(Faulty::new(Arc::new(MemoryStore::new())));
        let recorded = Arc::new(Recorded::new(faulty.clone()));
        let table = Table::new(recorded.clone(), TableName::new("Rejected").unwrap());
        table.create(soon()).await.unwrap();
        World { faulty, recorded, table }
    }

    fn fail(&self, fault: Fault, times: usize) {
        self.faulty.fail(Rule::next(fault).of(Call::Transact).times(times));
    }

    async fn insert(&self, rows: Vec<Entity>, deadline: Deadline) -> Result<Vec<Entity>, Error> {
        let found = insert_missing(&self.table, rows, &mut || 1.0, deadline).await?;
        Ok(found.into_iter().map(|stored| stored.entity).collect())
    }

    async fn count(&self) -> usize {
        self.table.query_all(&Query::everything(), soon()).await.unwrap().len()
    }
}

fn rows(numbers: std::ops::Range<u32>) -> Vec<Entity> {
    numbers.map(|n| Entity::new("p", format!("{n:04}")).with("N", 1)).collect()
}

#[tokio::test(start_paused = true)]
async fn rows_whose_answer_was_lost_are_found_and_not_written_again() {
    let world = World::new().await;
    world.fail(Fault::AnswerLost, 1);
    assert_eq!(world.insert(rows(0..3), soon()).await.unwrap(), rows(0..3));
    assert_eq!((world.count().await, world.recorded.count(Call::Transact)), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn rows_whose_request_was_lost_are_written_after_a_pause() {
    let world = World::new().await;
    world.fail(Fault::RequestLost, 2);
    let begun = Instant::now();
    assert_eq!(world.insert(rows(0..3), soon()).await.unwrap(), []);
    assert_eq!(world.count().await, 3);
    assert_eq!(begun.elapsed(), Duration::from_millis(50 + 100), "pauses grow");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_once_is_not_hammered() {
    let world = World::new().await;
    world.fail(Fault::RequestLost, 100_000);
    let error = world.insert(rows(0..3), Deadline::after(Duration::from_secs(30))).await.unwrap_err();
    assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
    assert!(world.recorded.count(Call::Transact) < 20, "{} tries", world.recorded.count(Call::Transact));
}

#[tokio::test(start_paused = true)]
async fn what_another_delivery_has_written_is_left_as_it_is() {
    let world = World::new().await;
    let other = Entity::new("p", "0001").with("N", 2);
    world.table.transact(vec![Operation::Insert(other.clone())], soon()).await.unwrap();
    assert_eq!(world.insert(rows(0..3), soon()).await.unwrap(), [other]);
    assert_eq!(world.count().await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_is_given_twice_is_written_once() {
    let world = World::new().await;
    let twice = [rows(0..2), rows(1..3)].concat();
    assert_eq!(world.insert(twice, soon()).await.unwrap(), rows(1..2));
    assert_eq!(world.count().await, 3);
}

#[tokio::test(start_paused = true)]
async fn what_no_trying_helps_against_is_said_at_once() {
    let world = World::new().await;
    world.fail(Fault::NotConnected, 1);
    let error = world.insert(rows(0..3), soon()).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    let bad = vec![Entity::new("p", "a#b")];
    let error = world.insert(bad, soon()).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
}
