//! Rows of `RejectedTelemetry`: inserted once, in transactions; a second delivery finds them and leaves them. And how people
//! get to see them.

use std::collections::{BTreeMap, HashSet};
use std::ops::Bound;

use fieldcast_tables::{Comparison, Deadline, Entity, Error, Operation, Query, Stored, Table, Value};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::store_error;
use crate::primitives::ids::{Partition, Position};
use crate::primitives::instant::Millis;
use crate::rejected::refusal::{Fault, Reason, Refusal};
use crate::store::{MOST_WRITES, RefusalQuery, StoreError};

/// Transactions in flight at once: a body with thousands of refused readings must not take longer than an invocation has.
const IN_FLIGHT: usize = 8;

/// The service's largest page.
const MOST_ROWS: u16 = 1_000;

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

/// The partitions that hold refusals: from each the first row behind it, which is of the next. There are as many as the hub
/// has.
pub(super) async fn partitions(table: &Table, deadline: Deadline) -> Result<Vec<String>, StoreError> {
    let mut partitions: Vec<String> = Vec::new();
    loop {
        let query = Query::everything().select(["Reason"]).top(1);
        let query = match partitions.last() {
            Some(last) => query.behind_partition(last),
            None => query,
        };
        match first(table, &query, deadline).await? {
            Some(row) => partitions.push(row.entity.partition),
            None => return Ok(partitions),
        }
    }
}

/// The first row of a query. A page may be empty although others follow.
async fn first(table: &Table, query: &Query, deadline: Deadline) -> Result<Option<Stored>, StoreError> {
    let mut from = None;
    loop {
        let page = table.query(query, from.as_ref(), deadline).await.map_err(store_error)?;
        match (page.rows.into_iter().next(), page.next) {
            (Some(row), _) => return Ok(Some(row)),
            (None, Some(next)) => from = Some(next),
            (None, None) => return Ok(None),
        }
    }
}

/// Refusals of one partition, in key order. Rows that somebody has made unreadable are passed over.
pub(super) async fn read(
    table: &Table,
    wanted: &RefusalQuery,
    deadline: Deadline,
) -> Result<Vec<Refusal>, StoreError> {
    let behind = wanted.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
    let page_size = u16::try_from(wanted.limit).unwrap_or(MOST_ROWS).clamp(1, MOST_ROWS);
    let mut query =
        Query::partition(&wanted.partition).rows((behind, Bound::<&str>::Unbounded)).top(page_size);
    if let Some(device) = &wanted.device {
        query = query.filter("DeviceId", Comparison::Equal, device.as_str());
    }
    let (mut refusals, mut from) = (Vec::new(), None);
    loop {
        let page = table.query(&query, from.as_ref(), deadline).await.map_err(store_error)?;
        refusals.extend(page.rows.iter().filter_map(|row| refusal_of(&row.entity)));
        from = page.next;
        if from.is_none() || refusals.len() >= wanted.limit {
            refusals.truncate(wanted.limit);
            return Ok(refusals);
        }
    }
}

fn refusal_of(entity: &Entity) -> Option<Refusal> {
    let text = |name: &str| entity.get(name).and_then(Value::as_str);
    let whole = |name: &str| entity.get(name).and_then(Value::as_i64);
    let time = |name: &str| text(name).and_then(Millis::parse);
    Some(Refusal {
        fault: Fault {
            reason: Reason::of_code(text("Reason")?)?,
            detail: text("Detail")?.to_owned(),
            device: text("DeviceId").map(str::to_owned),
        },
        body: entity.get("Body")?.as_bytes()?.to_vec(),
        body_length: whole("BodyLength")?.try_into().ok()?,
        position: Position {
            partition: Partition::from_stored(text("HubPartition")?),
            sequence: whole("SequenceNumber"),
        },
        index: whole("ReadingIndex")?.try_into().ok()?,
        enqueued_at: time("EnqueuedAt"),
        refused_at: time("RefusedAt")?,
    })
}

fn entity_of(refusal: &Refusal) -> Entity {
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
