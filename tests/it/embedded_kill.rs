//! `kill -9` of a handler that writes to the embedded store, forty times: what was acknowledged is there, a batch is there
//! whole or not at all, and what comes again counts once.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fieldcast::devices::rows::{DeviceRows, Loaded, MOST_WRITES};
use fieldcast::primitives::ids::DeviceId;
use fieldcast::rejected::rows::{ListQuery, RejectedRows};
use fieldcast::store::Store;
use fieldcast::store::shard::{Shard, Shards};
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_signalr_service::{Service, ServiceConfig};
use fieldcast_tables::EmbeddedStore;
use rand::RngExt;
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use crate::stack::{PATIENCE, as_the_host, http};

const KILLS: usize = 40;

/// About every sixth kill strikes between a commit and its answer. Forty without one are rare but possible; then more
/// are tried, up to this many.
const MOST_KILLS: usize = 400;

/// A batch has one reading of each: as many as one transaction takes.
const DEVICES: usize = MOST_WRITES;

/// A handler process without a host.
struct Handler {
    child: Child,
    url: String,
    /// Kept open, because the handler goes on to write lines.
    _lines: BufReader<ChildStdout>,
}

impl Handler {
    fn start(directory: &Path, signalr: &Service) -> Handler {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fieldcast"));
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).envs([
            ("FUNCTIONS_CUSTOMHANDLER_PORT", "0".to_owned()),
            ("StorageConnectionString", format!("Embedded={}", directory.display())),
            ("AzureSignalRConnectionString", signalr.connection_string()),
        ]);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        lines.read_line(&mut first).unwrap();
        let (_, address) = first.trim().split_once("listens on ").expect("the first line names the address");
        let url = format!("http://{address}/EnvironmentEventTrigger");
        Handler { child, url, _lines: lines }
    }

    /// SIGKILL, and the end of the process.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Handler {
    fn drop(&mut self) {
        // Fails only when the process has ended, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn device(number: usize) -> String {
    format!("sensor-{number:02}")
}

/// One valid reading of every device and, as the last event, one that is rejected.
fn batch(number: usize) -> String {
    let first = number * (DEVICES + 1);
    let bodies: Vec<_> =
        (0..=DEVICES).map(|at| json!({ "temperature": if at < DEVICES { 20 } else { 900 } })).collect();
    let properties: Vec<_> =
        (0..=DEVICES).map(|at| json!({ "iothub-connection-device-id": device(at % DEVICES) })).collect();
    let sequences: Vec<_> = (first..=first + DEVICES).collect();
    json!({
        "Data": { "events": json!(bodies).to_string() },
        "Metadata": {
            "PartitionContext": { "EventHubName": "hub", "PartitionId": "0" },
            "SequenceNumberArray": json!(sequences).to_string(),
            "SystemPropertiesArray": properties,
        },
    })
    .to_string()
}

/// Batches acknowledged so far, and how long the last one took.
type Progress = (usize, Duration);

/// Delivers a batch; false when the handler is gone.
async fn deliver(client: &reqwest::Client, url: &str, number: usize) -> bool {
    let Ok(reply) = as_the_host(client.post(url)).body(batch(number)).send().await else {
        return false;
    };
    assert_eq!(reply.status(), 200, "{:?}", reply.text().await);
    true
}

/// Delivers one batch after the other until the handler is gone, beginning with the last acknowledged one, as a host
/// does whose checkpoint is older.
async fn write(url: &str, progress: &watch::Sender<Progress>) {
    let (client, mut next) = (http(), progress.borrow().0.saturating_sub(1));
    loop {
        let began = Instant::now();
        if !deliver(&client, url, next).await {
            return;
        }
        next += 1;
        progress.send_modify(|(acknowledged, took)| {
            (*acknowledged, *took) = (next.max(*acknowledged), began.elapsed());
        });
    }
}

/// Kills in the middle of a batch: after a few acknowledged ones (or while the file is opened), and then a share of the
/// time that the last one took.
async fn kill(handler: &mut Handler, mut progress: watch::Receiver<Progress>) {
    let wanted = progress.borrow().0 + rand::rng().random_range(0..=3);
    let moved = timeout(PATIENCE, progress.wait_for(|(acknowledged, _)| *acknowledged >= wanted)).await;
    let (_, took) = *moved.expect("the handler goes on").expect("the sender lives");
    sleep(took.mul_f64(rand::random())).await;
    handler.kill();
}

fn store(directory: &Path) -> Arc<Store> {
    let rows = Arc::new(EmbeddedStore::new(directory));
    Arc::new(Store::new(rows, Shards::new("Sydney", 1)))
}

/// How many batches are in the store, the same for every device, because a batch is one transaction; and how many
/// rejected readings.
async fn stored(directory: &Path) -> (usize, usize) {
    let store = store(directory);
    let rows = DeviceRows::new(Arc::clone(&store), Arc::new(Catalogue::environment()));
    let devices: Vec<_> = (0..DEVICES).map(|number| DeviceId::parse(&device(number)).unwrap()).collect();
    let rows = rows.load(Shard(0), &devices, Instant::now() + PATIENCE).await.unwrap();
    let count = |row: &Loaded| match row {
        Loaded::Absent => 0,
        Loaded::Found(stored) => stored.state.count,
        Loaded::Damaged(problem) => panic!("{problem}"),
    };
    let counts: Vec<i64> = rows.iter().map(count).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "a batch is there in part: {counts:?}");
    let rejected = rejected_bodies(&RejectedRows::new(store)).await;
    (usize::try_from(counts[0]).unwrap(), rejected)
}

async fn rejected_bodies(rows: &RejectedRows) -> usize {
    let (mut bodies, mut after) = (0, None);
    loop {
        let query = ListQuery { device: None, after, limit: 1_000, enough_bytes: usize::MAX };
        let listed = rows.list(&query, Instant::now() + PATIENCE).await.unwrap();
        bodies += listed.bodies.len();
        match listed.next {
            Some(_) => after = listed.next,
            None => return bodies,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_keeps_what_was_acknowledged_though_its_process_is_killed_forty_times() {
    let data = tempfile::tempdir().unwrap();
    let loopback = "127.0.0.1:0".parse().unwrap();
    let signalr =
        Service::start(ServiceConfig { listen: loopback, ..ServiceConfig::default() }).await.unwrap();
    let progress = watch::Sender::new((0, Duration::ZERO));
    let (mut kills, mut unacknowledged) = (0, 0);
    while kills < KILLS || unacknowledged == 0 {
        assert!(kills < MOST_KILLS, "no kill struck between a commit and its answer");
        kills += 1;
        let mut handler = Handler::start(data.path(), &signalr);
        let url = handler.url.clone();
        tokio::join!(write(&url, &progress), kill(&mut handler, progress.subscribe()));
        let (acknowledged, _) = *progress.borrow();
        let (stored, rejected) = stored(data.path()).await;
        assert!(stored >= acknowledged, "kill {kills}: {acknowledged} batches acknowledged, {stored} stored");
        assert!(stored <= acknowledged + 1, "kill {kills}: {acknowledged} acknowledged, {stored} stored");
        // A rejected reading is kept after the row that holds its verdict and before the batch is acknowledged.
        assert!(
            (acknowledged..=stored).contains(&rejected),
            "kill {kills}: {rejected} rejected, {acknowledged} acknowledged, {stored} stored"
        );
        unacknowledged += stored - acknowledged;
    }
    let (acknowledged, _) = *progress.borrow();
    let handler = Handler::start(data.path(), &signalr);
    for number in acknowledged.saturating_sub(1)..=acknowledged {
        assert!(deliver(&http(), &handler.url, number).await);
    }
    drop(handler);
    assert_eq!(
        stored(data.path()).await,
        (acknowledged + 1, acknowledged + 1),
        "what came again counts once"
    );
    println!(
        "{kills} kills, {acknowledged} batches acknowledged; {unacknowledged} were stored but not acknowledged"
    );
    signalr.stop().await;
}
