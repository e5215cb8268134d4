//! Inserting what is not there yet, whatever became of earlier attempts: insert and verify, in one place.

use std::time::Duration;

use tokio::time::sleep;

use crate::key::compare;
use crate::{Deadline, Entity, Error, Operation, Query, Retry, Stored, Table, in_transactions};

/// Pauses between rounds. A conflict usually means that another delivery of the same rows is at work, which takes some
/// tens of milliseconds; an unknown outcome that the store is in trouble.
const PAUSES: Retry = Retry {
    first_delay: Duration::from_millis(50),
    longest_delay: Duration::from_secs(4),
    attempt_timeout: Duration::ZERO,
};

/// Inserts those of these rows that are not there yet, and returns the others as they are stored, untouched.
///
/// The rows are of one partition; there may be any number. They are inserted in transactions, one after the other. After
/// a conflict or an unknown outcome it is read which rows are there, and the rest inserted, with a growing pause between
/// rounds, until nothing is missing or the deadline leaves no time. So a row of this very call whose answer was lost can
/// be among those returned. `jitter` gives numbers from 0 to 1, evenly distributed.
///
/// # Errors
/// The last one, when time is up; at once what trying again would not change. Some of the rows may be there.
pub async fn insert_missing(
    table: &Table,
    entities: Vec<Entity>,
    jitter: &mut (dyn FnMut() -> f64 + Send),
    deadline: Deadline,
) -> Result<Vec<Stored>, Error> {
    let mut found = Vec::new();
    for group in in_transactions(entities.into_iter().map(Operation::Insert).collect()) {
        found.extend(insert_group(table, group, jitter, deadline).await?);
    }
    Ok(found)
}

async fn insert_group(
    table: &Table,
    mut inserts: Vec<Operation>,
    jitter: &mut (dyn FnMut() -> f64 + Send),
    deadline: Deadline,
) -> Result<Vec<Stored>, Error> {
    let mut found = Vec::new();
    let mut pauses = PAUSES.delays(jitter);
    while !inserts.is_empty() {
        let error = match table.transact(inserts.clone(), deadline).await {
            Ok(_) => break,
            Err(error @ (Error::Conflict { .. } | Error::Unknown { .. })) => error,
            Err(error) => return Err(error),
        };
        let there = present(table, &inserts, deadline).await?;
        inserts.retain(|insert| there.iter().all(|stored| stored.entity.row != insert.keys().1));
        found.extend(there);
        let pause = pauses.next().unwrap_or(PAUSES.longest_delay);
        match inserts.is_empty() {
            true => break,
            false if pause < deadline.remaining() => sleep(pause).await,
            false => return Err(error),
        }
    }
    Ok(found)
}

/// Those of the rows to be inserted that exist, as they are stored.
async fn present(table: &Table, inserts: &[Operation], deadline: Deadline) -> Result<Vec<Stored>, Error> {
    let by_row = |one: &&Operation, other: &&Operation| compare(one.keys().1, other.keys().1);
    let (Some(first), Some(last)) = (inserts.iter().min_by(by_row), inserts.iter().max_by(by_row)) else {
        return Ok(Vec::new());
    };
    let query = Query::partition(first.keys().0).rows(first.keys().1..=last.keys().1);
    let mut there = table.query_all(&query, deadline).await?;
    there.retain(|stored| inserts.iter().any(|insert| insert.keys().1 == stored.entity.row));
    Ok(there)
}
