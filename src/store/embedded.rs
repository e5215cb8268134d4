//! The state store in a directory of this machine (redb): for a laptop, a plant without a cloud, and tests. Every commit
//! is one durable transaction; a process that is killed loses nothing that was acknowledged.

mod database;
pub(super) mod reshard;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

use self::database::Database;
use super::{
    CommitError, Loaded, Moment, Page, RefusalQuery, Reply, Revision, StateStore, StoreError, Write,
};
use crate::primitives::ids::DeviceId;
use crate::rejected::refusal::Refusal;
use crate::store::shard::{Shard, Shards};
use crate::telemetry::calibration::{Calibration, Calibrations};
use crate::telemetry::catalogue::Catalogue;

/// Rows in `<directory>/fieldcast.redb`; calibrations, which people edit, in `<directory>/calibration.json`.
pub struct EmbeddedStore {
    directory: PathBuf,
    catalogue: Arc<Catalogue>,
    shards: Shards,
    database: OnceCell<Arc<Database>>,
}

impl EmbeddedStore {
    /// Names the directory; nothing is opened before the first call, so that the process listens at once.
    pub fn new(directory: &Path, catalogue: Arc<Catalogue>, shards: Shards) -> EmbeddedStore {
        EmbeddedStore { directory: directory.to_owned(), catalogue, shards, database: OnceCell::new() }
    }

    async fn database(&self) -> Result<Arc<Database>, StoreError> {
        let open = || async {
            let (directory, count) = (self.directory.clone(), self.shards.count());
            blocking(move || Database::open(&directory, count)).await.map(Arc::new)
        };
        self.database.get_or_try_init(open).await.cloned()
    }

    /// Runs work on the database off the async threads, bounded by the deadline.
    async fn with<T: Send + 'static, E: From<StoreError> + Send + 'static>(
        &self,
        deadline: Instant,
        late: fn(String) -> E,
        work: impl FnOnce(&Database) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let database = self.database().await?;
        let finished = timeout_at(deadline, blocking(move || work(&database))).await;
        finished.unwrap_or_else(|_| Err(late("the disk did not answer in time".to_owned())))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

impl StateStore for EmbeddedStore {
    fn load<'a>(
        &'a self,
        shard: Shard,
        devices: &'a [DeviceId],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Loaded>, StoreError>> {
        let (key, devices, catalogue) =
            (self.shards.key(shard), devices.to_vec(), Arc::clone(&self.catalogue));
        Box::pin(self.with(deadline, StoreError::Unavailable, move |database| {
            database.load(&key, &devices, &catalogue)
        }))
    }

    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>> {
        let (key, writes, catalogue) = (self.shards.key(shard), writes.to_vec(), Arc::clone(&self.catalogue));
        Box::pin(
            self.with(deadline, CommitError::Unknown, move |database| {
                database.commit(&key, &writes, &catalogue)
            }),
        )
    }

    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        after: Option<String>,
        deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>> {
        let (key, catalogue) = (self.shards.key(shard), Arc::clone(&self.catalogue));
        Box::pin(self.with(deadline, StoreError::Unavailable, move |database| {
            database.scan(&key, since.as_ref(), after.as_deref(), &catalogue)
        }))
    }

    fn calibrations(&self, _deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>> {
        let (path, catalogue) = (self.directory.join("calibration.json"), Arc::clone(&self.catalogue));
        Box::pin(blocking(move || read_calibrations(&path, &catalogue)))
    }

    fn refuse<'a>(&'a self, refusals: &'a [Refusal], deadline: Instant) -> Reply<'a, Result<(), StoreError>> {
        let refusals = refusals.to_vec();
        Box::pin(self.with(deadline, StoreError::Unavailable, move |database| database.refuse(&refusals)))
    }

    fn refusing_partitions(&self, deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>> {
        Box::pin(self.with(deadline, StoreError::Unavailable, Database::refusing_partitions))
    }

    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>> {
        let query = query.clone();
        Box::pin(self.with(deadline, StoreError::Unavailable, move |database| database.refused(&query)))
    }
}

/// `{"sensor-1":{"TemperatureSlope":1.02,"TemperatureYIntercept":-0.3}}`: the columns of the `Calibration` table.
fn read_calibrations(path: &Path, catalogue: &Catalogue) -> Result<Calibrations, StoreError> {
    type File = std::collections::BTreeMap<String, std::collections::BTreeMap<String, f64>>;
    let broken = |problem: String| StoreError::Misconfigured(format!("{}: {problem}", path.display()));
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Calibrations::new()),
        Err(error) => return Err(broken(error.to_string())),
    };
    let file: File = serde_json::from_str(&text).map_err(|error| broken(error.to_string()))?;
    file.into_iter()
        .map(|(device, columns)| {
            let device = DeviceId::parse(&device).map_err(|error| broken(error.to_string()))?;
            Ok((device, Calibration::from_columns(catalogue, |name| columns.get(name).copied())))
        })
        .collect()
}
