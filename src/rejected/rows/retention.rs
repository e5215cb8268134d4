//! Old rejected bodies are deleted: those of days that are past, which stand behind all others, so that nothing else is read.

use std::collections::BTreeMap;

use fieldcast_tables::limits::MOST_PAGE_ROWS;
use fieldcast_tables::{Deadline, Error, Operation, Query, Stored, Table, in_transactions};
use futures_util::stream::{self, StreamExt};
use tokio::time::Instant;

use crate::primitives::instant::Millis;
use crate::rejected::key::{Group, day};
use crate::rejected::row;
use crate::store::StoreError;

/// Transactions in flight at once.
const IN_FLIGHT: usize = 8;

/// What a call has deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows.
    pub rows: usize,
    /// Whether nothing that is old enough is left.
    pub is_complete: bool,
}

/// See [`RejectedRows::delete_before`](super::RejectedRows::delete_before).
pub(super) async fn delete_before(
    table: &Table,
    before: Millis,
    deadline: Instant,
) -> Result<Deleted, StoreError> {
    let deadline = Deadline::at(deadline);
    let today = day(before);
    let query = Query::everything()
        .behind_partition(Group::Day(&today).end())
        .select(["RejectedAt", "RefusedAt"])
        .top(MOST_PAGE_ROWS);
    let mut deleted = Deleted { rows: 0, is_complete: true };
    let mut from = None;
    loop {
        let page = table.query(&query, from.as_ref(), deadline).await?;
        let old = page.rows.into_iter().filter(|stored| is_old(stored, before)).collect();
        let (rows, is_complete) = delete(table, old, deadline).await?;
        deleted.rows += rows;
        deleted.is_complete &= is_complete;
        from = page.next;
        if from.is_none() {
            return Ok(deleted);
        }
        if deadline.remaining().is_zero() {
            return Ok(Deleted { is_complete: false, ..deleted });
        }
    }
}

/// Rows without an enqueued time, and those of earlier versions, say themselves when they were written; one that does not
/// is left to a person.
fn is_old(stored: &Stored, before: Millis) -> bool {
    Group::of_partition(&stored.entity.partition).is_dated()
        || row::rejected_at(&stored.entity).is_some_and(|rejected_at| rejected_at < before)
}

/// Deletes rows as they were read: how many, and whether all. What has changed meanwhile, and what nobody knows of, is for
/// the next call.
async fn delete(table: &Table, rows: Vec<Stored>, deadline: Deadline) -> Result<(usize, bool), Error> {
    let mut partitions: BTreeMap<String, Vec<Operation>> = BTreeMap::new();
    for Stored { entity, etag, .. } in rows {
        let delete = Operation::Delete { partition: entity.partition.clone(), row: entity.row, etag };
        partitions.entry(entity.partition).or_default().push(delete);
    }
    let transactions: Vec<_> = partitions
        .into_values()
        .flat_map(in_transactions)
        .map(|group| async move { (group.len(), table.transact(group, deadline).await) })
        .collect();
    let mut deleting = stream::iter(transactions).buffer_unordered(IN_FLIGHT);
    let (mut deleted, mut is_complete) = (0, true);
    while let Some((rows, outcome)) = deleting.next().await {
        match outcome {
            Ok(_) => deleted += rows,
            Err(Error::Conflict { .. } | Error::Unknown { .. }) => is_complete = false,
            Err(error) => return Err(error),
        }
    }
    Ok((deleted, is_complete))
}
