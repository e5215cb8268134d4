//! Rows of `RejectedTelemetry`: inserted once, in transactions; a second delivery finds them and leaves them.

use std::collections::{BTreeMap, HashSet};

use fieldcast_tables::{Deadline, Entity, Error, Operation, Query, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::store_error;
use crate::refusal::Refusal;
use crate::store::{MOST_WRITES, StoreError};

/// Transactions in flight at once: a body with thousands of refused readings must not take longer than an invocation has.
const IN_FLIGHT: usize = 8;

/// Rows by key. Two refusals of one batch with the same key are deliveries of the same reading.
type Rows = BTreeMap<String, Entity>;

/// Keeps each refusal once.
pub(super) async fn keep(table: &Table, refusals: &[Refusal], deadline: Deadline) -> Result<(), StoreError> {
    let mut partitions: BTreeMap<String, Rows> = BTreeMap::new();
    for refusal in refusals {
        let partition = partitions.entry(refusal.partition_key()).or_default();
        partition.entry(refusal.row_key()).or_insert_with(|| entity_of(refusal));
    }
    let mut inserts = Vec::new();
    for rows in partitions.values() {
        let rows: Vec<&Entity> = rows.values().collect();
        inserts.extend(rows.chunks(MOST_WRITES).map(|group| insert_missing(table, group.to_vec(), deadline)));
    }
    stream::iter(inserts).buffer_unordered(IN_FLIGHT).try_collect().await
}

/// Inserts a group; when some of it is there already, reads which and inserts the rest. Another process may do the same
/// at the same time, so this is repeated until nothing is missing; each round at least one row more is there.
async fn insert_missing(table: &Table, group: Vec<&Entity>, deadline: Deadline) -> Result<(), StoreError> {
    let mut missing = group;
    while !missing.is_empty() {
        let inserts: Vec<_> = missing.iter().map(|row| Operation::Insert((*row).clone())).collect();
        match table.transact(inserts, deadline).await {
            Ok(_) => return Ok(()),
            Err(Error::Conflict { .. } | Error::Unknown { .. }) => {
                let there = present(table, &missing, deadline).await?;
                missing.retain(|row| !there.contains(&row.row));
            }
            Err(error) => return Err(store_error(error)),
        }
    }
    Ok(())
}

/// Which of these rows, which are in key order, exist.
async fn present(table: &Table, rows: &[&Entity], deadline: Deadline) -> Result<HashSet<String>, StoreError> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
        return Ok(HashSet::new());
    };
    let query =
        Query::partition(&first.partition).rows(first.row.as_str()..=last.row.as_str()).select(["Reason"]);
    let found = table.query_all(&query, deadline).await.map_err(store_error)?;
    Ok(found.into_iter().map(|row| row.entity.row).collect())
}

fn entity_of(refusal: &Refusal) -> Entity {
    use fieldcast_tables::Value;
    let mut entity = Entity::new(refusal.partition_key(), refusal.row_key())
        .with("Reason", refusal.fault.reason.code())
        .with("Detail", refusal.fault.detail.as_str())
        .with("Body", refusal.body.clone())
        .with("BodyLength", i64::try_from(refusal.body_length).unwrap_or(i64::MAX))
        .with("HubPartition", refusal.position.partition.as_str())
        .with("ReadingIndex", i64::try_from(refusal.index).unwrap_or(i64::MAX))
        .with("RefusedAt", Value::DateTime(refusal.refused_at.to_text()));
    if let Some(device) = refusal.claimed_device() {
        entity.set("DeviceId", device);
    }
    if let Some(sequence) = refusal.position.sequence {
        entity.set("SequenceNumber", sequence);
    }
    if let Some(enqueued_at) = refusal.enqueued_at {
        entity.set("EnqueuedAt", Value::DateTime(enqueued_at.to_text()));
    }
    entity
}
