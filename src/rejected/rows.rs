//! Rows of `RejectedTelemetry`: each rejected reading inserted once under a key made of its position; a second delivery finds
//! it and leaves it. And how people get to see them.

mod delete;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use fieldcast_tables::limits::{MOST_OPERATIONS, MOST_PAGE_ROWS};
use fieldcast_tables::{Comparison, Deadline, Entity, Query, Table, Value, insert_missing};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

pub use self::delete::Deleted;
use super::reading::{Reason, RejectedReading, Rejection};
use crate::primitives::ids::{HubPartition, Position};
use crate::primitives::instant::Millis;
use crate::primitives::jitter::Jitter;
use crate::store::{Store, StoreError, tables};

/// Transactions in flight at once: a body with thousands of rejected readings must not take longer than an invocation has.
const IN_FLIGHT: usize = 8;

/// The rejected readings of an app.
pub struct RejectedRows {
    store: Arc<Store>,
}

/// Which rejected readings are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectedQuery {
    /// The key that the rejected readings of one hub partition share.
    pub partition: String,
    /// Only those of this device, as it claimed to be called.
    pub device: Option<String>,
    /// Only those behind the one with this row key.
    pub after: Option<String>,
    /// At most so many.
    pub limit: usize,
}

impl RejectedRows {
    /// The rejected readings of a store.
    pub fn new(store: Arc<Store>) -> RejectedRows {
        RejectedRows { store }
    }

    /// Keeps each reading once, however often it is called with it. `seed` spreads the pauses between tries.
    ///
    /// # Errors
    /// [`StoreError`]; some may have been kept then.
    pub async fn keep(
        &self,
        readings: &[RejectedReading],
        seed: u64,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        if readings.is_empty() {
            return Ok(());
        }
        let table = self.table(deadline).await?;
        // Two readings of one batch with the same key are deliveries of the same reading.
        let mut partitions: BTreeMap<String, BTreeMap<String, Entity>> = BTreeMap::new();
        for reading in readings {
            let partition = partitions.entry(reading.partition_key()).or_default();
            partition.entry(reading.row_key()).or_insert_with(|| entity(reading));
        }
        let insert = async |rows: Vec<Entity>| {
            let mut jitter = Jitter::new(seed, rows.first().map_or("", |row| &row.row));
            insert_missing(&table, rows, &mut || jitter.draw(), Deadline::at(deadline)).await
        };
        let groups: Vec<_> = partitions.into_values().flat_map(in_groups).map(insert).collect();
        let mut inserts = stream::iter(groups).buffer_unordered(IN_FLIGHT);
        while inserts.try_next().await?.is_some() {}
        Ok(())
    }

    /// The keys of the hub partitions of which rejected readings are kept. Found by jumping: the first row behind a
    /// partition belongs to the next one. There are as many as the hub has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn partitions(&self, deadline: Instant) -> Result<Vec<String>, StoreError> {
        let table = self.table(deadline).await?;
        let mut partitions: Vec<String> = Vec::new();
        loop {
            let query = Query::everything().select(["Reason"]).top(1);
            let query = match partitions.last() {
                Some(last) => query.behind_partition(last),
                None => query,
            };
            match table.first(&query, Deadline::at(deadline)).await? {
                Some(row) => partitions.push(row.entity.partition),
                None => return Ok(partitions),
            }
        }
    }

    /// Rejected readings of a hub partition in the order of their keys, which is newest first. Less than the limit only
    /// when there are no more. Rows that somebody has made unreadable are passed over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn read(
        &self,
        wanted: &RejectedQuery,
        deadline: Instant,
    ) -> Result<Vec<RejectedReading>, StoreError> {
        let table = self.table(deadline).await?;
        let behind = wanted.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let page_size = u16::try_from(wanted.limit).unwrap_or(MOST_PAGE_ROWS).clamp(1, MOST_PAGE_ROWS);
        let query =
            Query::partition(&wanted.partition).rows((behind, Bound::<&str>::Unbounded)).top(page_size);
        let query = match &wanted.device {
            Some(device) => query.filter("DeviceId", Comparison::Equal, device.as_str()),
            None => query,
        };
        let (mut readings, mut from) = (Vec::new(), None);
        loop {
            let page = table.query(&query, from.as_ref(), Deadline::at(deadline)).await?;
            readings.extend(page.rows.iter().filter_map(|row| reading(&row.entity)));
            from = page.next;
            if from.is_none() || readings.len() >= wanted.limit {
                readings.truncate(wanted.limit);
                return Ok(readings);
            }
        }
    }

    /// Deletes what was rejected before a moment, oldest partition keys first, and stops when the time is up. A row that
    /// was changed meanwhile stays for the next call.
    ///
    /// # Errors
    /// [`StoreError`]; some rows may have been deleted then.
    pub async fn delete_before(&self, before: Millis, deadline: Instant) -> Result<Deleted, StoreError> {
        let partitions = self.partitions(deadline).await?;
        let table = self.table(deadline).await?;
        delete::delete_before(&table, &partitions, before, deadline).await
    }

    async fn table(&self, deadline: Instant) -> Result<Table, StoreError> {
        self.store.table(tables::REJECTED_TELEMETRY, deadline).await
    }
}

/// Pieces that are inserted at the same time; `insert_missing` splits them further by size.
fn in_groups(rows: BTreeMap<String, Entity>) -> impl Iterator<Item = Vec<Entity>> {
    let mut rows = rows.into_values();
    std::iter::from_fn(move || {
        let group: Vec<Entity> = rows.by_ref().take(MOST_OPERATIONS).collect();
        (!group.is_empty()).then_some(group)
    })
}

/// The rejected reading of a row; `None` when it cannot be read, or its reason is one that this version does not know.
pub fn reading(row: &Entity) -> Option<RejectedReading> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let whole = |name: &str| row.get(name).and_then(Value::as_i64);
    let time = |name: &str| text(name).and_then(Millis::parse);
    Some(RejectedReading {
        rejection: Rejection {
            reason: Reason::of_code(text("Reason")?)?,
            detail: text("Detail")?.to_owned(),
            device: text("DeviceId").map(str::to_owned),
        },
        body: row.get("Body")?.as_bytes()?.to_vec(),
        body_length: whole("BodyLength")?.try_into().ok()?,
        position: Position {
            partition: HubPartition::from_stored(text("HubPartition")?),
            sequence: whole("SequenceNumber"),
        },
        index: whole("ReadingIndex")?.try_into().ok()?,
        enqueued_at: time("EnqueuedAt"),
        // Version 0.1.0 called it `RefusedAt`.
        rejected_at: time("RejectedAt").or_else(|| time("RefusedAt"))?,
    })
}

fn entity(reading: &RejectedReading) -> Entity {
    let mut entity = Entity::new(reading.partition_key(), reading.row_key())
        .with("Reason", reading.rejection.reason.code())
        .with("Detail", reading.rejection.detail.as_str())
        .with("Body", reading.body.clone())
        .with("BodyLength", i64::try_from(reading.body_length).unwrap_or(i64::MAX))
        .with("HubPartition", reading.position.partition.as_str())
        .with("ReadingIndex", i64::try_from(reading.index).unwrap_or(i64::MAX))
        .with("RejectedAt", Value::DateTime(reading.rejected_at.to_text()));
    if let Some(device) = reading.claimed_device() {
        entity.set("DeviceId", device);
    }
    if let Some(sequence) = reading.position.sequence {
        entity.set("SequenceNumber", sequence);
    }
    if let Some(enqueued_at) = reading.enqueued_at {
        entity.set("EnqueuedAt", Value::DateTime(enqueued_at.to_text()));
    }
    entity
}
