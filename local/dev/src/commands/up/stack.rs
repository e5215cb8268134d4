//! The parts of the local stack: starts them in order, and stops those that send before those that receive.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use fieldcast_azurite::Azurite;
use fieldcast_functions_host::{Host, HostConfig};
use fieldcast_iot_hub::{Hub, HubConfig};
use fieldcast_signalr_service::{Service, ServiceConfig};

use super::log::Log;
use crate::{
    device,
    fleet::Fleet,
    lock::DataLock,
    text::{say, thousands},
    workspace::shown,
};

/// Where device states are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    Embedded,
    Azurite,
}

/// How the stack is started. A port of 0 means any free one.
pub(super) struct StackOptions {
    /// The data folder, absolute because the handler runs in another folder. The staged app is in its `app`.
    pub(super) data: PathBuf,
    pub(super) lock: DataLock,
    pub(super) dashboard: PathBuf,
    /// The developer's own settings, which win over the stack's.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) storage: Storage,
    pub(super) fleet: u16,
    pub(super) port: u16,
    pub(super) signalr_port: u16,
    pub(super) hub_port: u16,
}

/// The running stack.
pub(super) struct Stack {
    pub(super) fleet_size: u16,
    pub(super) storage: Storage,
    pub(super) data: PathBuf,
    fleet: Fleet,
    pub(super) host: Host,
    pub(super) hub: Hub,
    pub(super) signalr: Service,
    azurite: Option<Azurite>,
    log: Log,
    _lock: DataLock,
}

impl Stack {
    pub(super) async fn start(mut options: StackOptions) -> Result<Stack> {
        let azurite = match options.storage {
            Storage::Embedded => None,
            Storage::Azurite => Some(start_azurite(options.data.join("azurite")).await?),
        };
        let hub = start_hub(&options).await?;
        let signalr = ServiceConfig { listen: loopback(options.signalr_port), ..ServiceConfig::default() };
        let signalr = Service::start(signalr).await.context("the SignalR service did not start")?;
        let log = Log::open(&options.data.join("log.txt"), |line| eprintln!("{line}"))?;
        let settings = settings(&options, &hub, &signalr, azurite.as_ref());
        let host = Host::start(host_config(&options, settings, &log))
            .await
            .context("the Functions host did not start")?;
        options.lock.announce(Some(hub.address().port()))?;
        let catalogue = options.data.join("app/telemetry.json");
        let connection = |id: &str| hub.device_connection_string(id);
        let fleet = Fleet::start(options.fleet, &device::http_client()?, &catalogue, connection)?;
        log.show(true);
        let StackOptions { fleet: fleet_size, storage, data, lock, .. } = options;
        Ok(Stack { fleet_size, storage, data, fleet, host, hub, signalr, azurite, log, _lock: lock })
    }

    /// Returns when the handler has failed so often that the host no longer starts it.
    pub(super) async fn gave_up(&mut self) {
        self.host.stopped().await;
        self.log.catch_up();
    }

    /// Stops the parts, those that send before those that receive.
    pub(super) async fn stop(self) {
        self.log.show(false);
        self.fleet.stop().await;
        let batches = self.host.status().partitions.iter().map(|partition| partition.batches).sum();
        let readings = self.hub.accepted();
        self.host.stop().await;
        self.hub.stop().await;
        self.signalr.stop().await;
        if let Some(azurite) = self.azurite {
            // Dropping Azurite waits until it has written its tables. This fails only when the runtime ends first.
            let _ = tokio::task::spawn_blocking(move || drop(azurite)).await;
        }
        say!("");
        say!("stopped; readings taken: {}, batches handled: {}", thousands(readings), thousands(batches));
        say!("everything is kept in {}", shown(&self.data));
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

async fn start_azurite(folder: PathBuf) -> Result<Azurite> {
    let starting = tokio::task::spawn_blocking(move || Azurite::start(Some(&folder)));
    starting.await?.context("Azurite did not start")
}

async fn start_hub(options: &StackOptions) -> Result<Hub> {
    let config = HubConfig {
        listen: loopback(options.hub_port),
        data_dir: Some(options.data.join("hub")),
        ..HubConfig::default()
    };
    let hub = Hub::start(config).await.context("the hub did not start")?;
    for repair in hub.repairs() {
        eprintln!("note: the hub's log {} ended in a torn write, which was cut off", shown(&repair.file));
    }
    Ok(hub)
}

fn settings(
    options: &StackOptions,
    hub: &Hub,
    signalr: &Service,
    azurite: Option<&Azurite>,
) -> BTreeMap<String, String> {
    let storage = match azurite {
        Some(azurite) => azurite.connection_string(),
        None => format!("Embedded={}", options.data.join("state").display()),
    };
    let own = [
        ("AzureSignalRConnectionString", signalr.connection_string()),
        ("EventHubName", HubConfig::default().entity),
        ("FUNCTIONS_WORKER_RUNTIME", "custom".to_owned()),
        ("IoTHubConnectionString", hub.event_hub_connection_string()),
        ("PartitionKey", "Sydney".to_owned()),
        ("SignalRHub", "enviromon".to_owned()),
        ("SnapshotBroadcast", "true".to_owned()),
        ("StorageConnectionString", storage),
    ];
    let mut settings: BTreeMap<String, String> = own.map(|(name, value)| (name.to_owned(), value)).into();
    settings.extend(options.settings.clone());
    settings
}

fn host_config(options: &StackOptions, settings: BTreeMap<String, String>, log: &Log) -> HostConfig {
    HostConfig {
        app_root: options.data.join("app"),
        listen: loopback(options.port),
        settings,
        static_dir: Some(options.dashboard.clone()),
        data_dir: Some(checkpoints(&options.data, options.storage)),
        keys: Vec::new(),
        log: log.sink(),
    }
}

/// Each kind of storage has its own checkpoints, so that after a change of the kind all events are read into the
/// other storage.
fn checkpoints(data: &Path, storage: Storage) -> PathBuf {
    match storage {
        Storage::Embedded => data.join("checkpoints"),
        Storage::Azurite => data.join("checkpoints-azurite"),
    }
}
