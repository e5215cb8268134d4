//! The state store in Azure Table Storage, or Azurite. `fieldcast-tables` knows the protocol; this knows which tables,
//! which keys and which columns.

mod columns;
pub(super) mod layout;
mod moments;
mod refusals;
pub(super) mod reshard;
mod steady;

use std::collections::HashMap;
use std::sync::Arc;

use fieldcast_tables::{
    Account, ConnectionString, Continuation, Deadline, Entity, Error, Invalid, Operation, Query,
    Stored as StoredEntity, Table,
};
use futures_util::future::try_join_all;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::sync::OnceCell;
use tokio::time::Instant;

use self::columns::{row_of, state_of};
use self::steady::{Digest, Held, Steady};
use super::{
    CommitError, Expect, Loaded, Moment, Page, RefusalQuery, Reply, Revision, StateStore, StoreError, Stored,
    Write,
};
use crate::primitives::ids::DeviceId;
use crate::rejected::refusal::Refusal;
use crate::store::shard::{Shard, Shards};
use crate::telemetry::calibration::{Calibration, Calibrations};
use crate::telemetry::catalogue::Catalogue;

/// The table of device rows.
const STATES: &str = "DeviceState";

/// How many point reads cost as much as one page of a scan: a page holds 1,000 rows and takes the service about as long
/// as this many single ones.
const READS_PER_PAGE: usize = 30;

/// The tables of one storage account. Opened by the first call, so that the process listens at once.
pub struct TableStore {
    connection: ConnectionString,
    http: reqwest::Client,
    catalogue: Arc<Catalogue>,
    shards: Shards,
    tables: OnceCell<Tables>,
    steady: Steady,
}

struct Tables {
    states: Table,
    calibration: Table,
    refusals: Table,
}

impl TableStore {
    /// Names the account; nothing is sent yet.
    pub fn new(
        connection: ConnectionString,
        http: reqwest::Client,
        catalogue: Arc<Catalogue>,
        shards: Shards,
    ) -> TableStore {
        TableStore { connection, http, catalogue, shards, tables: OnceCell::new(), steady: Steady::default() }
    }

    async fn tables(&self, deadline: Instant) -> Result<&Tables, StoreError> {
        self.tables.get_or_try_init(|| self.open(Deadline::at(deadline))).await
    }

    /// Makes the tables where they are missing and checks the recorded layout against the settings.
    async fn open(&self, deadline: Deadline) -> Result<Tables, StoreError> {
        let account = Account::new(self.connection.clone(), self.http.clone());
        let table =
            |name: &str| account.table(name).map_err(|error| StoreError::Misconfigured(error.to_string()));
        let layout = table(layout::TABLE)?;
        let tables = Tables {
            states: table(STATES)?,
            calibration: table("Calibration")?,
            refusals: table("RejectedTelemetry")?,
        };
        let all = [&layout, &tables.states, &tables.calibration, &tables.refusals];
        try_join_all(all.map(|table| table.create(deadline))).await.map_err(store_error)?;
        layout::check(&self.shards, &layout, &tables.states, deadline).await?;
        Ok(tables)
    }

    /// Reads rows by scanning the shard, as long as that has not cost more than reading the missing ones singly would,
    /// then singly. Whatever the size of the shard, this is at most twice as dear as the better of the two ways.
    async fn load_rows(
        &self,
        tables: &Tables,
        key: &str,
        devices: &[DeviceId],
        deadline: Deadline,
    ) -> LoadResult {
        let mut rows = vec![Loaded::Absent; devices.len()];
        let mut wanted: HashMap<&str, usize> =
            devices.iter().enumerate().map(|(at, device)| (device.as_str(), at)).collect();
        let query = Query::partition(key);
        let mut next = None;
        for pages in 1.. {
            if wanted.len() < pages * READS_PER_PAGE {
                break;
            }
            let page = tables.states.query(&query, next.as_ref(), deadline).await.map_err(store_error)?;
            for found in page.rows {
                if let Some(at) = wanted.remove(found.entity.row.as_str()) {
                    rows[at] = self.loaded(devices[at].clone(), &found);
                }
            }
            next = page.next;
            if next.is_none() {
                return Ok(rows);
            }
        }
        let singly = wanted.into_values().map(|at| self.load_row(tables, key, &devices[at], at, deadline));
        let singly: Vec<(usize, Loaded)> =
            stream::iter(singly.collect::<Vec<_>>()).buffer_unordered(READS_PER_PAGE).try_collect().await?;
        for (at, row) in singly {
            rows[at] = row;
        }
        Ok(rows)
    }

    async fn load_row(
        &self,
        tables: &Tables,
        key: &str,
        device: &DeviceId,
        at: usize,
        deadline: Deadline,
    ) -> Result<(usize, Loaded), StoreError> {
        let found = tables.states.get(key, device.as_str(), deadline).await.map_err(store_error)?;
        Ok((at, found.map_or(Loaded::Absent, |found| self.loaded(device.clone(), &found))))
    }

    fn loaded(&self, device: DeviceId, found: &StoredEntity) -> Loaded {
        let row = row_of(found);
        let columns = row.iter().map(|(column, cell)| (column.as_str(), cell));
        let held = Held { etag: found.etag.clone(), digest: self.steady.digest(columns) };
        match state_of(device, found, &row, &self.catalogue) {
            Ok(state) => Loaded::Found(Box::new(Stored { state, revision: held.to_revision() })),
            Err(error) => Loaded::Damaged(error.to_string()),
        }
    }

    /// What a write does to its row, and what the row holds afterwards.
    fn operation(&self, partition: &str, write: &Write) -> Result<(Operation, Digest), Invalid> {
        let change = |held| self.steady.write(partition, &write.state, held, &self.catalogue);
        Ok(match &write.expect {
            Expect::Absent => {
                let (entity, digest) = change(None);
                (Operation::Insert(entity), digest)
            }
            Expect::At(revision) => {
                let held = Held::from_revision(revision)?;
                let (entity, digest) = change(Some(held.digest));
                (Operation::Merge(entity, held.etag), digest)
            }
        })
    }

    async fn read_calibrations(&self, deadline: Instant) -> Result<Calibrations, StoreError> {
        let tables = self.tables(deadline).await?;
        let query = Query::partition(self.shards.partition_key());
        let rows = tables.calibration.query_all(&query, Deadline::at(deadline)).await.map_err(store_error)?;
        Ok(rows.iter().filter_map(|row| self.calibration_of(&row.entity)).collect())
    }

    fn calibration_of(&self, row: &Entity) -> Option<(DeviceId, Calibration)> {
        let number = |name: &str| row.get(name).and_then(fieldcast_tables::Value::as_f64);
        let device = DeviceId::parse(&row.row).ok()?;
        Some((device, Calibration::from_columns(&self.catalogue, number)))
    }
}

type LoadResult = Result<Vec<Loaded>, StoreError>;

/// Where a scan goes on, as one text. The service's two keys are opaque: neither is the key of a row.
fn token_of(next: &Continuation) -> String {
    serde_json::to_string(&(&next.partition, &next.row)).expect("texts are JSON")
}

fn continuation_of(token: &str) -> Result<Continuation, StoreError> {
    let (partition, row) =
        serde_json::from_str(token).map_err(|_| StoreError::NoSuchPlace("it cannot be read".to_owned()))?;
    Ok(Continuation { partition, row })
}

fn store_error(error: Error) -> StoreError {
    match error {
        Error::Unavailable { .. } | Error::Unknown { .. } | Error::Conflict { .. } => {
            StoreError::Unavailable(error.to_string())
        }
        _ => StoreError::Misconfigured(error.to_string()),
    }
}

/// A service that refuses a query is set up wrongly, or does not know the place where it was to go on.
fn scan_error(error: Error, has_place: bool) -> StoreError {
    match error {
        Error::Invalid { .. } | Error::Refused { status: 400, .. } if has_place => {
            StoreError::NoSuchPlace(error.to_string())
        }
        error => store_error(error),
    }
}

fn commit_error(error: Error) -> CommitError {
    match error {
        Error::Conflict { .. } => CommitError::Conflict,
        Error::Unknown { .. } => CommitError::Unknown(error.to_string()),
        // 400: a property or key that the service does not take; 413: too large.
        Error::Invalid { .. } | Error::Refused { status: 400 | 413, .. } => {
            CommitError::Refused(error.to_string())
        }
        other => CommitError::Failed(store_error(other)),
    }
}

impl StateStore for TableStore {
    fn load<'a>(&'a self, shard: Shard, devices: &'a [DeviceId], deadline: Instant) -> Reply<'a, LoadResult> {
        Box::pin(async move {
            let tables = self.tables(deadline).await?;
            self.load_rows(tables, &self.shards.key(shard), devices, Deadline::at(deadline)).await
        })
    }

    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>> {
        Box::pin(async move {
            let tables = self.tables(deadline).await?;
            let key = self.shards.key(shard);
            let operations = writes.iter().map(|write| self.operation(&key, write));
            let operations = operations.collect::<Result<Vec<_>, _>>();
            let operations = operations.map_err(|error| StoreError::Misconfigured(error.to_string()))?;
            let (operations, digests): (Vec<Operation>, Vec<Digest>) = operations.into_iter().unzip();
            let etags =
                tables.states.transact(operations, Deadline::at(deadline)).await.map_err(commit_error)?;
            let held = digests.into_iter().zip(etags.into_iter().flatten());
            Ok(held.map(|(digest, etag)| Held { etag, digest }.to_revision()).collect())
        })
    }

    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        after: Option<String>,
        deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let tables = self.tables(deadline).await?;
            let start = after.as_deref().map(continuation_of).transpose()?;
            let query = Query::partition(self.shards.key(shard));
            let query = match since.as_ref().and_then(moments::time_of) {
                Some(time) => query.changed_since(time.to_text()),
                None => query,
            };
            let found = tables
                .states
                .query(&query, start.as_ref(), Deadline::at(deadline))
                .await
                .map_err(|error| scan_error(error, start.is_some()))?;
            let read = |row: &StoredEntity| {
                state_of(DeviceId::parse(&row.entity.row).ok()?, row, &row_of(row), &self.catalogue).ok()
            };
            Ok(Page {
                rows: found.rows.iter().filter_map(read).collect(),
                next: found.next.as_ref().map(token_of),
                read_at: moments::of(found.answered_at),
            })
        })
    }

    fn calibrations(&self, deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>> {
        Box::pin(self.read_calibrations(deadline))
    }

    fn refuse<'a>(&'a self, refusals: &'a [Refusal], deadline: Instant) -> Reply<'a, Result<(), StoreError>> {
        Box::pin(async move {
            let tables = self.tables(deadline).await?;
            refusals::keep(&tables.refusals, refusals, Deadline::at(deadline)).await
        })
    }

    fn refusing_partitions(&self, deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let tables = self.tables(deadline).await?;
            refusals::partitions(&tables.refusals, Deadline::at(deadline)).await
        })
    }

    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>> {
        Box::pin(async move {
            let tables = self.tables(deadline).await?;
            refusals::read(&tables.refusals, query, Deadline::at(deadline)).await
        })
    }
}
