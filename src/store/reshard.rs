//! Moving the device rows of a stopped app from one number of partitions to another.

mod copy;
mod mover;
mod spread;
mod survey;
mod terms;

use std::sync::Arc;

use fieldcast_tables::{Deadline, TableStore};

use self::mover::Mover;
use self::spread::Spread;
use self::survey::survey;
pub use self::terms::{Expected, Outcome, Progress, Reshard, ReshardError, RowName, Totals};
use super::layout;
use super::shard::Shards;
use super::tables::{self, table};

/// Moves the rows under `partition_key` as asked, or goes on with a move that was interrupted. The app must be stopped.
///
/// # Errors
/// Each [`ReshardError`]; the same call goes on where this one ended.
pub async fn reshard(
    rows: Arc<dyn TableStore>,
    partition_key: &str,
    wanted: &Reshard,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Outcome, ReshardError> {
    let (layout, devices) = (table(&rows, tables::LAYOUT)?, table(&rows, tables::DEVICE_STATE)?);
    let deadline = || Deadline::after(wanted.patience);
    let recorded = layout::read(&layout, partition_key, deadline()).await?;
    let from = recorded.as_ref().map_or(1, |recorded| recorded.shards);
    match recorded.as_ref().map(|recorded| &recorded.moving) {
        Some(Some(moving)) if moving.to != wanted.to => return Err(ReshardError::OtherTarget(moving.to)),
        Some(None) if from == wanted.to => return Ok(Outcome::Already),
        _ => {}
    }
    let (patience, to) = (wanted.patience, Shards::new(partition_key, wanted.to));
    let spread = Spread { devices, from: Shards::new(partition_key, from), to, patience };
    let mover = Mover { spread: &spread, expect: wanted.expect };
    let found = survey(&spread).await?;
    if recorded.is_none() && found.totals.rows == 0 {
        return Err(ReshardError::NothingStored(format!(
            "table {} under {partition_key:?}",
            tables::DEVICE_STATE
        )));
    }
    if recorded.is_none() && wanted.to == from {
        return Ok(Outcome::Already);
    }
    let (before, etag) = mover.begin(&layout, recorded, &found).await?;
    let moved = mover.run(found.misplaced, progress).await?;
    survey(&spread).await?.must_be_settled(before)?;
    layout::end(&layout, partition_key, wanted.to, &etag, deadline()).await.map_err(mover::layout_error)?;
    Ok(Outcome::Done { from, moved, totals: before })
}
