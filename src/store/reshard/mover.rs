//! Moving rows. A row is inserted where it belongs before it is deleted where it was, so that a process that is killed in
//! between leaves two equal rows, never none; the layout row says that a move is under way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use fieldcast_tables::{
    Continuation, Entity, Error, Etag, Operation, Query, Stored, Table, in_transactions, insert_missing,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::copy::{copy_of, same};
use super::spread::{PARTITIONS_IN_FLIGHT, Spread, TRANSACTIONS_IN_FLIGHT};
use super::survey::Survey;
use super::terms::{Expected, Progress, ReshardError, RowName, Totals};
use crate::primitives::chain::chain;
use crate::store::layout::{self, Moving, RecordedLayout};

/// Rows that one partition has in memory, in pages of up to 1,000 rows and 4 MiB: enough to fill transactions for a few
/// dozen targets.
const MOST_ROWS: usize = 4_000;
const MOST_BYTES: usize = 16 * 1024 * 1024;

/// Each round finds out what the last one did. A lost answer or a second process costs a round; more are a storm.
const ROUNDS: usize = 5;

/// A conflict at the layout row is another run of this command, or an app that started for the first time.
pub(super) fn layout_error(error: Error) -> ReshardError {
    match error {
        Error::Conflict { .. } => ReshardError::InUse("the storage".to_owned()),
        other => other.into(),
    }
}

/// What moves rows, and from where to where.
pub(super) struct Mover<'a> {
    pub(super) spread: &'a Spread,
    pub(super) expect: Expected,
}

/// Rows of one partition that belong into another one.
struct Move {
    from: String,
    to: String,
    rows: Vec<Stored>,
}

impl Mover<'_> {
    /// Makes sure that the layout row says that the move is under way. Returns what there was when it began, and the
    /// layout row's revision.
    pub(super) async fn begin(
        &self,
        layout: &Table,
        recorded: Option<RecordedLayout>,
        found: &Survey,
    ) -> Result<(Totals, Etag), ReshardError> {
        match recorded {
            Some(RecordedLayout { etag, moving: Some(moving), .. })
                if self.expect == Expected::AsRecorded =>
            {
                found.must_be(moving.before)?;
                return Ok((moving.before, etag));
            }
            // It is under way, and a person accepts what is there.
            Some(RecordedLayout { moving: Some(_), .. }) => {}
            _ => found.has_no_strangers()?,
        }
        let (key, moving) =
            (self.spread.to.partition_key(), Moving { to: self.spread.to.count(), before: found.totals });
        let etag = layout::begin(layout, key, recorded.as_ref(), &moving, self.spread.deadline()).await;
        Ok((moving.before, etag.map_err(layout_error)?))
    }

    /// Moves every row that does not stand where it belongs; returns how many.
    pub(super) async fn run(
        &self,
        to_move: u64,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<u64, ReshardError> {
        let moved = AtomicU64::new(0);
        let report = |rows: u64| {
            let moved = moved.fetch_add(rows, Ordering::Relaxed) + rows;
            progress(Progress { moved, to_move });
        };
        let partitions = self.spread.from.keys().map(|key| self.empty(key, &report));
        stream::iter(partitions).buffer_unordered(PARTITIONS_IN_FLIGHT).try_collect::<()>().await?;
        Ok(moved.into_inner())
    }

    /// Moves what does not belong into this partition.
    async fn empty(&self, partition: String, report: &(dyn Fn(u64) + Sync)) -> Result<(), ReshardError> {
        let mut next = None;
        loop {
            let (rows, more) = self.read(&partition, next).await?;
            let mut targets: BTreeMap<String, Vec<Stored>> = BTreeMap::new();
            for row in rows {
                targets.entry(self.spread.target(&row.entity.row)).or_default().push(row);
            }
            let moves = targets.into_iter().map(|(to, rows)| Move { from: partition.clone(), to, rows });
            let moves = moves.map(|rows| self.move_rows(rows, report));
            stream::iter(moves).buffer_unordered(TRANSACTIONS_IN_FLIGHT).try_collect::<()>().await?;
            next = more;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    /// The next pages of rows that do not belong into this partition.
    async fn read(
        &self,
        partition: &str,
        mut next: Option<Continuation>,
    ) -> Result<(Vec<Stored>, Option<Continuation>), ReshardError> {
        let query = Query::partition(partition);
        let (mut rows, mut bytes) = (Vec::new(), 0);
        loop {
            let page = self.spread.devices.query(&query, next.as_ref(), self.spread.deadline()).await?;
            let leaving =
                page.rows.into_iter().filter(|row| self.spread.target(&row.entity.row) != partition);
            rows.extend(leaving.inspect(|row| bytes += row.entity.wire_size()));
            next = page.next;
            if next.is_none() || rows.len() >= MOST_ROWS || bytes >= MOST_BYTES {
                return Ok((rows, next));
            }
        }
    }

    async fn move_rows(&self, rows: Move, report: &(dyn Fn(u64) + Sync)) -> Result<(), ReshardError> {
        self.copy(&rows).await?;
        let deletes = rows.rows.iter().map(deletion).collect();
        for transaction in in_transactions(deletes) {
            let deleted = transaction.len();
            self.delete(&rows, transaction).await?;
            report(u64::try_from(deleted).unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Returns when an equal copy of each row is where it belongs. A copy that is not equal ends everything: only a
    /// person can tell which is right.
    async fn copy(&self, rows: &Move) -> Result<(), ReshardError> {
        let copies: Vec<Entity> = rows.rows.iter().map(|row| copy_of(row, &rows.to)).collect();
        let before: BTreeMap<&str, &Stored> =
            rows.rows.iter().map(|row| (row.entity.row.as_str(), row)).collect();
        let there =
            insert_missing(&self.spread.devices, copies, &mut rand::random, self.spread.deadline()).await;
        for copy in there.map_err(|error| unmovable(error, &rows.rows))? {
            let Some(old) = before.get(copy.entity.row.as_str()) else { continue };
            if !same(&copy_of(old, &rows.to), &copy.entity) {
                return Err(ReshardError::Differ { old: name(old), copy: name(&copy) });
            }
        }
        Ok(())
    }

    /// Returns when none of these rows is left where it was. Each is deleted only as it was read, and copied.
    async fn delete(&self, rows: &Move, deletes: Vec<Operation>) -> Result<(), ReshardError> {
        let mut left = deletes;
        let mut last = None;
        for _ in 0..ROUNDS {
            match self.spread.devices.transact(left.clone(), self.spread.deadline()).await {
                Ok(_) => return Ok(()),
                // Some have gone or were changed, or all have gone and the answer was lost.
                Err(error @ (Error::Conflict { .. } | Error::Unknown { .. })) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
            left = self.still_there(left, &rows.from).await?;
            if left.is_empty() {
                return Ok(());
            }
        }
        last.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Those that have not been deleted. One that was changed ends everything: its copy is too old.
    async fn still_there(&self, deletes: Vec<Operation>, from: &str) -> Result<Vec<Operation>, ReshardError> {
        let reads = deletes
            .iter()
            .map(|delete| self.spread.devices.get(from, delete.keys().1, self.spread.deadline()));
        let found: Vec<Option<Stored>> =
            stream::iter(reads).buffered(TRANSACTIONS_IN_FLIGHT).try_collect().await?;
        let mut left = Vec::new();
        for (delete, now) in deletes.into_iter().zip(found) {
            match (now, &delete) {
                (None, _) => {}
                (Some(now), Operation::Delete { etag, .. }) if now.etag == *etag => left.push(delete),
                (Some(now), _) => return Err(ReshardError::Changed(name(&now))),
            }
        }
        Ok(left)
    }
}

fn deletion(row: &Stored) -> Operation {
    let (partition, row_key) = (row.entity.partition.clone(), row.entity.row.clone());
    Operation::Delete { partition, row: row_key, etag: row.etag.clone() }
}

fn name(row: &Stored) -> RowName {
    RowName::new(&row.entity.partition, &row.entity.row)
}

/// Names the row that the store does not take, where it says which.
fn unmovable(error: Error, rows: &[Stored]) -> ReshardError {
    match error {
        Error::Invalid { index: Some(index), .. } | Error::Refused { index: Some(index), .. }
            if index < rows.len() =>
        {
            ReshardError::Unmovable { row: name(&rows[index]), problem: chain(&error) }
        }
        other => other.into(),
    }
}
