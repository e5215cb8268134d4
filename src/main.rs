//! Starts the function app: settings, port, then everything that needs the network when the first call needs it.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use fieldcast::app::{App, Resources, serve};
use fieldcast::devices::rows::DeviceRows;
use fieldcast::host::host_json::HostJson;
use fieldcast::https::{Peers, client};
use fieldcast::ingestion::{Ingest, Invocation, RowCache};
use fieldcast::primitives::instant::Millis;
use fieldcast::rejected::rows::RejectedRows;
use fieldcast::screens::publish::{GroupOccupancy, SignalRPublisher};
use fieldcast::settings::{Settings, Storage};
use fieldcast::store::Store;
use fieldcast::store::shard::Shards;
use fieldcast::store::upgrade::Upgrade;
use fieldcast::telemetry::calibration::{CalibrationCache, CalibrationSource};
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_signalr::HubClient;
use fieldcast_tables::{AzureTables, EmbeddedStore};
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
    let host = host_json(&settings)?;
    // Loopback only: the host calls 127.0.0.1, and nobody else should.
    let listener = TcpListener::bind(("127.0.0.1", settings.port)).await.map_err(|error| {
        format!("port {} (FUNCTIONS_CUSTOMHANDLER_PORT) cannot be listened on: {error}", settings.port)
    })?;
    let app = assemble(settings, catalogue, host)?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    tracing::info!("fieldcast {} listens on {address}", env!("CARGO_PKG_VERSION"));
    serve(listener, Arc::new(app)).await.map_err(|error| error.to_string())
}

/// The catalogue in `telemetry.json` beside host.json, or the built-in one.
fn catalogue(app_root: &Path) -> Result<Catalogue, String> {
    match read(app_root, "telemetry.json")? {
        Some(json) => Catalogue::parse(&json).map_err(|error| format!("telemetry.json: {error}")),
        None => Ok(Catalogue::environment()),
    }
}

/// What host.json says about the calls of clients.
fn host_json(settings: &Settings) -> Result<HostJson, String> {
    let text = read(&settings.app_root, "host.json")?;
    HostJson::read(text.as_deref(), &settings.host_overrides).map_err(|error| error.to_string())
}

/// A file of the app, where there is one.
fn read(app_root: &Path, name: &str) -> Result<Option<String>, String> {
    match std::fs::read_to_string(app_root.join(name)) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{name} cannot be read: {error}")),
    }
}

fn assemble(settings: Settings, catalogue: Arc<Catalogue>, host: HostJson) -> Result<App, String> {
    let local =
        settings.signalr.as_slice().iter().any(|named| named.endpoint.origin().starts_with("http://"));
    let peers = if local { Peers::Local } else { Peers::Cloud };
    let http = client(peers).map_err(|error| format!("no HTTP client can be made: {error}"))?;
    let hub = HubClient::with_endpoints(http.clone(), settings.signalr, settings.hub);
    let occupancy = Arc::new(GroupOccupancy::new(hub.clone()));
    let (store, calibrations) = storage(settings.storage, &http, settings.shards, &catalogue);
    Ok(App::new(Resources {
        ingest: Ingest {
            devices: Arc::new(DeviceRows::new(Arc::clone(&store), catalogue)),
            rejected: Arc::new(RejectedRows::new(store)),
            calibrations: CalibrationCache::new(calibrations, settings.calibration_age),
            sources: settings.sources,
            publisher: Arc::new(SignalRPublisher::new(
                hub.clone(),
                settings.publish_mode,
                Arc::clone(&occupancy),
            )),
            cache: RowCache::default(),
        },
        new_invocation: Arc::new(|| Invocation {
            now: Millis::from_system(SystemTime::now()),
            seed: rand::random(),
        }),
        retention: settings.rejected_retention,
        hub,
        occupancy,
        host,
        callers: settings.callers,
        broadcast: settings.snapshot_broadcast,
    }))
}

/// The store that the settings name, and where its calibrations are.
fn storage(
    storage: Storage,
    http: &reqwest::Client,
    shards: Shards,
    catalogue: &Arc<Catalogue>,
) -> (Arc<Store>, CalibrationSource) {
    match storage {
        Storage::Embedded(directory) => {
            let rows = Arc::new(EmbeddedStore::new(&directory));
            let store = Store::new(rows, shards).with_upgrade(Upgrade::from_directory(&directory));
            let file = directory.join("calibration.json");
            (Arc::new(store), CalibrationSource::file(file, Arc::clone(catalogue)))
        }
        Storage::Tables(connection) => {
            let rows = Arc::new(AzureTables::new(connection, http.clone()));
            let store = Arc::new(Store::new(rows, shards));
            let source = CalibrationSource::table(Arc::clone(&store), Arc::clone(catalogue));
            (store, source)
        }
    }
}
