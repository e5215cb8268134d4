//! The running service: configuration, start and stop.

use crate::counts::Counts;
use crate::faults::Faults;
use crate::listener::{ConnectionAborter, Listener};
use crate::shared::Shared;
use crate::timings::Timings;
use crate::token::Keys;
use crate::upstream::{Upstream, Upstreams};
use crate::{client, origin, rest};
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::any;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The access key that Microsoft publishes for its SignalR emulator. It protects nothing.
pub const DEVELOPMENT_KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

/// How long [`Service::stop`] waits for tasks whose sockets are already cut.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// The configuration of a service.
#[derive(Clone)]
pub struct ServiceConfig {
    /// A loopback address; port 0 picks a free port. Default `127.0.0.1:8888`, as the official emulator.
    pub listen: SocketAddr,
    /// Keys that tokens may be signed with, used as text. The first one is in the connection string.
    /// Default: [`DEVELOPMENT_KEY`].
    pub access_keys: Vec<String>,
    /// Periods of the client protocol.
    pub timings: Timings,
    /// Where calls of clients and events of their connections are posted: to the first upstream that matches.
    /// Default: none.
    pub upstreams: Vec<Upstream>,
}

impl Default for ServiceConfig {
    fn default() -> ServiceConfig {
        ServiceConfig {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8888)),
            access_keys: vec![DEVELOPMENT_KEY.to_owned()],
            timings: Timings::default(),
            upstreams: Vec::new(),
        }
    }
}

impl fmt::Debug for ServiceConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServiceConfig")
            .field("listen", &self.listen)
            .field("access_keys", &self.access_keys.len())
            .field("timings", &self.timings)
            .field("upstreams", &self.upstreams.len())
            .finish()
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The address could be reached from other machines.
    #[error("the SignalR stand-in listens on loopback addresses only, not on {0}")]
    NotLoopback(SocketAddr),
    /// No access key, or an empty one.
    #[error("the SignalR stand-in needs at least one access key, and none may be empty")]
    NoKey,
    /// A webhook that cannot be called.
    #[error("an upstream of the SignalR stand-in needs an http:// URL, not {0}")]
    Upstream(String),
    /// The port is taken, or the address does not exist.
    #[error("the SignalR stand-in cannot listen on {address}")]
    Listen {
        /// The configured address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// A running service. Dropping it cuts every connection without waiting for its tasks; [`Service::stop`] waits.
pub struct Service {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    all_gone: mpsc::Receiver<Infallible>,
}

impl Service {
    /// Starts to listen. When this returns, clients and callers are served.
    ///
    /// # Errors
    /// The address is not loopback or cannot be bound, there is no key, or an upstream has no usable URL.
    pub async fn start(config: ServiceConfig) -> Result<Service, ServiceError> {
        if !config.listen.ip().is_loopback() {
            return Err(ServiceError::NotLoopback(config.listen));
        }
        if config.access_keys.is_empty() || config.access_keys.iter().any(String::is_empty) {
            return Err(ServiceError::NoKey);
        }
        if let Some(upstream) = config.upstreams.iter().find(|upstream| !upstream.is_usable()) {
            return Err(ServiceError::Upstream(upstream.url_template.clone()));
        }
        let bound = TcpListener::bind(config.listen).await;
        let listen = |source| ServiceError::Listen { address: config.listen, source };
        let tcp = bound.map_err(listen)?;
        let address = tcp.local_addr().map_err(listen)?;
        let (stop, stopping) = watch::channel(false);
        let (alive, all_gone) = mpsc::channel(1);
        let keys = Arc::new(Keys::new(config.access_keys));
        let patience = config.timings.upstream;
        let upstreams = Upstreams::new(config.upstreams, keys.clone(), patience, stopping.clone());
        let shared = Arc::new(Shared::new(keys, config.timings, upstreams, alive));
        let server = tokio::spawn(serve(Listener::new(tcp, stopping.clone()), shared.clone(), stopping));
        Ok(Service { address, shared, stop, server, all_gone })
    }

    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The connection string for an application, in the form of the Azure portal. It contains the key.
    pub fn connection_string(&self) -> String {
        let host = match self.address.ip() {
            std::net::IpAddr::V4(ip) => ip.to_string(),
            std::net::IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let (port, key) = (self.address.port(), self.shared.keys.first());
        format!("Endpoint=http://{host};Port={port};AccessKey={key};Version=1.0;")
    }

    /// Fault injection and stepped mode.
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The current counters.
    pub fn counts(&self) -> Counts {
        self.shared.tally.get()
    }

    /// Waits until the counters satisfy `wanted`.
    ///
    /// # Errors
    /// The counters at the deadline.
    pub async fn counts_when(
        &self,
        deadline: Duration,
        wanted: impl Fn(&Counts) -> bool,
    ) -> Result<Counts, Counts> {
        self.shared.tally.when(deadline, wanted).await
    }

    /// Cuts every connection, as a crash would, and frees the port.
    pub async fn stop(self) {
        let Service { shared, stop, server, mut all_gone, .. } = self;
        stop.send_replace(true);
        shared.world().cut_clients();
        drop(shared);
        let ended = async {
            let _ended_or_panicked = server.await;
            all_gone.recv().await
        };
        let _in_time = tokio::time::timeout(STOP_PATIENCE, ended).await;
    }
}

async fn serve(listener: Listener, shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let app = router(shared).into_make_service_with_connect_info::<ConnectionAborter>();
    let stopped = async move {
        // An error means that the service was dropped, which stops it as well.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let served = axum::serve(listener, app).with_graceful_shutdown(stopped).await;
    served.expect("axum keeps accepting until it is told to stop");
}

fn router(shared: Arc<Shared>) -> Router {
    let clients = Router::new()
        .route("/client/negotiate", any(client::negotiate))
        .route("/client/", any(client::connect))
        .layer(from_fn(origin::cors));
    clients
        .fallback(rest::handle)
        .with_state(shared)
        .layer(from_fn(origin::refuse_foreign_pages))
        .layer(from_fn(origin::refuse_foreign_hosts))
}
