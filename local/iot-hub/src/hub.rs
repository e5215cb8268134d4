//! A running hub: start, stop, and what tests and `cargo dev` can ask it for.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::authenticator::Authenticator;
use crate::config::{HubConfig, Policy};
use crate::error::HubError;
use crate::faults::Faults;
use crate::folder::Folder;
use crate::http::{self, Gateway};
use crate::identity::DeviceId;
use crate::intake::Intake;
use crate::partition::{self, OpenedPartition, Partition, Repair};

/// How long [`Hub::stop`] waits for open requests. They are local and short, and long polls end at once.
const LAST_REQUESTS: Duration = Duration::from_secs(2);

/// A running hub. Dropping it is like a crash: it takes no more requests, and everything acknowledged is in the log.
pub struct Hub {
    address: SocketAddr,
    host_name: String,
    entity: String,
    policy: Policy,
    gateway: Arc<Gateway>,
    server: Option<JoinHandle<()>>,
    stopping: watch::Sender<bool>,
    log: Log,
}

/// The partitions with their writers, and the folder that they lock.
#[derive(Debug)]
struct Log {
    partitions: Vec<Arc<Partition>>,
    writers: Vec<thread::JoinHandle<()>>,
    repairs: Vec<Repair>,
    _folder: Option<Folder>,
}

impl Hub {
    /// Reads and checks the log, then starts to listen.
    ///
    /// # Errors
    /// See [`HubError`]; each variant names what to change before the next try.
    pub async fn start(config: HubConfig) -> Result<Hub, HubError> {
        check(&config)?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().map_err(|source| unbound(config.listen, source))?;
        let host_name = config.host_name.clone().unwrap_or_else(|| address.to_string());
        let authenticator =
            Authenticator::new(hosts(&host_name, address.port()), &config.policy, &config.devices)?;
        let settings = config.clone();
        let log = tokio::task::spawn_blocking(move || Log::open(&settings)).await;
        let log = log.expect("opening the log does not panic and is not cancelled")?;
        let intake = Intake::new(log.partitions.clone(), config.sends_per_second);
        let (stopping, stop) = watch::channel(false);
        let gateway = Arc::new(Gateway::new(authenticator, intake, config.entity.clone(), stop));
        let server = Some(tokio::spawn(serve(listener, Arc::clone(&gateway))));
        let HubConfig { entity, policy, .. } = config;
        Ok(Hub { address, host_name, entity, policy, gateway, server, stopping, log })
    }

    /// Where the hub listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `HostName=…;DeviceId=…;SharedAccessKey=…`; `None` for a device that the hub does not know.
    pub fn device_connection_string(&self, device: &str) -> Option<String> {
        let key = self.gateway.authenticator.device_key(&DeviceId::parse(device).ok()?)?;
        Some(format!("HostName={};DeviceId={device};SharedAccessKey={key}", self.host_name))
    }

    /// `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`, valid for every device that the hub knows.
    pub fn policy_connection_string(&self) -> String {
        let Policy { name, key } = &self.policy;
        format!("HostName={};SharedAccessKeyName={name};SharedAccessKey={key}", self.host_name)
    }

    /// `Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…` for the trigger binding.
    pub fn event_hub_connection_string(&self) -> String {
        let Policy { name, key } = &self.policy;
        let (address, entity) = (self.address, &self.entity);
        format!(
            "Endpoint=sb://{address}/;SharedAccessKeyName={name};SharedAccessKey={key};EntityPath={entity}"
        )
    }

    /// Makes sends and reads fail.
    pub fn faults(&self) -> &Faults {
        &self.gateway.intake.faults
    }

    /// Events stored since the start; a batch counts each of its messages.
    pub fn accepted(&self) -> u64 {
        self.gateway.intake.accepted()
    }

    /// What was cut off the log at start-up. Show it to the person who started the hub.
    pub fn repairs(&self) -> &[Repair] {
        &self.log.repairs
    }

    /// Answers the open requests, long polls at once and without events, then closes the log.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(LAST_REQUESTS, &mut server).await.is_err()
        {
            server.abort();
            let _ = server.await;
        }
        // Dropping joins the writers, each of which ends after one write at most.
        let _ = tokio::task::spawn_blocking(move || drop(self)).await;
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        if let Some(server) = &self.server {
            server.abort();
        }
        for partition in &self.log.partitions {
            partition.close();
        }
        for writer in self.log.writers.drain(..) {
            // A writer that panicked has printed that to standard error.
            let _ = writer.join();
        }
    }
}

impl Log {
    fn open(config: &HubConfig) -> Result<Log, HubError> {
        let folder =
            config.data_dir.as_deref().map(|path| Folder::open(path, config.partitions)).transpose()?;
        let mut log = Log { partitions: Vec::new(), writers: Vec::new(), repairs: Vec::new(), _folder: None };
        for index in 0..config.partitions {
            match open_partition(config, folder.as_ref(), index) {
                Ok(opened) => log.add(opened),
                Err(error) => {
                    log.partitions.iter().for_each(|partition| partition.close());
                    return Err(error);
                }
            }
        }
        Ok(Log { _folder: folder, ..log })
    }

    fn add(&mut self, opened: OpenedPartition) {
        self.partitions.push(opened.partition);
        self.writers.push(opened.writer);
        self.repairs.extend(opened.repair);
    }
}

fn open_partition(
    config: &HubConfig,
    folder: Option<&Folder>,
    index: u16,
) -> Result<OpenedPartition, HubError> {
    match folder {
        Some(folder) => partition::open_folder(&folder.partition(index), config.retention, config.durability),
        None => partition::open_in_memory(config.retention)
            .map_err(|e| HubError::Configuration(format!("no thread for partition {index}: {e}"))),
    }
}

async fn serve(listener: TcpListener, gateway: Arc<Gateway>) {
    let mut stop = gateway.stop.clone();
    // An acknowledgement is one small packet, which must not wait for a second one.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let stopped = async move {
        let _ = stop.wait_for(|stopping| *stopping).await;
    };
    let served = axum::serve(listener, http::router(gateway)).with_graceful_shutdown(stopped).await;
    served.expect("axum::serve retries failed accepts and returns at shutdown only");
}

fn check(config: &HubConfig) -> Result<(), HubError> {
    let wrong = |text: &str| Err(HubError::Configuration(text.to_owned()));
    if !config.listen.ip().is_loopback() {
        return Err(HubError::NotLoopback(config.listen));
    }
    // Event Hubs allows at most 128 without a special request in the dedicated tier.
    if !(1..=128).contains(&config.partitions) {
        return wrong("the number of partitions is not within 1 to 128");
    }
    if config.entity.is_empty() || config.entity.contains(['/', ';']) {
        return wrong("the Event Hub-compatible name is empty or contains '/' or ';'");
    }
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, HubError> {
    TcpListener::bind(address).await.map_err(|source| unbound(address, source))
}

fn unbound(address: SocketAddr, source: std::io::Error) -> HubError {
    HubError::Listen { address, source }
}

/// Every host name by which a device on this machine can reach the hub.
fn hosts(host_name: &str, port: u16) -> Vec<String> {
    let local = ["127.0.0.1", "localhost", "[::1]"].map(|host| [host.to_owned(), format!("{host}:{port}")]);
    std::iter::once(host_name.to_owned()).chain(local.into_iter().flatten()).collect()
}
