//! Reading the rows of some devices of a partition in few requests.

use std::collections::HashMap;

use fieldcast_tables::{Deadline, Error, Query, Stored, Table};
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::primitives::ids::DeviceId;

/// How many point reads cost as much as one page of a scan: a page holds 1,000 rows and takes the service about as long
/// as this many single ones.
const READS_PER_PAGE: usize = 30;

/// Reads rows by scanning the partition, as long as that has not cost more than reading the missing ones singly would,
/// then singly. However large the partition is, this costs at most twice as much as the cheaper of the two ways.
pub(super) async fn rows(
    table: &Table,
    partition: &str,
    devices: &[DeviceId],
    deadline: Deadline,
) -> Result<Vec<Option<Stored>>, Error> {
    let mut rows: Vec<Option<Stored>> = vec![None; devices.len()];
    let mut wanted: HashMap<&str, usize> =
        devices.iter().enumerate().map(|(at, device)| (device.as_str(), at)).collect();
    let query = Query::partition(partition);
    let mut next = None;
    for pages in 1.. {
        if wanted.len() < pages * READS_PER_PAGE {
            break;
        }
        let page = table.query(&query, next.as_ref(), deadline).await?;
        for row in page.rows {
            if let Some(at) = wanted.remove(row.entity.row.as_str()) {
                rows[at] = Some(row);
            }
        }
        next = page.next;
        if next.is_none() {
            return Ok(rows);
        }
    }
    let single = async |at: usize| {
        let row = table.get(partition, devices[at].as_str(), deadline).await?;
        Ok::<_, Error>((at, row))
    };
    let mut left: Vec<usize> = wanted.into_values().collect();
    left.sort_unstable();
    let singly: Vec<_> = left.into_iter().map(single).collect();
    let mut singly = stream::iter(singly).buffer_unordered(READS_PER_PAGE);
    while let Some((at, row)) = singly.try_next().await? {
        rows[at] = row;
    }
    Ok(rows)
}
