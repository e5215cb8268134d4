//! What a new kind of row costs: this file. No store knows appointments, and appointments know no store.

use std::sync::Arc;

use fieldcast_tables::{
    EmbeddedStore, Entity, Error, Etag, MemoryStore, Query, Stored, Table, TableName, TableStore, Value,
};

use crate::script::soon;

/// A room that is taken for some time. Its row is under the room and the time at which it begins, so that a room is taken
/// once.
#[derive(Clone, Debug, PartialEq)]
struct Appointment {
    room: String,
    begins: String,
    topic: String,
    guests: i64,
}

impl Appointment {
    fn to_entity(&self) -> Entity {
        Entity::new(&self.room, &self.begins)
            .with("Topic", self.topic.as_str())
            .with("Guests", self.guests)
            .with("Begins", Value::DateTime(self.begins.clone()))
    }

    /// `None` for a row that somebody else put there.
    fn of(row: &Entity) -> Option<Appointment> {
        Some(Appointment {
            room: row.partition.clone(),
            begins: row.get("Begins")?.as_str()?.to_owned(),
            topic: row.get("Topic")?.as_str()?.to_owned(),
            guests: row.get("Guests")?.as_i64()?,
        })
    }
}

/// The appointments of a house.
struct Calendar(Table);

impl Calendar {
    async fn open(store: Arc<dyn TableStore>) -> Result<Calendar, Error> {
        let table = Table::new(store, TableName::new("Appointments")?);
        table.create(soon()).await?;
        Ok(Calendar(table))
    }

    /// Returns whether the room was still free.
    async fn book(&self, appointment: &Appointment) -> Result<bool, Error> {
        match self.0.insert(&appointment.to_entity(), soon()).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// One guest more, however many add one at the same time.
    async fn join(&self, appointment: &Appointment) -> Result<Option<Appointment>, Error> {
        loop {
            let stored = self.0.get(&appointment.room, &appointment.begins, soon()).await?;
            let Some((mut now, etag)) = stored.as_ref().and_then(read) else { return Ok(None) };
            now.guests += 1;
            match self.0.merge(&now.to_entity(), etag, soon()).await {
                Ok(_) => return Ok(Some(now)),
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn of_day(&self, room: &str, day: &str) -> Result<Vec<Appointment>, Error> {
        let query = Query::partition(room).rows(day..format!("{day}~").as_str());
        Ok(self
            .0
            .query_all(&query, soon())
            .await?
            .iter()
            .filter_map(|row| Appointment::of(&row.entity))
            .collect())
    }
}

fn read(stored: &Stored) -> Option<(Appointment, &Etag)> {
    Some((Appointment::of(&stored.entity)?, &stored.etag))
}

async fn keep_a_calendar(store: Arc<dyn TableStore>) {
    let calendar = Calendar::open(store).await.unwrap();
    let at = |begins: &str| Appointment {
        room: "Wattle".to_owned(),
        begins: begins.to_owned(),
        topic: "Review".to_owned(),
        guests: 3,
    };
    let (morning, noon) = (at("2026-11-21T09:00:00Z"), at("2026-11-22T12:00:00Z"));
    assert!(calendar.book(&morning).await.unwrap() && calendar.book(&noon).await.unwrap());
    assert!(!calendar.book(&at("2026-11-21T09:00:00Z")).await.unwrap(), "the room was taken twice");
    let (one, other) = tokio::join!(calendar.join(&morning), calendar.join(&morning));
    assert!(one.unwrap().is_some() && other.unwrap().is_some());
    let day = calendar.of_day("Wattle", "2026-11-21").await.unwrap();
    assert_eq!(day, [Appointment { guests: 5, ..morning }]);
    assert_eq!(calendar.join(&at("2027-01-01T00:00:00Z")).await.unwrap(), None);
}

#[tokio::test]
async fn a_new_kind_of_row_needs_no_store_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    keep_a_calendar(Arc::new(MemoryStore::new())).await;
    keep_a_calendar(Arc::new(EmbeddedStore::new(folder.path()))).await;
}
