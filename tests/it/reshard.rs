//! Moving the rows of a stopped app to another number of partitions: exact on a real Azurite and in the embedded store,
//! wherever it is interrupted.

mod embedded;
mod interrupted;
mod line;
mod refused;
mod rows;
mod tables;

use std::sync::Arc;
use std::time::Duration;

use fieldcast::devices::rows::DeviceRows;
use fieldcast::store::StoreError;
use fieldcast::store::reshard::{Expected, Outcome, Reshard, ReshardError};
use fieldcast::store::shard::Shards;
use fieldcast_tables::{AzureTables, ConnectionString};

use crate::stack::{Account, PATIENCE, http};

const SITE: &str = "Sydney";

fn shards(count: u16) -> Shards {
    Shards::new(SITE, count)
}

fn wanted(to: u16) -> Reshard {
    Reshard { to, expect: Expected::AsRecorded, patience: PATIENCE }
}

async fn reshard(account: &Account, to: u16) -> Result<Outcome, ReshardError> {
    reshard_through(&account.connection_string(), &wanted(to)).await
}

async fn reshard_through(connection: &str, wanted: &Reshard) -> Result<Outcome, ReshardError> {
    let connection = ConnectionString::parse(connection).unwrap();
    let rows = Arc::new(AzureTables::new(connection, http()));
    fieldcast::store::reshard::reshard(rows, SITE, wanted, &|_| {}).await
}

/// What an app with so many shards says when it starts.
async fn start(devices: &DeviceRows) -> Result<(), StoreError> {
    let shard = devices.shards().all().next().unwrap();
    devices.load(shard, &[], soon()).await.map(drop)
}

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + Duration::from_secs(60)
}
