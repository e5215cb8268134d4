//! Moving the rows of Table Storage. A row is inserted where it belongs before it is deleted where it was, so that a
//! process that is killed in between leaves two equal rows, never none; the layout row says that a move is under way.

mod copy;
mod survey;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use fieldcast_tables::{
    Account, ConnectionString, Continuation, Deadline, Error, Etag, Operation, Query, Stored, Table,
};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use self::copy::{chunks, copy_of, same};
use self::survey::{Survey, survey};
use super::layout::{self, Moving, Recorded};
use super::store_error;
use crate::store::StoreError;
use crate::store::reshard::{Expected, Outcome, Progress, Reshard, ReshardError, RowName, Totals};
use crate::store::shard::Shards;

/// Partitions that are read at the same time, and transactions in flight for each. Table Storage answers in about 10 ms
/// and takes 2,000 rows a second for a partition: 16 transactions of 100 rows are what it lets through.
const PARTITIONS_IN_FLIGHT: usize = 4;
const CHUNKS_IN_FLIGHT: usize = 4;

/// Rows that one partition has in memory, in pages of up to 1,000 rows and 4 MiB: enough to fill transactions for a few
/// dozen targets.
const MOST_ROWS: usize = 4_000;
const MOST_WEIGHT: usize = 16 * 1024 * 1024;

/// Each round finds out what the last one did. A lost answer or a second process costs a round; more are a storm.
const ROUNDS: usize = 5;

/// Moves the rows under `partition_key` as asked, or goes on with a move that was interrupted. The app must be stopped.
///
/// # Errors
/// Each [`ReshardError`]; the same call goes on where this one ended.
pub async fn in_tables(
    connection: ConnectionString,
    http: reqwest::Client,
    partition_key: &str,
    wanted: &Reshard,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, ReshardError> {
    let account = Account::new(connection, http);
    let table =
        |name: &str| account.table(name).map_err(|error| StoreError::Misconfigured(error.to_string()));
    let (layout, states) = (table(layout::TABLE)?, table(super::STATES)?);
    let deadline = || Deadline::after(wanted.patience);
    let recorded = layout::read(&layout, partition_key, deadline()).await?;
    let from = recorded.as_ref().map_or(1, |recorded| recorded.shards);
    match recorded.as_ref().map(|recorded| &recorded.moving) {
        Some(Some(moving)) if moving.to != wanted.to => return Err(ReshardError::OtherTarget(moving.to)),
        Some(None) if from == wanted.to => return Ok(Outcome::Already),
        _ => {}
    }
    let mover = Mover {
        states,
        from: Shards::new(partition_key, from),
        to: Shards::new(partition_key, wanted.to),
        wanted,
    };
    let found = survey(&mover).await?;
    if recorded.is_none() && found.totals.rows == 0 {
        return Err(ReshardError::NothingStored(format!("table DeviceState under {partition_key:?}")));
    }
    if recorded.is_none() && wanted.to == from {
        return Ok(Outcome::Already);
    }
    let (before, etag) = mover.begin(&layout, recorded, &found).await?;
    let moved = mover.run(found.misplaced, progress).await?;
    survey(&mover).await?.must_be_settled(before)?;
    layout::end(&layout, partition_key, wanted.to, &etag, deadline()).await.map_err(layout_error)?;
    Ok(Outcome::Done { from, moved, totals: before })
}

/// A conflict at the layout row is another run of this command, or an app that started for the first time.
fn layout_error(error: Error) -> ReshardError {
    match error {
        Error::Conflict { .. } => ReshardError::InUse("the storage".to_owned()),
        other => store_error(other).into(),
    }
}

/// What moves rows, and from where to where.
struct Mover<'a> {
    states: Table,
    from: Shards,
    to: Shards,
    wanted: &'a Reshard,
}

/// Rows of one partition that belong into another one, few enough for one transaction.
struct Chunk {
    from: String,
    to: String,
    rows: Vec<Stored>,
}

impl Mover<'_> {
    fn deadline(&self) -> Deadline {
        Deadline::after(self.wanted.patience)
    }

    /// The partition that a row belongs into.
    fn target(&self, row_key: &str) -> String {
        self.to.key(self.to.of_row(row_key))
    }

    /// Makes sure that the layout row says that the move is under way. Returns what there was when it began, and the
    /// layout row's revision.
    async fn begin(
        &self,
        layout: &Table,
        recorded: Option<Recorded>,
        found: &Survey,
    ) -> Result<(Totals, Etag), ReshardError> {
        match recorded {
            Some(Recorded { etag, moving: Some(moving), .. })
                if self.wanted.expect == Expected::AsRecorded =>
            {
                found.must_be(moving.before)?;
                return Ok((moving.before, etag));
            }
            // It is under way, and a person accepts what is there.
            Some(Recorded { moving: Some(_), .. }) => {}
            _ => found.has_no_strangers()?,
        }
        let (key, moving) = (self.to.partition_key(), Moving { to: self.to.count(), before: found.totals });
        let etag = layout::begin(layout, key, recorded.as_ref(), &moving, self.deadline()).await;
        Ok((moving.before, etag.map_err(layout_error)?))
    }

    /// Moves every row that does not stand where it belongs; returns how many.
    async fn run(&self, to_move: u64, progress: &(dyn Fn(Progress) + Sync)) -> Result<u64, ReshardError> {
        let moved = AtomicU64::new(0);
        let report = |rows: u64| {
            let moved = moved.fetch_add(rows, Ordering::Relaxed) + rows;
            progress(Progress { moved, to_move });
        };
        let partitions = self.from.keys().map(|key| self.empty(key, &report));
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
                targets.entry(self.target(&row.entity.row)).or_default().push(row);
            }
            let moves = targets.into_iter().flat_map(|(to, rows)| {
                let from = partition.clone();
                chunks(rows).map(move |rows| Chunk { from: from.clone(), to: to.clone(), rows })
            });
            let moves = moves.map(|chunk| self.move_chunk(chunk, report));
            stream::iter(moves).buffer_unordered(CHUNKS_IN_FLIGHT).try_collect::<()>().await?;
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
        let (mut rows, mut weight) = (Vec::new(), 0);
        loop {
            let page =
                self.states.query(&query, next.as_ref(), self.deadline()).await.map_err(store_error)?;
            let leaving = page.rows.into_iter().filter(|row| self.target(&row.entity.row) != partition);
            rows.extend(leaving.inspect(|row| weight += copy::weight(&row.entity)));
            next = page.next;
            if next.is_none() || rows.len() >= MOST_ROWS || weight >= MOST_WEIGHT {
                return Ok((rows, next));
            }
        }
    }

    async fn move_chunk(&self, chunk: Chunk, report: &(dyn Fn(u64) + Sync)) -> Result<(), ReshardError> {
        self.insert(&chunk).await?;
        self.delete(&chunk).await?;
        report(u64::try_from(chunk.rows.len()).unwrap_or(u64::MAX));
        Ok(())
    }

    /// Returns when an equal copy of each row is where it belongs.
    async fn insert(&self, chunk: &Chunk) -> Result<(), ReshardError> {
        let mut missing: Vec<&Stored> = chunk.rows.iter().collect();
        let mut last = None;
        for _ in 0..ROUNDS {
            let inserts: Vec<Operation> =
                missing.iter().map(|row| Operation::Insert(copy_of(row, &chunk.to))).collect();
            match self.states.transact(inserts, self.deadline()).await {
                Ok(_) => return Ok(()),
                // Some are there from an earlier run, or all are and the answer was lost.
                Err(error @ (Error::Conflict { .. } | Error::Unknown { .. })) => last = Some(error),
                Err(error) => return Err(refused(error, &missing)),
            }
            missing = self.without_copies(missing, &chunk.to).await?;
        }
        settled(&missing, last)
    }

    /// Those that have no copy yet. A copy that is not equal ends everything: only a person can tell which is right.
    async fn without_copies<'r>(
        &self,
        rows: Vec<&'r Stored>,
        to: &str,
    ) -> Result<Vec<&'r Stored>, ReshardError> {
        let found = self.read_again(&rows, to).await?;
        let mut missing = Vec::new();
        for (row, copy) in rows.into_iter().zip(found) {
            match copy {
                None => missing.push(row),
                Some(copy) if same(&copy_of(row, to), &copy.entity) => {}
                Some(copy) => return Err(ReshardError::Differ { old: name(row), copy: name(&copy) }),
            }
        }
        Ok(missing)
    }

    /// Returns when none of the rows is left where it was. Each is deleted only as it was read, and copied.
    async fn delete(&self, chunk: &Chunk) -> Result<(), ReshardError> {
        let mut left: Vec<&Stored> = chunk.rows.iter().collect();
        let mut last = None;
        for _ in 0..ROUNDS {
            let deletes: Vec<Operation> = left.iter().map(|row| deletion(row)).collect();
            match self.states.transact(deletes, self.deadline()).await {
                Ok(_) => return Ok(()),
                // Some have gone or were changed, or all have gone and the answer was lost.
                Err(error @ (Error::Conflict { .. } | Error::Unknown { .. })) => last = Some(error),
                Err(error) => return Err(refused(error, &left)),
            }
            left = self.still_there(left, &chunk.from).await?;
        }
        settled(&left, last)
    }

    /// Those that have not been deleted. One that was changed ends everything: its copy is too old.
    async fn still_there<'r>(
        &self,
        rows: Vec<&'r Stored>,
        from: &str,
    ) -> Result<Vec<&'r Stored>, ReshardError> {
        let found = self.read_again(&rows, from).await?;
        let mut left = Vec::new();
        for (row, now) in rows.into_iter().zip(found) {
            match now {
                None => {}
                Some(now) if now.etag == row.etag => left.push(row),
                Some(now) => return Err(ReshardError::Changed(name(&now))),
            }
        }
        Ok(left)
    }

    /// The rows with the same keys in `partition`, in order.
    async fn read_again(
        &self,
        rows: &[&Stored],
        partition: &str,
    ) -> Result<Vec<Option<Stored>>, ReshardError> {
        let reads = rows.iter().map(|row| self.states.get(partition, &row.entity.row, self.deadline()));
        let found = stream::iter(reads).buffered(CHUNKS_IN_FLIGHT).try_collect().await;
        Ok(found.map_err(store_error)?)
    }
}

fn deletion(row: &Stored) -> Operation {
    let (partition, row_key) = (row.entity.partition.clone(), row.entity.row.clone());
    Operation::Delete { partition, row: row_key, etag: row.etag.clone() }
}

fn name(row: &Stored) -> RowName {
    RowName::new(&row.entity.partition, &row.entity.row)
}

/// After the last round: either nothing is left to do, or the last answer says why not.
fn settled(left: &[&Stored], last: Option<Error>) -> Result<(), ReshardError> {
    match last {
        Some(error) if !left.is_empty() => Err(store_error(error).into()),
        _ => Ok(()),
    }
}

/// Names the row that the store does not take, where it says which.
fn refused(error: Error, rows: &[&Stored]) -> ReshardError {
    let problem = error.to_string();
    match error {
        Error::Invalid { index: Some(index), .. } | Error::Refused { index: Some(index), .. }
            if index < rows.len() =>
        {
            ReshardError::Unmovable { row: name(rows[index]), problem }
        }
        other => store_error(other).into(),
    }
}
