//! The running service: configuration, start, stop, and what its tasks share.

use crate::counts::{Counts, Tally};
use crate::faults::Faults;
use crate::listener::{Listener, Scissors};
use crate::token::Keys;
use crate::upstream::{Upstream, Upstreams};
use crate::world::World;
use crate::{client, origin, rest};
use axum::Router;
use axum::middleware::from_fn;
use axum::routing::any;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// The access key that Microsoft publishes for its SignalR emulator. It protects nothing.
pub const DEVELOPMENT_KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

/// How long [`Service::stop`] waits for tasks whose sockets are already cut.
const STOP_PATIENCE: Duration = Duration::from_secs(5);

/// What a service is started with.
#[derive(Clone)]
pub struct ServiceConfig {
    /// A loopback address; port 0 picks a free port. Default `127.0.0.1:8888`, as the official emulator.
    pub listen: SocketAddr,
    /// Keys that tokens may be signed with, used as text. The first one is in the connection string.
    /// Default: [`DEVELOPMENT_KEY`].
    pub access_keys: Vec<String>,
    /// Periods of the client protocol.
    pub timings: Timings,
    /// Where clients' calls and the news of their connections go: the first that fits. Default: nowhere.
    pub upstreams: Vec<Upstream>,
}

/// Periods of the client protocol. The defaults are those of the service and of ASP.NET Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// A client is pinged when nothing was sent to it for this long. 15 s.
    pub ping: Duration,
    /// A client that was silent for this long is closed, and so is one that takes no byte for as long. 30 s.
    pub client_timeout: Duration,
    /// Time for the hub handshake once the transport is connected. 15 s.
    pub handshake: Duration,
    /// Time from negotiation to connection. 15 s; the service is reported to allow 5 s, too little for a
    /// page that is paused in a debugger.
    pub connect: Duration,
    /// How long a call by `:invoke` waits for the client's answer. 30 s; the service's is not documented.
    pub client_result: Duration,
    /// How long a client's call waits for the upstream's reply. 100 s, as .NET's HTTP client; the service's is not
    /// documented.
    pub upstream: Duration,
    /// How long a long poll waits for something to say, unless its token says how long. 5 s.
    pub poll: Duration,
}

impl Default for Timings {
    fn default() -> Timings {
        Timings {
            ping: Duration::from_secs(15),
            client_timeout: Duration::from_secs(30),
            handshake: Duration::from_secs(15),
            connect: Duration::from_secs(15),
            client_result: Duration::from_secs(30),
            upstream: Duration::from_secs(100),
            poll: Duration::from_secs(5),
        }
    }
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
    /// Starts to listen; when this returns, clients and callers are served.
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
        let shared = Arc::new(Shared::new(config, stopping.clone(), alive));
        let server = tokio::spawn(serve(Listener::new(tcp, stopping.clone()), shared.clone(), stopping));
        Ok(Service { address, shared, stop, server, all_gone })
    }

    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What an application is configured with, in the form of the service's portal. It holds the key.
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

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.shared.tally.get()
    }

    /// Waits until the counts are as `wanted`.
    ///
    /// # Errors
    /// The counts at the deadline.
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

/// What the listener's tasks share. The last one to drop it ends [`Service::stop`].
pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    pub(crate) tally: Tally,
    pub(crate) faults: Faults,
    pub(crate) keys: Keys,
    pub(crate) timings: Timings,
    pub(crate) upstreams: Upstreams,
    _alive: mpsc::Sender<Infallible>,
}

impl Shared {
    fn new(
        config: ServiceConfig,
        stopping: watch::Receiver<bool>,
        alive: mpsc::Sender<Infallible>,
    ) -> Shared {
        let tally = Tally::new();
        let world = Arc::new(Mutex::new(World::new(tally.clone())));
        Shared {
            faults: Faults::new(world.clone()),
            world,
            tally,
            keys: Keys::new(config.access_keys),
            timings: config.timings,
            upstreams: Upstreams::new(config.upstreams, config.timings.upstream, stopping),
            _alive: alive,
        }
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nothing panics while it holds the world")
    }
}

/// The time as tokio has it, so that tests can pause it.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

async fn serve(listener: Listener, shared: Arc<Shared>, mut stopping: watch::Receiver<bool>) {
    let app = router(shared).into_make_service_with_connect_info::<Scissors>();
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
    clients.fallback(rest::handle).with_state(shared).layer(from_fn(origin::refuse_foreign_pages))
}
