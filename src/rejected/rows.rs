//! Rows of `RejectedTelemetry`: one for each body of which something was rejected, whatever it holds, in the same place for
//! every delivery. How they are kept, listed, and deleted when they are old.

mod keep;
mod kept;
mod pages;
mod retention;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use fieldcast_tables::limits::{LARGEST_TRANSACTION, MOST_OPERATIONS};
use fieldcast_tables::{Deadline, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::Instant;

use self::keep::{ToKeep, keep_together};
use self::kept::Kept;
pub use self::pages::{ListQuery, Listed, Place};
pub use self::retention::Deleted;
use super::body::RejectedBody;
use super::key::Key;
use super::row;
use crate::primitives::instant::Millis;
use crate::primitives::jitter::Jitter;
use crate::store::{Store, StoreError, tables};

/// Transactions in flight at once: a batch of a thousand large bodies must not take longer than an invocation has.
const IN_FLIGHT: usize = 8;

/// Bytes of one transaction. Half of what the service takes goes up in a second at 16 Mbit/s; and those in flight have their
/// rows in memory about three times.
const MOST_TRANSACTION_BYTES: usize = LARGEST_TRANSACTION / 4;

/// The rejected bodies of an app.
pub struct RejectedRows {
    store: Arc<Store>,
    kept: Kept,
}

impl RejectedRows {
    /// The rejected bodies of a store.
    pub fn new(store: Arc<Store>) -> RejectedRows {
        RejectedRows { store, kept: Kept::default() }
    }

    /// Keeps bodies, or these parts of them, once, however often it is called with them. What was kept of a body before
    /// stays as it is, and the rest is added. `seed` spreads the pauses between tries.
    ///
    /// # Errors
    /// [`StoreError`]; some may have been kept then.
    pub async fn keep(
        &self,
        bodies: Vec<RejectedBody>,
        seed: u64,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let wanted = self.not_known(bodies);
        if wanted.is_empty() {
            return Ok(());
        }
        let table = self.table(deadline).await?;
        let keep = async |group: Vec<ToKeep>| {
            let mut jitter = Jitter::new(seed, group.first().map_or("", |body| &body.key.row));
            keep_together(&table, group, || jitter.draw(), Deadline::at(deadline)).await
        };
        let groups: Vec<_> = in_groups(wanted).map(keep).collect();
        let mut keeping = stream::iter(groups).buffer_unordered(IN_FLIGHT);
        while let Some(confirmed) = keeping.try_next().await? {
            for (row, held) in confirmed {
                self.kept.note(row, &held);
            }
        }
        Ok(())
    }

    /// Bodies from the newest to the oldest, as the query says. There may be fewer than it wants, or none, although more
    /// follow: a call reads a bounded number of rows, however few of them are wanted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, query: &ListQuery, deadline: Instant) -> Result<Listed, StoreError> {
        pages::list(&self.table(deadline).await?, query, deadline).await
    }

    /// Deletes bodies that the hub enqueued on a day that ended before this time, or that were rejected before it where that
    /// is not known. Bounded work: there may be more.
    ///
    /// # Errors
    /// [`StoreError`]; some may have been deleted then.
    pub async fn delete_before(&self, before: Millis, deadline: Instant) -> Result<Deleted, StoreError> {
        retention::delete_before(&self.table(deadline).await?, before, deadline).await
    }

    /// The bodies by their keys, without those that are known to be kept. Two with the same key are deliveries of the same
    /// event.
    fn not_known(&self, bodies: Vec<RejectedBody>) -> BTreeMap<Key, RejectedBody> {
        let mut wanted: BTreeMap<Key, RejectedBody> = BTreeMap::new();
        for body in bodies {
            let key = body.key();
            if self.kept.holds(&key.row, &body.rejected) {
                continue;
            }
            match wanted.entry(key) {
                Entry::Occupied(mut known) => {
                    known.get_mut().rejected.add(&body.rejected);
                }
                Entry::Vacant(place) => {
                    place.insert(body);
                }
            }
        }
        wanted
    }

    async fn table(&self, deadline: Instant) -> Result<Table, StoreError> {
        self.store.table(tables::REJECTED_TELEMETRY, deadline).await
    }
}

/// Bodies of one partition that fit one transaction. Their rows are made when their turn comes.
fn in_groups(bodies: BTreeMap<Key, RejectedBody>) -> impl Iterator<Item = Vec<ToKeep>> {
    let mut bodies = bodies.into_iter().peekable();
    std::iter::from_fn(move || {
        let (first, body) = bodies.next()?;
        let mut bytes = row::weight(&body);
        let partition = first.partition.clone();
        let mut group = vec![ToKeep::new(first, body)];
        while let Some((key, body)) = bodies.next_if(|(key, body)| {
            bytes += row::weight(body);
            key.partition == partition && group.len() < MOST_OPERATIONS && bytes <= MOST_TRANSACTION_BYTES
        }) {
            group.push(ToKeep::new(key, body));
        }
        Some(group)
    })
}

#[cfg(test)]
mod tests;
