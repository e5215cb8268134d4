//! How the rows are spread over partitions, as the table `FieldcastLayout` records it: one row for each `PartitionKey`.

use std::sync::Arc;

use fieldcast_tables::{Deadline, Entity, Error, Etag, Query, Table, TableStore};

use super::error::StoreError;
use super::shard::Shards;
use super::tables::{LAYOUT, table};

const ROW: &str = "layout";
const SHARDS: &str = "PartitionShards";
/// The target of a move. The move has ended when it equals `SHARDS`, so that one merge ends it.
const TARGET: &str = "ReshardTo";
/// What there was when the move began. The readings are text, because the sum may need more than 64 bits.
const ROWS: &str = "ReshardRows";
const READINGS: &str = "ReshardReadings";

/// All device rows together: what must be the same before and after a move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of rows.
    pub rows: u64,
    /// The sum of their `Count`.
    pub readings: i128,
}

impl Totals {
    /// One row more.
    pub(super) fn add(&mut self, count: i64) {
        self.rows += 1;
        self.readings += i128::from(count);
    }
}

impl std::fmt::Display for Totals {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} rows with {} readings", self.rows, self.readings)
    }
}

/// What the layout row says.
pub(super) struct RecordedLayout {
    /// The revision of the row.
    pub(super) etag: Etag,
    /// How many partitions the rows are spread over.
    pub(super) shards: u16,
    /// The move that is under way.
    pub(super) moving: Option<Moving>,
}

/// A move that began and has not ended.
pub(super) struct Moving {
    pub(super) to: u16,
    pub(super) before: Totals,
}

/// The first start records the shard count. Rows are placed by it, so another count would not find them.
pub(super) async fn check(
    shards: &Shards,
    layout: &Table,
    devices: &Table,
    deadline: Deadline,
) -> Result<(), StoreError> {
    let (key, wanted) = (shards.partition_key(), shards.count());
    let mut recorded = read(layout, key, deadline).await?;
    if recorded.is_none() {
        let unsharded = wanted > 1 && has_unsharded_rows(key, devices, deadline).await?;
        let shards = if unsharded { 1 } else { wanted };
        recorded = match layout.insert(&entity(key).with(SHARDS, i64::from(shards)), deadline).await {
            Ok(etag) => Some(RecordedLayout { etag, shards, moving: None }),
            // Conflict: another process was faster. Unknown: perhaps it was written. Reading tells.
            Err(Error::Conflict { .. } | Error::Unknown { .. }) => read(layout, key, deadline).await?,
            Err(error) => return Err(error.into()),
        };
    }
    match recorded {
        Some(RecordedLayout { moving: Some(moving), .. }) => Err(unfinished(moving.to)),
        Some(RecordedLayout { shards, .. }) if shards == wanted => Ok(()),
        Some(RecordedLayout { shards, .. }) => Err(wrong_shards(shards, wanted)),
        None => Err(StoreError::Unavailable("the layout row could not be written".into())),
    }
}

/// The layout row, or `None` where no app has started yet.
pub(super) async fn read(
    layout: &Table,
    key: &str,
    deadline: Deadline,
) -> Result<Option<RecordedLayout>, StoreError> {
    match layout.get(key, ROW, deadline).await {
        Ok(Some(stored)) => recorded(&stored.entity, stored.etag).map(Some),
        Ok(None) | Err(Error::MissingTable { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Over how many partitions the rows under a key are spread, as the layout row says; 1 where there is none yet.
///
/// # Errors
/// [`StoreError`].
pub async fn recorded_shards(
    rows: &Arc<dyn TableStore>,
    key: &str,
    deadline: Deadline,
) -> Result<u16, StoreError> {
    let recorded = read(&table(rows, LAYOUT)?, key, deadline).await?;
    Ok(recorded.map_or(1, |recorded| recorded.shards))
}

fn recorded(row: &Entity, etag: Etag) -> Result<RecordedLayout, StoreError> {
    let damaged = |column: &str| {
        StoreError::Misconfigured(
            format!("{column} of row {ROW:?} in table {LAYOUT} cannot be read: set it to a whole number, or restore it")
                .into(),
        )
    };
    let number = |column: &str| row.get(column).and_then(fieldcast_tables::Value::as_i64);
    let count = |column: &str| {
        let count = number(column).and_then(|count| u16::try_from(count).ok());
        count.filter(|count| (1..=Shards::MOST).contains(count)).ok_or_else(|| damaged(column))
    };
    let shards = count(SHARDS)?;
    let to = if row.get(TARGET).is_some() { count(TARGET)? } else { shards };
    let moving = if to == shards {
        None
    } else {
        let rows = number(ROWS).and_then(|rows| u64::try_from(rows).ok()).ok_or_else(|| damaged(ROWS))?;
        let readings = row.get(READINGS).and_then(|text| text.as_str()?.parse().ok());
        let before = Totals { rows, readings: readings.ok_or_else(|| damaged(READINGS))? };
        Some(Moving { to, before })
    };
    Ok(RecordedLayout { etag, shards, moving })
}

/// Records that a move begins: from now on no app starts until it has ended. `old` is what was read before.
pub(super) async fn begin(
    layout: &Table,
    key: &str,
    old: Option<&RecordedLayout>,
    moving: &Moving,
    deadline: Deadline,
) -> Result<Etag, Error> {
    let row = entity(key)
        .with(TARGET, i64::from(moving.to))
        .with(ROWS, i64::try_from(moving.before.rows).unwrap_or(i64::MAX))
        .with(READINGS, moving.before.readings.to_string());
    match old {
        Some(old) => layout.merge(&row, &old.etag, deadline).await,
        // Rows from before layouts were recorded are all under the plain key.
        None => {
            layout.create(deadline).await?;
            layout.insert(&row.with(SHARDS, 1_i64), deadline).await
        }
    }
}

/// Records that a move has ended, in one write.
pub(super) async fn end(
    layout: &Table,
    key: &str,
    shards: u16,
    etag: &Etag,
    deadline: Deadline,
) -> Result<(), Error> {
    layout.merge(&entity(key).with(SHARDS, i64::from(shards)), etag, deadline).await.map(drop)
}

fn entity(key: &str) -> Entity {
    Entity::new(key, ROW)
}

/// Whether there are rows from before layouts were recorded: the predecessor's, all under the plain key. The service may
/// answer with an empty page although rows follow, so one page is not believed.
async fn has_unsharded_rows(key: &str, devices: &Table, deadline: Deadline) -> Result<bool, StoreError> {
    Ok(devices.first(&Query::partition(key).top(1), deadline).await?.is_some())
}

/// The command that spreads the rows over so many partitions.
pub(super) fn command(shards: u16) -> String {
    format!("`cargo dev reshard --to {shards}`")
}

/// The configuration error of a store whose rows are partly here, partly there.
fn unfinished(to: u16) -> StoreError {
    let command = command(to);
    StoreError::Misconfigured(
        format!(
            "its rows are on their way to {to} partitions; finish that with {command}, then start again with PartitionShards set to {to}"
        )
        .into(),
    )
}

/// The configuration error of a store that was started with another number of shards.
fn wrong_shards(recorded: u16, configured: u16) -> StoreError {
    let command = command(configured);
    StoreError::Misconfigured(
        format!(
            "setting PartitionShards is {configured}, but the stored rows are spread over {recorded}; set it back to {recorded}, or stop the app and move the rows with {command}"
        )
        .into(),
    )
}
