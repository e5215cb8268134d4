//! Refused readings in the redb file, by hub partition and newest first.

use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

use super::{Database, Key, encode, unavailable};
use crate::primitives::ids::{Partition, Position};
use crate::primitives::instant::Millis;
use crate::rejected::refusal::{Fault, Reason, Refusal};
use crate::store::{RefusalQuery, StoreError};

/// Key: partition key and row key.
pub(super) const REFUSALS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("RejectedTelemetry");

#[derive(Serialize, Deserialize)]
struct StoredRefusal {
    device_id: Option<String>,
    reason: String,
    detail: String,
    body: Vec<u8>,
    body_length: usize,
    hub_partition: String,
    sequence_number: Option<i64>,
    index: usize,
    enqueued_at: Option<Millis>,
    refused_at: Millis,
}

impl Database {
    pub(in crate::store::embedded) fn refuse(&self, refusals: &[Refusal]) -> Result<(), StoreError> {
        let transaction = self.begin()?;
        {
            let mut table = transaction.open_table(REFUSALS).map_err(unavailable)?;
            for refusal in refusals {
                let (partition, row) = (refusal.partition_key(), refusal.row_key());
                let key = (partition.as_str(), row.as_str());
                if table.get(key).map_err(unavailable)?.is_none() {
                    table.insert(key, encode(&to_stored(refusal)).as_slice()).map_err(unavailable)?;
                }
            }
        }
        transaction.commit().map_err(unavailable)
    }

    pub(in crate::store::embedded) fn refusing_partitions(&self) -> Result<Vec<String>, StoreError> {
        let transaction = self.file.begin_read().map_err(unavailable)?;
        let table = transaction.open_table(REFUSALS).map_err(unavailable)?;
        let mut partitions: Vec<String> = Vec::new();
        loop {
            // No row key is as high as this, so what follows is of the next partition.
            let behind = (partitions.last().map_or("", String::as_str), "\u{10ffff}");
            match table.range(behind..).map_err(unavailable)?.next() {
                Some(entry) => {
                    let (key, _) = entry.map_err(unavailable)?;
                    partitions.push(key.value().0.to_owned());
                }
                None => return Ok(partitions),
            }
        }
    }

    pub(in crate::store::embedded) fn refused(
        &self,
        query: &RefusalQuery,
    ) -> Result<Vec<Refusal>, StoreError> {
        let transaction = self.file.begin_read().map_err(unavailable)?;
        let table = transaction.open_table(REFUSALS).map_err(unavailable)?;
        let from = (query.partition.as_str(), query.after.as_deref().unwrap_or_default());
        let mut refusals = Vec::new();
        for entry in table.range(from..).map_err(unavailable)? {
            let (key, bytes) = entry.map_err(unavailable)?;
            if key.value().0 != query.partition || refusals.len() == query.limit {
                break;
            }
            let refusal = serde_json::from_slice(bytes.value()).ok().and_then(from_stored);
            refusals.extend(refusal.filter(|refusal| query.takes(refusal)));
        }
        Ok(refusals)
    }
}

fn to_stored(refusal: &Refusal) -> StoredRefusal {
    StoredRefusal {
        device_id: refusal.claimed_device(),
        reason: refusal.fault.reason.code().to_owned(),
        detail: refusal.fault.detail.clone(),
        body: refusal.body.clone(),
        body_length: refusal.body_length,
        hub_partition: refusal.position.partition.as_str().to_owned(),
        sequence_number: refusal.position.sequence,
        index: refusal.index,
        enqueued_at: refusal.enqueued_at,
        refused_at: refusal.refused_at,
    }
}

/// The refusal, unless its reason is one that this version does not know.
fn from_stored(stored: StoredRefusal) -> Option<Refusal> {
    Some(Refusal {
        fault: Fault {
            reason: Reason::of_code(&stored.reason)?,
            detail: stored.detail,
            device: stored.device_id,
        },
        body: stored.body,
        body_length: stored.body_length,
        position: Position {
            partition: Partition::from_stored(&stored.hub_partition),
            sequence: stored.sequence_number,
        },
        index: stored.index,
        enqueued_at: stored.enqueued_at,
        refused_at: stored.refused_at,
    })
}
