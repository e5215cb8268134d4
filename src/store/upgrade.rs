//! What version 0.1.0 kept in a directory (`fieldcast.redb`), moved into the tables at the first start. Its rows come over
//! as version 0.1.0 would have written them to Table Storage; the rooms that they belong to read those columns.
//!
//! A row is inserted where it is missing, so a process that is killed half-way does the rest at the next start. The old file
//! is renamed when everything is there, and not deleted.

mod file;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fieldcast_tables::{Deadline, Entity, TableStore, insert_missing};

use self::file::Left;
use super::error::StoreError;
use super::tables::{self, table};

/// The file of version 0.1.0.
const OLD: &str = "fieldcast.redb";
/// Its name once its rows have been moved.
const MOVED: &str = "fieldcast-0.1.0.redb";

/// Where version 0.1.0 may have left rows.
#[derive(Debug)]
pub struct Upgrade {
    directory: PathBuf,
}

impl Upgrade {
    /// From this directory; it need not hold anything.
    pub fn from_directory(directory: &Path) -> Upgrade {
        Upgrade { directory: directory.to_owned() }
    }

    /// Moves what is there.
    ///
    /// # Errors
    /// [`StoreError`]; what was moved so far stays, and the old file as well.
    pub async fn run(&self, rows: &Arc<dyn TableStore>, deadline: Deadline) -> Result<(), StoreError> {
        let old = self.directory.join(OLD);
        if !old.exists() {
            return Ok(());
        }
        let problem = |problem: String| {
            StoreError::Misconfigured(format!("rows of version 0.1.0 in {}: {problem}", old.display()).into())
        };
        let path = old.clone();
        let read = tokio::task::spawn_blocking(move || file::read(&path)).await;
        let left = read.map_err(|error| problem(error.to_string()))?.map_err(problem)?;
        let (devices, rejected) = (left.devices.len(), left.rejected.len());
        self.insert(rows, left, deadline).await?;
        std::fs::rename(&old, self.directory.join(MOVED)).map_err(|error| problem(error.to_string()))?;
        tracing::info!(
            "moved {devices} device rows and {rejected} rejected readings of version 0.1.0; its file is kept as {MOVED}"
        );
        Ok(())
    }

    async fn insert(
        &self,
        rows: &Arc<dyn TableStore>,
        left: Left,
        deadline: Deadline,
    ) -> Result<(), StoreError> {
        let parts = [
            (tables::LAYOUT, left.layout),
            (tables::DEVICE_STATE, left.devices),
            (tables::REJECTED_TELEMETRY, left.rejected),
        ];
        for (name, entities) in parts {
            let table = table(rows, name)?;
            table.create(deadline).await?;
            for (_, entities) in by_partition(entities) {
                insert_missing(&table, entities, &mut rand::random, deadline).await?;
            }
        }
        Ok(())
    }
}

fn by_partition(entities: Vec<Entity>) -> BTreeMap<String, Vec<Entity>> {
    let mut partitions: BTreeMap<String, Vec<Entity>> = BTreeMap::new();
    for entity in entities {
        partitions.entry(entity.partition.clone()).or_default().push(entity);
    }
    partitions
}

#[cfg(test)]
mod tests;
