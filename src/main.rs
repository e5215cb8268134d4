//! Starts the function app: settings, port, then everything that needs the network when the first call needs it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use fieldcast::app::{App, serve};
use fieldcast::https::{Peers, client};
use fieldcast::ingestion::{Ingest, Invocation, Known};
use fieldcast::primitives::instant::Millis;
use fieldcast::screens::publish::{SignalRPublisher, Watched};
use fieldcast::settings::{Settings, Storage};
use fieldcast::store::{EmbeddedStore, StateStore, TableStore};
use fieldcast::telemetry::calibration::CalibrationCache;
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_signalr::HubClient;
use tokio::net::TcpListener;

/// A batch is thousands of small allocations that live as long as it does; the C library's allocator, above all the one
/// of a static binary, spends half of the handler's time on them. Without huge pages (`no_thp`), which would make an idle
/// handler 10 MB larger.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The process never ends by itself with code 0: the Functions host would not start it again.
///
/// One thread folds more than 100,000 events a second. Each further one would keep a heap of its own, and what a batch
/// leaves behind would be there once per thread.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    fieldcast::logging::start();
    let problem = match run().await {
        Ok(()) => "the listener ended".to_owned(),
        Err(problem) => problem,
    };
    tracing::error!("fieldcast stopped: {problem}");
    ExitCode::FAILURE
}

async fn run() -> Result<(), String> {
    let settings = Settings::from_environment().map_err(|error| error.to_string())?;
    let catalogue = Arc::new(catalogue(&settings.app_root)?);
    // Loopback only: the host calls 127.0.0.1, and nobody else should.
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.map_err(|error| {
        format!("port {} (FUNCTIONS_CUSTOMHANDLER_PORT) cannot be listened on: {error}", settings.port)
    })?;
    let app = assemble(settings, catalogue)?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tracing::info!("fieldcast {} listens on {address}", env!("CARGO_PKG_VERSION"));
    serve(listener, Arc::new(app)).await.map_err(|error| error.to_string())
}

/// The catalogue in `telemetry.json` beside host.json, or the built-in one.
fn catalogue(app_root: &Path) -> Result<Catalogue, String> {
    let path = app_root.join("telemetry.json");
    match std::fs::read_to_string(&path) {
        Ok(json) => Catalogue::parse(&json).map_err(|error| format!("telemetry.json: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Catalogue::environment()),
        Err(error) => Err(format!("telemetry.json cannot be read: {error}")),
    }
}

fn assemble(settings: Settings, catalogue: Arc<Catalogue>) -> Result<App, String> {
    let local =
        settings.signalr.as_slice().iter().any(|named| named.endpoint.origin().starts_with("http://"));
    let peers = if local { Peers::Local } else { Peers::Cloud };
    let http = client(peers).map_err(|error| format!("no HTTP client can be made: {error}"))?;
    let hub = HubClient::with_endpoints(http.clone(), settings.signalr, settings.hub);
    let watched = Arc::new(Watched::new(hub.clone()));
    let store: Arc<dyn StateStore> = match settings.storage {
        Storage::Embedded(directory) => {
            Arc::new(EmbeddedStore::new(&directory, Arc::clone(&catalogue), settings.shards.clone()))
        }
        Storage::Tables(connection) => {
            Arc::new(TableStore::new(connection, http, Arc::clone(&catalogue), settings.shards.clone()))
        }
    };
    Ok(App {
        ingest: Ingest {
            store,
            publisher: Arc::new(SignalRPublisher::new(
                hub.clone(),
                settings.publish_mode,
                Arc::clone(&watched),
            )),
            catalogue,
            calibrations: CalibrationCache::new(settings.calibration_age),
            shards: settings.shards,
            known: Known::default(),
        },
        invocations: Arc::new(|| Invocation {
            now: Millis::from_system(SystemTime::now()),
            seed: rand::random(),
        }),
        hub,
        watched,
        callers: settings.callers,
    })
}
