//! How the rows are spread over partitions, as the table `FieldcastLayout` records it.

use fieldcast_tables::{Deadline, Entity, Error, Query, Table};

use super::store_error;
use crate::shard::Shards;
use crate::store::StoreError;

const COLUMN: &str = "PartitionShards";

/// The first start records the shard count. Rows are placed by it, so another count would not find them.
pub(super) async fn check(
    shards: &Shards,
    layout: &Table,
    states: &Table,
    deadline: Deadline,
) -> Result<(), StoreError> {
    let (key, wanted) = (shards.partition_key(), i64::from(shards.count()));
    let read = || async {
        let row = layout.get(key, "layout", deadline).await.map_err(store_error)?;
        Ok(row.and_then(|stored| stored.entity.get(COLUMN)?.as_i64()))
    };
    let mut recorded = read().await?;
    if recorded.is_none() {
        let unsharded = wanted > 1 && has_unsharded_rows(key, states, deadline).await?;
        let count = if unsharded { 1 } else { wanted };
        match layout.insert(&Entity::new(key, "layout").with(COLUMN, count), deadline).await {
            Ok(_) => recorded = Some(count),
            // Conflict: another process was faster. Unknown: perhaps it was written. Reading tells.
            Err(Error::Conflict { .. } | Error::Unknown { .. }) => recorded = read().await?,
            Err(error) => return Err(store_error(error)),
        }
    }
    match recorded {
        Some(count) if count == wanted => Ok(()),
        Some(count) => Err(wrong_shards(count.unsigned_abs(), shards.count())),
        None => Err(StoreError::Unavailable("the layout row could not be written".to_owned())),
    }
}

/// Whether there are rows from before layouts were recorded: the predecessor's, all under the plain key.
async fn has_unsharded_rows(key: &str, states: &Table, deadline: Deadline) -> Result<bool, StoreError> {
    let page = states.query(&Query::partition(key).top(1), None, deadline).await.map_err(store_error)?;
    Ok(!page.rows.is_empty())
}

/// The configuration error of a store that was started with another number of shards.
pub(in crate::store) fn wrong_shards(recorded: u64, configured: u16) -> StoreError {
    StoreError::Misconfigured(format!(
        "setting PartitionShards is {configured}, but the stored rows are spread over {recorded}; set it back to {recorded}"
    ))
}
