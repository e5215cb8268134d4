//! Bodies of one partition are kept: inserted, or joined with what is kept of them. The only place where this is tried again.

use std::collections::HashMap;
use std::time::Duration;

use fieldcast_tables::{Deadline, Entity, Error, Etag, Operation, Query, Retry, Stored, Table};
use tokio::time::sleep;

use crate::rejected::body::{RejectedBody, RejectedElements};
use crate::rejected::key::Key;
use crate::rejected::row;

/// Pauses between rounds. A conflict usually means that another delivery of the same bodies is at work, which takes some
/// tens of milliseconds; an unknown outcome that the store is in trouble.
const PAUSES: Retry = Retry {
    first_delay: Duration::from_millis(50),
    longest_delay: Duration::from_secs(4),
    attempt_timeout: Duration::ZERO,
};

/// A body that is to be kept.
pub(super) struct ToKeep {
    pub(super) key: Key,
    pub(super) body: RejectedBody,
    /// The row as it was last seen: its version, and what it says when this body's part is added.
    union: Option<(Etag, RejectedElements)>,
}

/// A row that is kept, and what it is known to hold.
pub(super) type Confirmed = (String, RejectedElements);

impl ToKeep {
    pub(super) fn new(key: Key, body: RejectedBody) -> ToKeep {
        ToKeep { key, body, union: None }
    }

    fn operation(&self) -> Operation {
        match &self.union {
            None => Operation::Insert(row::entity(&self.key, &self.body)),
            Some((etag, union)) => Operation::Merge(row::changes(&self.key, union), etag.clone()),
        }
    }

    fn confirmed(self) -> Confirmed {
        let held = self.union.map_or(self.body.rejected, |(_, union)| union);
        (self.key.row, held)
    }
}

/// Keeps bodies of one partition that fit one transaction, and says what the rows hold then.
///
/// Rows that are not there are inserted. Where some are, or an answer was lost, it is read which, in one query: a row that
/// holds everything already is left alone; one that lacks something is written under its version with both. `jitter` gives
/// numbers from 0 to 1.
///
/// # Errors
/// The last one, when time is up; at once what trying again would not change. None of the rows is known to be there.
pub(super) async fn keep_together(
    table: &Table,
    mut bodies: Vec<ToKeep>,
    jitter: impl FnMut() -> f64,
    deadline: Deadline,
) -> Result<Vec<Confirmed>, Error> {
    let mut confirmed = Vec::with_capacity(bodies.len());
    let mut pauses = PAUSES.delays(jitter);
    loop {
        let error = match table.transact(bodies.iter().map(ToKeep::operation).collect(), deadline).await {
            Ok(_) => {
                confirmed.extend(bodies.into_iter().map(ToKeep::confirmed));
                return Ok(confirmed);
            }
            Err(error @ (Error::Conflict { .. } | Error::Unknown { .. })) => error,
            Err(error) => return Err(error),
        };
        let (kept, missing) = compare(table, bodies, deadline).await?;
        confirmed.extend(kept);
        if missing.is_empty() {
            return Ok(confirmed);
        }
        bodies = missing;
        let pause = pauses.next().unwrap_or(PAUSES.longest_delay);
        if pause >= deadline.remaining() {
            return Err(error);
        }
        sleep(pause).await;
    }
}

/// Compares bodies with what is stored: those that are kept, and the others with what there is of them.
async fn compare(
    table: &Table,
    bodies: Vec<ToKeep>,
    deadline: Deadline,
) -> Result<(Vec<Confirmed>, Vec<ToKeep>), Error> {
    let (Some(first), Some(last)) =
        (bodies.iter().map(|body| &body.key).min(), bodies.iter().map(|body| &body.key).max())
    else {
        return Ok((Vec::new(), Vec::new()));
    };
    let query =
        Query::partition(&first.partition).rows(first.row.as_str()..=last.row.as_str()).select(row::REJECTED);
    let stored = table.query_all(&query, deadline).await?;
    let stored: HashMap<&str, &Stored> =
        stored.iter().map(|stored| (stored.entity.row.as_str(), stored)).collect();
    let (mut kept, mut missing) = (Vec::new(), Vec::new());
    for body in bodies {
        let found = stored.get(body.key.row.as_str());
        let union = found.map(|stored| (stored.etag.clone(), joined(&stored.entity, &body.body)));
        match union {
            Some((_, (union, false))) => kept.push((body.key.row, union)),
            Some((etag, (union, true))) => missing.push(ToKeep { union: Some((etag, union)), ..body }),
            None => missing.push(ToKeep { union: None, ..body }),
        }
    }
    Ok((kept, missing))
}

/// What a row holds with a body's part, and whether it has to be written for that. A row that cannot be read holds nothing.
fn joined(row: &Entity, body: &RejectedBody) -> (RejectedElements, bool) {
    let mut union = row::rejected(row).unwrap_or_default();
    let is_new = union.add(&body.rejected);
    (union, is_new)
}
