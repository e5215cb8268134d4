//! Tells the handler process of a test what to do, and records what it got.

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::HeaderMap,
    routing::post,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::watch, task::AbortHandle};

use crate::deadline::within;

/// The success reply in default mode.
pub(crate) const SUCCESS: &str = r#"{"Outputs":{},"Logs":[],"ReturnValue":null}"#;

/// One order to the handler.
#[derive(Clone, Debug)]
pub(crate) struct Order(Value);

impl Order {
    pub(crate) fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> Order {
        let headers: HashMap<_, _> = headers.iter().copied().collect();
        Order(json!({"status": status, "headers": headers, "body": STANDARD.encode(body)}))
    }

    pub(crate) fn json(body: &str) -> Order {
        Order::reply(200, &[("Content-Type", "application/json")], body)
    }

    pub(crate) fn success() -> Order {
        Order::json(SUCCESS)
    }

    pub(crate) fn empty(status: u16) -> Order {
        Order(json!({"status": status, "headers": {}}))
    }

    pub(crate) fn exit(code: i32) -> Order {
        Order(json!({ "exit": code }))
    }

    pub(crate) fn abort() -> Order {
        Order(json!({"abort": true}))
    }

    pub(crate) fn hang() -> Order {
        Order(json!({"hang": true}))
    }

    pub(crate) fn and_write(mut self, stream: &str, line: &str) -> Order {
        self.0[stream] = json!(line);
        self
    }
}

/// A request as the handler got it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) method: String,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    /// How many requests had been answered when this one came.
    pub(crate) answered_before: usize,
}

impl Recorded {
    /// The values of a header, one per line on the wire.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        lines.map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Sequence numbers of a batch with cardinality many.
    pub(crate) fn sequence_numbers(&self) -> Vec<u64> {
        let metadata = &self.json()["Metadata"];
        serde_json::from_str(metadata["SequenceNumberArray"].as_str().unwrap()).unwrap()
    }

    pub(crate) fn partition(&self) -> String {
        self.json()["Metadata"]["PartitionContext"]["PartitionId"].as_str().unwrap().to_owned()
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Start {
    pub(crate) pid: u32,
    pub(crate) arguments: Vec<String>,
    pub(crate) folder: String,
    pub(crate) environment: HashMap<String, String>,
}

#[derive(Default)]
struct Script {
    start_orders: VecDeque<Order>,
    orders: HashMap<String, VecDeque<Order>>,
    defaults: HashMap<String, Order>,
    /// Requests to this path wait until it is taken out.
    held: Vec<String>,
    starts_held: bool,
}

#[derive(Clone, Default)]
pub(crate) struct Seen {
    pub(crate) starts: Vec<Start>,
    pub(crate) requests: Vec<Recorded>,
}

pub(crate) struct Director {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
    server: AbortHandle,
}

struct Shared {
    script: watch::Sender<()>,
    plan: Mutex<Script>,
    seen: watch::Sender<Seen>,
    answered: AtomicUsize,
    aborted: AtomicUsize,
}

impl Director {
    pub(crate) async fn start() -> Director {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            script: watch::Sender::new(()),
            plan: Mutex::default(),
            seen: watch::Sender::new(Seen::default()),
            answered: AtomicUsize::new(0),
            aborted: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/start", post(on_start))
            .route("/aborted", post(on_aborted))
            .route("/request", post(on_request))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Director { address, shared, server }
    }

    /// Gives the next requests to `path` (without query) these orders, one each.
    pub(crate) fn order(&self, path: &str, orders: impl IntoIterator<Item = Order>) {
        let mut plan = self.shared.plan.lock().unwrap();
        plan.orders.entry(path.to_owned()).or_default().extend(orders);
    }

    /// Gives every other request to `path` this order.
    pub(crate) fn always(&self, path: &str, order: Order) {
        self.shared.plan.lock().unwrap().defaults.insert(path.to_owned(), order);
    }

    /// Gives the next starts of the handler these orders; `Order::success()` is an ordinary start.
    pub(crate) fn order_starts(&self, orders: impl IntoIterator<Item = Order>) {
        self.shared.plan.lock().unwrap().start_orders.extend(orders);
    }

    /// Keeps requests to `path` without an answer until [`Director::release`].
    pub(crate) fn hold(&self, path: &str) {
        self.shared.plan.lock().unwrap().held.push(path.to_owned());
    }

    pub(crate) fn release(&self, path: &str) {
        self.shared.plan.lock().unwrap().held.retain(|held| held != path);
        self.shared.script.send_replace(());
    }

    /// Keeps a starting handler from listening until [`Director::release_starts`].
    pub(crate) fn hold_starts(&self) {
        self.shared.plan.lock().unwrap().starts_held = true;
    }

    pub(crate) fn release_starts(&self) {
        self.shared.plan.lock().unwrap().starts_held = false;
        self.shared.script.send_replace(());
    }

    /// How many requests were abandoned by their client before they were answered.
    pub(crate) fn aborted(&self) -> usize {
        self.shared.aborted.load(Ordering::Relaxed)
    }

    pub(crate) fn starts(&self) -> Vec<Start> {
        self.shared.seen.borrow().starts.clone()
    }

    /// Requests to `path` so far, without its query.
    pub(crate) fn requests(&self, path: &str) -> Vec<Recorded> {
        let seen = self.shared.seen.borrow();
        seen.requests.iter().filter(|request| path_of(&request.url) == path).cloned().collect()
    }

    /// Waits until at least `count` requests to `path` have arrived.
    pub(crate) async fn received(&self, path: &str, count: usize) -> Vec<Recorded> {
        let arrived = |seen: &Seen| {
            seen.requests.iter().filter(|request| path_of(&request.url) == path).count() >= count
        };
        within(&format!("{count} requests to {path}"), Duration::from_secs(30), async {
            self.shared.seen.subscribe().wait_for(arrived).await.map(drop)
        })
        .await
        .unwrap();
        self.requests(path)
    }

    pub(crate) async fn started(&self, count: usize) -> Vec<Start> {
        within(&format!("{count} starts"), Duration::from_secs(30), async {
            self.shared.seen.subscribe().wait_for(|seen| seen.starts.len() >= count).await.map(drop)
        })
        .await
        .unwrap();
        self.starts()
    }
}

impl Drop for Director {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn path_of(url: &str) -> &str {
    url.split('?').next().unwrap()
}

fn record<T: for<'de> Deserialize<'de>>(headers: &HeaderMap) -> T {
    serde_json::from_slice(&STANDARD.decode(&headers["x-record"]).unwrap()).unwrap()
}

async fn on_start(State(shared): State<Arc<Shared>>, headers: HeaderMap) -> Json<Value> {
    shared.seen.send_modify(|seen| seen.starts.push(record(&headers)));
    shared.until(|plan| !plan.starts_held).await;
    let order = shared.plan.lock().unwrap().start_orders.pop_front();
    Json(order.map_or(json!({}), |order| order.0))
}

async fn on_aborted(State(shared): State<Arc<Shared>>) -> Json<Value> {
    shared.aborted.fetch_add(1, Ordering::Relaxed);
    Json(json!({}))
}

async fn on_request(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Json<Value> {
    #[derive(Deserialize)]
    struct Head {
        method: String,
        url: String,
        headers: Vec<String>,
    }
    let head: Head = record(&headers);
    let path = path_of(&head.url).to_owned();
    let headers = head.headers.chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
    let answered_before = shared.answered.load(Ordering::Relaxed);
    let recorded = Recorded { method: head.method, url: head.url, headers, body, answered_before };
    shared.seen.send_modify(|seen| seen.requests.push(recorded));
    shared.until(|plan| !plan.held.contains(&path)).await;
    if path != "/" {
        shared.answered.fetch_add(1, Ordering::Relaxed);
    }
    let mut plan = shared.plan.lock().unwrap();
    let order = plan.orders.get_mut(&path).and_then(VecDeque::pop_front);
    let order = order.or_else(|| plan.defaults.get(&path).cloned());
    Json(order.unwrap_or_else(|| if path == "/" { Order::empty(404) } else { Order::success() }).0)
}

impl Shared {
    async fn until(&self, condition: impl Fn(&Script) -> bool) {
        let mut changes = self.script.subscribe();
        while !condition(&self.plan.lock().unwrap()) {
            changes.changed().await.unwrap();
        }
    }
}
