//! The function app put together: its functions, the parts that answer, and the server that the Functions host calls.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use fieldcast_signalr::HubClient;
use tokio::net::TcpListener;

use crate::host::answer::{Answer, NOSNIFF};
use crate::host::callers::Callers;
use crate::host::connections;
use crate::host::door::Door;
use crate::host::functions::Access::{Anonymous, Named};
use crate::host::functions::Function;
use crate::host::functions::Size::{Large, Small};
use crate::host::gate::Gate;
use crate::host::host_json::HostJson;
use crate::ingestion::trigger::{NewStreams, Trigger};
use crate::ingestion::{Ingest, NewInvocation};
use crate::primitives::instant::Millis;
use crate::rejected::function::RejectedReadings;
use crate::rejected::retention::{RejectedRetention, Retention};
use crate::screens::negotiate::Negotiation;
use crate::screens::publish::GroupOccupancy;
use crate::screens::snapshot::{Broadcast, Snapshots};
use crate::screens::subscriptions::Subscriptions;

/// The functions, a line for each folder with a function.json: its name, and for those that clients call the route, the
/// methods, who may call, how large the answers are, and what answers.
#[rustfmt::skip]
static FUNCTIONS: [Function<Parts>; 6] = [
    Function::trigger("EnvironmentEventTrigger", |parts, batch| Box::pin(parts.trigger.answer(batch))),
    Function::http("negotiate", "negotiate", &["GET", "POST"], Named, Small, |parts, call| Box::pin(parts.negotiation.answer(call))),
    Function::http("getdevicestate", "getdevicestate", &["GET", "HEAD", "POST"], Anonymous, Large, |parts, call| Box::pin(parts.snapshots.answer(call))),
    Function::http("rejectedtelemetry", "rejectedtelemetry", &["GET", "HEAD"], Anonymous, Large, |parts, call| Box::pin(parts.rejected.answer(call))),
    Function::http("subscriptions", "subscriptions/{group?}", &["PUT", "DELETE"], Anonymous, Small, |parts, call| Box::pin(parts.subscriptions.answer(call))),
    Function::timer("RejectedRetention", |parts, _| Box::pin(parts.retention.answer())),
];

/// What answers, one part for each function.
struct Parts {
    trigger: Trigger,
    negotiation: Negotiation,
    snapshots: Snapshots,
    rejected: RejectedReadings,
    retention: RejectedRetention,
    subscriptions: Subscriptions,
}

/// What an app is made of.
pub struct Resources {
    /// The pipeline; snapshots are read from its store.
    pub ingest: Ingest,
    /// The moment and the dice of each batch.
    pub new_invocation: NewInvocation,
    /// Signs clients in.
    pub hub: HubClient,
    /// How long rejected readings are kept.
    pub retention: Retention,
    /// Which groups have members; the publisher asks it.
    pub occupancy: Arc<GroupOccupancy>,
    /// How the host hands over the calls of clients.
    pub host: HostJson,
    /// Whether principal headers are believed.
    pub callers: Callers,
    /// Whether a posted snapshot may go to everybody.
    pub broadcast: Broadcast,
}

/// The app.
pub struct App {
    door: Door<Parts>,
    parts: Parts,
}

impl App {
    /// Puts the parts together.
    pub fn new(resources: Resources) -> App {
        let Resources { ingest, new_invocation, retention, hub, occupancy, host, callers, broadcast } =
            resources;
        let parts = Parts {
            negotiation: Negotiation { hub: hub.clone() },
            snapshots: Snapshots::new(Arc::clone(&ingest.devices), Arc::clone(&ingest.publisher), broadcast),
            rejected: RejectedReadings {
                rows: Arc::clone(&ingest.rejected),
                gate: Gate::new("too_many_readers"),
            },
            retention: RejectedRetention {
                rows: Arc::clone(&ingest.rejected),
                retention,
                clock: clock(&new_invocation),
            },
            subscriptions: Subscriptions { hub, occupancy },
            trigger: Trigger { ingest, new_invocation, new_streams: NewStreams::default() },
        };
        App { door: Door { functions: &FUNCTIONS, host, callers }, parts }
    }
}

/// The clock of the batches, for functions that draw no lots.
fn clock(new_invocation: &NewInvocation) -> Arc<dyn Fn() -> Millis + Send + Sync> {
    let new_invocation = Arc::clone(new_invocation);
    Arc::new(move || new_invocation().now)
}

/// Serves until the process is killed, which is how the host stops it.
pub async fn serve(listener: TcpListener, app: Arc<App>) -> std::io::Result<()> {
    let listener = listener.tap_io(|connection| {
        // Replies are small and somebody waits for them. A failure to set this only costs milliseconds.
        let _ = connection.set_nodelay(true);
    });
    connections::serve(listener, router(app)).await
}

/// Everything that the host calls: the functions, and `/` for whether the process is ready.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { "fieldcast\n" }).fallback(|| async { Answer::wrong_method("GET") }))
        .fallback(answer)
        .layer(map_response(no_sniffing))
        .with_state(app)
}

async fn no_sniffing(mut response: Response) -> Response {
    let (name, value) = NOSNIFF;
    response.headers_mut().insert(name, HeaderValue::from_static(value));
    response
}

async fn answer(State(app): State<Arc<App>>, request: Request) -> Response {
    app.door.answer(&app.parts, request).await
}

#[cfg(test)]
mod tests;
