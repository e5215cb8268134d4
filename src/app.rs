//! The HTTP face of the app: what the Functions host calls. Handlers are a few lines; what they do is elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use bytes::Bytes;
use fieldcast_signalr::HubClient;
use tokio::net::TcpListener;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

pub use crate::host::answer::Answer;
use crate::host::collect::{Uncollected, collect};
use crate::host::envelope;
use crate::ingestion::{Ingest, Invocations, trigger};
use crate::rejected;
use crate::screens::publish::Watched;
use crate::screens::{negotiate, snapshot, subscriptions};
use crate::settings::Callers;

/// A batch is at most 32 MiB on the wire of the hub (host.json limits the prefetch), a third more as base64, and the
/// metadata of small events can be larger than their bodies. A batch that is refused for its size comes back for ever,
/// so the limit only keeps out what cannot be a batch.
const LARGEST_BATCH: usize = 512 * 1024 * 1024;

/// Clients send a connection id at most.
const LARGEST_CALL: usize = 64 * 1024;

/// Everything that handlers share.
pub struct App {
    /// The pipeline; snapshots are read from its store.
    pub ingest: Ingest,
    /// The moment and the dice of each batch.
    pub invocations: Invocations,
    /// Signs clients in.
    pub hub: HubClient,
    /// Which groups have members; the publisher asks it.
    pub watched: Arc<Watched>,
    /// Whether principal headers are believed.
    pub callers: Callers,
}

/// A client's call, forwarded by the host or unwrapped from its envelope.
pub(crate) struct Call {
    pub(crate) method: Method,
    /// As it was sent, percent-encoded.
    pub(crate) path: String,
    /// What follows the `?` of the address, as it was sent.
    pub(crate) query: String,
    /// The ETag of the answer that the caller has already.
    pub(crate) known: Option<String>,
    /// The identity that the platform authenticated.
    pub(crate) user: Option<String>,
    pub(crate) body: Bytes,
}

/// Serves until the process is killed, which is how the host stops it.
pub async fn serve(listener: TcpListener, app: Arc<App>) -> std::io::Result<()> {
    use axum::serve::ListenerExt;
    let listener = listener.tap_io(|connection| {
        // Replies are small and somebody waits for them. A failure to set this only costs milliseconds.
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router(app)).await
}

/// The routes. Both spellings of the HTTP functions exist: with the prefix when the host forwards calls, without it
/// when it wraps them (or when host.json sets an empty prefix).
pub fn router(app: Arc<App>) -> Router {
    // The fastest level, since the thread that compresses also counts events; a fleet becomes a tenth of its size.
    let compressed = CompressionLayer::new().quality(CompressionLevel::Fastest);
    Router::new()
        .route("/", get(|| async { "fieldcast\n" }))
        .route("/EnvironmentEventTrigger", post(trigger_function).fallback(wrong_method))
        .route("/api/negotiate", any(negotiate_function))
        .route("/negotiate", any(negotiate_function))
        .route("/api/getdevicestate", any(snapshot_function).layer(compressed.clone()))
        .route("/getdevicestate", any(snapshot_function))
        .route("/api/rejectedtelemetry", any(rejected_function).layer(compressed))
        .route("/rejectedtelemetry", any(rejected_function))
        .route("/api/subscriptions", any(subscriptions_function))
        .route("/api/subscriptions/{*group}", any(subscriptions_function))
        .route("/subscriptions", any(subscriptions_function))
        .route("/subscriptions/{*group}", any(subscriptions_function))
        .fallback(|uri: Uri| async move { Answer::not_found(uri.path()) })
        .with_state(app)
}

async fn wrong_method() -> Answer {
    Answer::wrong_method("POST")
}

async fn trigger_function(State(app): State<Arc<App>>, request: Request) -> Answer {
    match collect(request.into_body(), LARGEST_BATCH).await {
        Ok(body) => trigger::run(&app, body).await,
        Err(Uncollected::TooLarge) => Answer::too_large(LARGEST_BATCH),
        Err(Uncollected::Cut) => Answer::error(
            StatusCode::BAD_REQUEST,
            "cut_body",
            "the connection ended before the request did; send it again",
        ),
    }
}

async fn negotiate_function(State(app): State<Arc<App>>, request: Request) -> Response {
    call(&app, request, async |call| negotiate::answer(&app, &call)).await
}

async fn snapshot_function(State(app): State<Arc<App>>, request: Request) -> Response {
    call(&app, request, async |call| snapshot::answer(&app, &call).await).await
}

async fn rejected_function(State(app): State<Arc<App>>, request: Request) -> Response {
    call(&app, request, async |call| rejected::function::answer(&app, &call).await).await
}

async fn subscriptions_function(State(app): State<Arc<App>>, request: Request) -> Response {
    call(&app, request, async |call| subscriptions::answer(&app, &call).await).await
}

/// Runs an HTTP function on a forwarded call or on a wrapped one, and wraps the answer of the latter.
async fn call(app: &App, request: Request, function: impl AsyncFnOnce(Call) -> Answer) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_CALL).await else {
        return Answer::too_large(LARGEST_CALL).into_response();
    };
    let prefixed = parts.uri.path().starts_with("/api/");
    let may_be_wrapped = parts.method == Method::POST && !prefixed;
    if let Some(wrapped) = may_be_wrapped.then(|| envelope::read_http_call(&body).ok()).flatten() {
        let answer = match wrapped.method.parse() {
            Ok(method) => {
                let user = principal(app.callers, |name| wrapped.headers.get(name).cloned());
                let (path, query) = wrapped.target.split_once('?').unwrap_or((&wrapped.target, ""));
                let (path, query) = (path.to_owned(), query.to_owned());
                let known = wrapped.headers.get("if-none-match").cloned();
                function(Call { method, path, query, known, user, body: wrapped.body.into() }).await
            }
            Err(_) => Answer::wrong_method("GET, POST"),
        };
        return answer.into_envelope();
    }
    let header =
        |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let user = principal(app.callers, header);
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().unwrap_or_default().to_owned();
    let known = header("if-none-match");
    function(Call { method: parts.method, path, query, known, user, body }).await.into_response()
}

/// The caller's id as App Service Authentication states it.
fn principal(callers: Callers, header: impl Fn(&str) -> Option<String>) -> Option<String> {
    match callers {
        Callers::Authenticated => header("x-ms-client-principal-id").filter(|id| !id.is_empty()),
        Callers::Anonymous => None,
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let (status, headers, body) = self.into_parts();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        for (name, value) in headers {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

#[cfg(test)]
mod tests;
