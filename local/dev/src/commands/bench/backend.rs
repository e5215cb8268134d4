//! The services that one system uses in one environment, for batches of one shape. Each system has its own, so that
//! neither requests nor rows mix. Work that is not measured runs without the delay.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, ensure};
use fieldcast_azurite::Azurite;
use fieldcast_tables::{AzureTables, ConnectionString, Deadline, Query, Table, TableName, Value};

use super::{
    cell::Environment,
    delay::Delay,
    handler::Settings,
    proxy::Proxy,
    stub::{SignalR, Tables},
    workload::{PARTITION, Shape},
};
use crate::device;

/// For the bench's own requests to Azurite: a scan of 10,000 rows takes a second or two.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Backend {
    environment: Environment,
    shape: Shape,
    storage: MeasuredStorage,
    storage_delay: Delay,
    signalr: SignalR,
    signalr_delay: Delay,
}

enum MeasuredStorage {
    Azurite { azurite: Azurite, proxy: Proxy },
    Stub(Tables),
}

/// The number of requests to the services so far.
#[derive(Clone, Copy)]
pub(super) struct Requests {
    pub(super) storage: u64,
    pub(super) signalr: u64,
}

impl Backend {
    /// Starts the services for batches of `shape`, without delay.
    pub(super) async fn start(environment: Environment, shape: Shape) -> Result<Backend> {
        let storage_delay = Delay::new(Duration::ZERO)?;
        let signalr_delay = Delay::new(Duration::ZERO)?;
        let storage = match environment.is_azurite() {
            true => {
                let azurite = tokio::task::spawn_blocking(|| Azurite::start(None)).await??;
                let proxy = Proxy::start(azurite.port(), storage_delay.clone()).await?;
                create_tables(&azurite).await?;
                MeasuredStorage::Azurite { azurite, proxy }
            }
            false => MeasuredStorage::Stub(
                Tables::start(PARTITION, &shape.device_ids(), storage_delay.clone()).await?,
            ),
        };
        let signalr = SignalR::start(signalr_delay.clone()).await?;
        Ok(Backend { environment, shape, storage, storage_delay, signalr, signalr_delay })
    }

    /// From now on delays replies as the environment says.
    pub(super) fn apply_delay(&self) {
        self.storage_delay.set(self.environment.storage_delay());
        self.signalr_delay.set(self.environment.signalr_delay());
    }

    pub(super) fn remove_delay(&self) {
        self.storage_delay.set(Duration::ZERO);
        self.signalr_delay.set(Duration::ZERO);
    }

    pub(super) fn settings(&self) -> Settings {
        let storage = match &self.storage {
            MeasuredStorage::Azurite { azurite, proxy } => {
                let [direct, counted] = [azurite.port(), proxy.port()].map(|port| format!(":{port}/"));
                azurite.connection_string().replace(&direct, &counted)
            }
            MeasuredStorage::Stub(tables) => {
                let port = tables.port();
                format!(
                    "DefaultEndpointsProtocol=http;AccountName=stub;AccountKey=c3R1Yg==;\
                     TableEndpoint=http://127.0.0.1:{port}/stub;"
                )
            }
        };
        let port = self.signalr.port();
        let signalr =
            format!("Endpoint=http://127.0.0.1;Port={port};AccessKey=c3R1YnN0dWJzdHVi;Version=1.0;");
        Settings { storage, signalr }
    }

    pub(super) fn requests(&self) -> Requests {
        let storage = match &self.storage {
            MeasuredStorage::Azurite { proxy, .. } => proxy.requests(),
            MeasuredStorage::Stub(tables) => tables.requests(),
        };
        Requests { storage, signalr: self.signalr.requests() }
    }

    /// Fails unless everything that was sent has arrived, because a system that loses readings does less work.
    pub(super) async fn check(&self, batches: u64) -> Result<()> {
        let [events, devices] =
            [self.shape.events, self.shape.devices].map(|number| batches * u64::from(number));
        match &self.storage {
            MeasuredStorage::Azurite { azurite, .. } => {
                let counted = count(azurite).await?;
                ensure!(
                    counted == events,
                    "{events} readings were sent, but {counted} are counted in the table"
                );
            }
            MeasuredStorage::Stub(tables) => {
                let written = tables.writes();
                ensure!(written >= devices, "{devices} rows had to be written, but {written} were");
            }
        }
        Ok(())
    }
}

fn table(azurite: &Azurite, name: &str) -> Result<Table> {
    let connection = ConnectionString::parse(&azurite.connection_string()).context("Azurite's own words")?;
    let tables = Arc::new(AzureTables::new(connection, device::http_client()?));
    Ok(Table::new(tables, TableName::new(name)?))
}

/// Creates the tables, which the predecessor expects to exist.
async fn create_tables(azurite: &Azurite) -> Result<()> {
    for name in ["DeviceState", "Calibration"] {
        table(azurite, name)?.create(Deadline::after(PATIENCE)).await?;
    }
    Ok(())
}

/// The sum of all devices' counts.
async fn count(azurite: &Azurite) -> Result<u64> {
    let states = table(azurite, "DeviceState")?;
    let query = Query::partition(PARTITION).select(["Count"]);
    let rows = states.query_all(&query, Deadline::after(PATIENCE)).await?;
    let counts = rows.iter().filter_map(|row| row.entity.get("Count").and_then(Value::as_i64));
    Ok(counts.sum::<i64>().unsigned_abs())
}
