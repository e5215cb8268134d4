//! A running host: builds it from the app's files, starts it and stops it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use tokio::{
    net::TcpListener,
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    Faults, HostConfig, HostError, HostStatus,
    app::{self, App, function::Trigger, settings::Settings},
    events::{self, EventFunction, checkpoints::Checkpoints, source::Source},
    handler::{Handler, launch::Launch},
    http::{self, HttpFunction, Manual, Site, cors::Cors, files::Files},
    invoke::Invoker,
    status::StatusBoard,
    timers::{self, TimerFunction, memory::TimerMemory},
    wire,
};

/// A running Functions host. Dropping it kills the handler and ends everything; [`Host::stop`] also waits for
/// it.
pub struct Host {
    address: SocketAddr,
    handler: Arc<Handler>,
    faults: Arc<Faults>,
    status: StatusBoard,
    events: Vec<Arc<EventFunction>>,
    timers: Vec<Arc<TimerFunction>>,
    readers: JoinSet<()>,
    server: JoinHandle<()>,
    supervisor: JoinHandle<()>,
}

/// How long a stop waits for open calls. They fail at once, because their handler is gone.
const STOP_WAIT: Duration = Duration::from_secs(2);

/// The pause before the hub is asked again whether everything is read, while no counter changes.
const DRAIN_PAUSE: Duration = Duration::from_millis(50);

impl Host {
    /// Reads the app, binds the address, starts the handler, and waits until it is ready. Then serves HTTP and
    /// delivers events.
    ///
    /// # Errors
    /// See [`HostError`]: a file to correct, a taken port, a handler that cannot start.
    pub async fn start(config: HostConfig) -> Result<Host, HostError> {
        let settings = Settings::new(config.settings.clone());
        let app = App::read(&config.app_root, &settings)?;
        let cors = Cors::parse(app::read_local_settings(&config.app_root)?.as_ref())?;
        let memory = Memory::open(&config)?;
        let launch = Launch::prepare(&config.app_root, &app.host.description, &settings)?;
        let (listener, address) = bind(config.listen).await?;

        let status = StatusBoard::new();
        let faults = Arc::new(Faults::new());
        let handler = Arc::new(Handler::new(
            launch,
            app.host.initialization_timeout,
            config.log.clone(),
            status.clone(),
        ));
        let invoker = Arc::new(Invoker {
            handler: Arc::clone(&handler),
            function_timeout: app.host.function_timeout,
            forwarding: app.host.forwarding,
            log: config.log.clone(),
            status: status.clone(),
        });
        let Functions { events, timers, http } = split(app, &invoker, &memory, &faults);
        announce(&config, address, &events, &timers, &http);
        let files = config.static_dir.map(Files::new);
        let manual = Manual { events: events.clone(), timers: timers.clone() };
        let site = Site::new(http, manual, invoker, config.keys, cors, files);

        let first = handler.start()?;
        let mut host = Host {
            address,
            server: tokio::spawn(std::future::ready(())),
            supervisor: tokio::spawn(Arc::clone(&handler).supervise(first)),
            handler,
            faults,
            status,
            events,
            timers,
            readers: JoinSet::new(),
        };
        host.handler.first_ready().await?;
        host.serve(listener, site);
        Ok(host)
    }

    /// Where HTTP is served.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process id of the running handler.
    #[must_use]
    pub fn handler_pid(&self) -> Option<u32> {
        self.handler.pid()
    }

    /// Kills the handler with SIGKILL, as a crash: it is restarted unless it is the third error.
    pub fn kill_handler(&self) {
        self.handler.kill();
    }

    /// From now on the handler is restarted after every crash, for long simulations.
    pub fn restart_without_limit(&self) {
        self.handler.restart_without_limit();
    }

    /// Fault injection and stepped delivery.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The current counters.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        self.status.read()
    }

    /// Waits until the counters satisfy `condition`.
    ///
    /// # Errors
    /// The last counters, when `deadline` has passed.
    pub async fn reached(
        &self,
        deadline: Duration,
        condition: impl FnMut(&HostStatus) -> bool,
    ) -> Result<HostStatus, HostStatus> {
        let mut watch = self.status.watch();
        let reached = timeout(deadline, watch.wait_for(condition)).await;
        match reached {
            Ok(Ok(status)) => Ok(status.clone()),
            _ => Err(self.status()),
        }
    }

    /// Waits until every event in the hub is done, delivered or failed, and its position is recorded.
    ///
    /// # Errors
    /// The last counters, when `deadline` has passed or the host has given up.
    pub async fn drained(&self, deadline: Duration) -> Result<(), HostStatus> {
        let deadline = Instant::now() + deadline;
        let mut watch = self.status.watch();
        while !self.handler.has_ended() {
            watch.mark_unchanged();
            if timeout_at(deadline, self.all_drained()).await.map_err(|_| self.status())? {
                return Ok(());
            }
            let pause = deadline.min(Instant::now() + DRAIN_PAUSE);
            drop(timeout_at(pause, watch.changed()).await);
            if Instant::now() >= deadline {
                break;
            }
        }
        Err(self.status())
    }

    /// Resolves when the host has given up because the handler failed for the third time.
    pub async fn stopped(&self) {
        self.handler.given_up().await;
    }

    /// Kills the handler with SIGKILL, closes the listener, ends every reader and waits for it. A batch that is being
    /// delivered is not checkpointed.
    pub async fn stop(mut self) {
        self.handler.stop();
        self.readers.shutdown().await;
        drop(timeout(STOP_WAIT, &mut self.supervisor).await);
        drop(timeout(STOP_WAIT, &mut self.server).await);
    }

    fn serve(&mut self, listener: TcpListener, site: Site) {
        let router = Router::new().fallback(http::answer).with_state(Arc::new(site));
        let handler = Arc::clone(&self.handler);
        let ended = async move { handler.ended().await };
        self.server = tokio::spawn(async move {
            // Serving ends only at the shutdown signal; axum retries after accept errors.
            drop(axum::serve(listener, router).with_graceful_shutdown(ended).await);
        });
        for function in &self.events {
            self.readers.spawn(events::run(Arc::clone(function)));
        }
        for function in &self.timers {
            self.readers.spawn(timers::run(Arc::clone(function)));
        }
    }

    async fn all_drained(&self) -> bool {
        for function in &self.events {
            if !function.is_drained().await {
                return false;
            }
        }
        true
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.handler.stop();
    }
}

/// What a host remembers from one start to the next.
struct Memory {
    checkpoints: Arc<Checkpoints>,
    timers: Arc<TimerMemory>,
}

impl Memory {
    fn open(config: &HostConfig) -> Result<Memory, HostError> {
        let folder = config.data_dir.as_deref();
        let explain = |source: io::Error| HostError::Data {
            folder: folder.unwrap_or_else(|| std::path::Path::new("")).to_owned(),
            source,
        };
        Ok(Memory {
            checkpoints: Checkpoints::open(folder).map(Arc::new).map_err(explain)?,
            timers: TimerMemory::open(folder).map(Arc::new).map_err(explain)?,
        })
    }
}

async fn bind(address: SocketAddr) -> Result<(TcpListener, SocketAddr), HostError> {
    let explain = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => HostError::PortTaken { address },
        _ => HostError::Listen { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(explain)?;
    let bound = listener.local_addr().map_err(|source| HostError::Listen { address, source })?;
    Ok((listener, bound))
}

/// The functions of an app, by what starts them.
#[derive(Default)]
struct Functions {
    events: Vec<Arc<EventFunction>>,
    timers: Vec<Arc<TimerFunction>>,
    http: Vec<HttpFunction>,
}

fn split(app: App, invoker: &Arc<Invoker>, memory: &Memory, faults: &Arc<Faults>) -> Functions {
    let client = wire::client();
    let mut functions = Functions::default();
    for function in app.functions {
        let (name, retry) = (function.name, function.retry);
        match function.trigger {
            Trigger::Http(trigger) => functions.http.push(HttpFunction { name, trigger, retry }),
            Trigger::EventHub(trigger) => functions.events.push(Arc::new(EventFunction {
                name,
                source: Source::new(client.clone(), trigger.source.clone(), &trigger.entity),
                trigger,
                retry,
                options: app.host.event_hubs.clone(),
                invoker: Arc::clone(invoker),
                checkpoints: Arc::clone(&memory.checkpoints),
                faults: Arc::clone(faults),
            })),
            Trigger::Timer(trigger) => functions.timers.push(Arc::new(TimerFunction {
                name,
                trigger,
                retry,
                invoker: Arc::clone(invoker),
                memory: Arc::clone(&memory.timers),
                faults: Arc::clone(faults),
            })),
        }
    }
    functions
}

fn announce(
    config: &HostConfig,
    address: SocketAddr,
    events: &[Arc<EventFunction>],
    timers: &[Arc<TimerFunction>],
    http: &[HttpFunction],
) {
    for function in http {
        config
            .log
            .info("host", format_args!("{}: http://{address}{}", function.name, function.trigger.route));
    }
    for function in events {
        config.log.info("host", format_args!("{}: events of {}", function.name, function.trigger.entity));
    }
    for function in timers {
        let next = function.trigger.schedule.next_after(jiff::Timestamp::now());
        let next = next.map_or_else(|| "never".to_owned(), |next| format!("next at {next}"));
        config.log.info("host", format_args!("{}: a timer, {next}", function.name));
    }
}
