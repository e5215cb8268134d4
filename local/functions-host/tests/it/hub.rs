//! An event hub that is only a list of events, with the read side of the IoT Hub stand-in.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::StatusCode,
    routing::get,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

pub(crate) const ENTITY: &str = "telemetry";

pub(crate) struct FakeHub {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

struct Shared {
    partitions: Mutex<Vec<Vec<Value>>>,
    changes: watch::Sender<()>,
    failing: Mutex<bool>,
}

impl FakeHub {
    pub(crate) async fn start(partitions: usize) -> FakeHub {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            partitions: Mutex::new(vec![Vec::new(); partitions]),
            changes: watch::Sender::new(()),
            failing: Mutex::new(false),
        });
        let router = Router::new()
            .route("/$events/{entity}/partitions", get(topology))
            .route("/$events/{entity}/partitions/{id}", get(read))
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        FakeHub { address, shared, server }
    }

    pub(crate) fn connection_string(&self) -> String {
        let key = "SharedAccessKeyName=service;SharedAccessKey=c2VjcmV0";
        format!("Endpoint=sb://{}/;{key};EntityPath={ENTITY}", self.address)
    }

    /// Appends an event with these properties.
    pub(crate) fn push(&self, partition: usize, body: impl AsRef<[u8]>) {
        self.push_with(partition, body, json!({"iothub-connection-device-id": "dev-1"}));
    }

    pub(crate) fn push_with(&self, partition: usize, body: impl AsRef<[u8]>, system_properties: Value) {
        let mut partitions = self.shared.partitions.lock().unwrap();
        let number = partitions[partition].len();
        partitions[partition].push(json!({
            "sequenceNumber": number, "offset": (number * 504).to_string(),
            "enqueuedTime": "2024-11-21T00:57:11.123Z", "body": STANDARD.encode(body),
            "properties": {"sensor": "a"}, "systemProperties": system_properties
        }));
        drop(partitions);
        self.shared.changes.send_replace(());
    }

    pub(crate) fn push_many(&self, partition: usize, count: usize) {
        (0..count).for_each(|index| self.push(partition, format!("{{\"n\":{index}}}")));
    }

    /// Forgets every event, as a hub that was restarted without its data.
    pub(crate) fn clear(&self) {
        self.shared.partitions.lock().unwrap().iter_mut().for_each(Vec::clear);
        self.shared.changes.send_replace(());
    }

    pub(crate) fn fail(&self, failing: bool) {
        *self.shared.failing.lock().unwrap() = failing;
        self.shared.changes.send_replace(());
    }
}

impl Drop for FakeHub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

type HttpResponse = Result<Json<Value>, StatusCode>;

impl Shared {
    fn check(&self, entity: &str) -> Result<(), StatusCode> {
        if *self.failing.lock().unwrap() {
            return Err(StatusCode::SERVICE_UNAVAILABLE);
        }
        if entity == ENTITY { Ok(()) } else { Err(StatusCode::NOT_FOUND) }
    }
}

async fn topology(State(shared): State<Arc<Shared>>, Path(entity): Path<String>) -> HttpResponse {
    shared.check(&entity)?;
    let count = shared.partitions.lock().unwrap().len();
    let ids: Vec<String> = (0..count).map(|id| id.to_string()).collect();
    Ok(Json(json!({"namespace": "fake.local", "entity": entity, "partitions": ids})))
}

#[derive(Deserialize)]
struct Range {
    from: usize,
    max: usize,
    wait: u64,
}

async fn read(
    State(shared): State<Arc<Shared>>,
    Path((entity, id)): Path<(String, String)>,
    Query(range): Query<Range>,
    Query(all): Query<HashMap<String, String>>,
) -> HttpResponse {
    assert_eq!(all.len(), 3, "unexpected parameters: {all:?}");
    assert!(range.max > 0);
    let deadline = tokio::time::Instant::now() + Duration::from_millis(range.wait);
    let mut changes = shared.changes.subscribe();
    loop {
        shared.check(&entity)?;
        let page = {
            let partitions = shared.partitions.lock().unwrap();
            let events =
                id.parse().ok().and_then(|id: usize| partitions.get(id)).ok_or(StatusCode::NOT_FOUND)?;
            let found: Vec<Value> = events.iter().skip(range.from).take(range.max).cloned().collect();
            (found, events.len().checked_sub(1))
        };
        let over = tokio::time::Instant::now() >= deadline;
        if !page.0.is_empty() || over || page.1.map_or(0, |last| last + 1) < range.from {
            return Ok(Json(json!({"events": page.0, "last": page.1})));
        }
        drop(tokio::time::timeout_at(deadline, changes.changed()).await);
    }
}
