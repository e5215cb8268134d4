//! Old rejected readings go at a tick of the host's timer, through the whole system on the embedded store.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use fieldcast::primitives::ids::{HubPartition, Position};
use fieldcast::primitives::instant::Millis;
use fieldcast::rejected::body::{RejectedBody, RejectedElements};
use fieldcast::rejected::reading::{Reason, Rejection};
use fieldcast::rejected::rows::RejectedRows;
use fieldcast::store::Store;
use fieldcast::store::shard::Shards;
use fieldcast_functions_host::{LogSink, Tick};
use fieldcast_tables::EmbeddedStore;
use serde_json::Value;

use crate::stack::{Options, PATIENCE, Stack, http};

const FUNCTION: &str = "RejectedRetention";

/// Keeps a reading that was rejected so many days ago, as a handler of that time did.
async fn keep(directory: &Path, sequence: i64, days_ago: u64) {
    let at = SystemTime::now() - Duration::from_secs(days_ago * 86_400);
    let mut rejected = RejectedElements::default();
    rejected.reject(0, Rejection::new(Reason::OutOfRange, "too hot"), Vec::new);
    let body = RejectedBody {
        position: Position { partition: HubPartition::new("fieldcast", "0"), sequence: Some(sequence) },
        enqueued_at: Some(Millis::from_system(at)),
        rejected_at: Millis::from_system(at),
        body: format!("{days_ago} days ago").into(),
        body_length: 11,
        rejected,
    };
    let store = Store::new(Arc::new(EmbeddedStore::new(directory)), Shards::new("Sydney", 1));
    let rows = RejectedRows::new(Arc::new(store));
    rows.keep(vec![body], 1, tokio::time::Instant::now() + PATIENCE).await.unwrap();
}

/// The bodies that are left.
async fn bodies(stack: &Stack) -> Vec<String> {
    let reply = http().get(stack.url("/api/rejectedtelemetry")).send().await.unwrap();
    let page: Value = serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap();
    let rejected = page["rejected"].as_array().unwrap();
    rejected.iter().map(|one| one["body"].as_str().unwrap().to_owned()).collect()
}

async fn tick(stack: &Stack, tick: Tick) {
    let before = stack.host.status().ticks(FUNCTION);
    stack.host.faults().tick(FUNCTION, tick);
    if let Err(status) = stack.host.reached(PATIENCE, |status| status.ticks(FUNCTION) > before).await {
        panic!("the tick was not made: {status:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tick_deletes_old_rejected_readings_however_often_it_comes() {
    let data = tempfile::tempdir().unwrap();
    for (sequence, days_ago) in [(1, 400), (2, 31), (3, 29)] {
        keep(data.path(), sequence, days_ago).await;
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let options = Options {
        settings: vec![("RejectedDays", "30".to_owned())],
        log: Some(LogSink::Collect(Arc::clone(&log))),
        ..Options::default()
    };
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), options).await;
    tick(&stack, Tick::Missed).await;
    assert_eq!(bodies(&stack).await, ["29 days ago", "31 days ago", "400 days ago"]);
    tick(&stack, Tick::Doubled).await;
    tick(&stack, Tick::Late).await;
    assert_eq!(bodies(&stack).await, ["29 days ago"]);
    assert_eq!(stack.host.status().failures, 0);
    let log = log.lock().unwrap().join("\n");
    assert!(log.contains("2 rows of readings rejected before"), "{log}");
    assert_eq!(log.matches("0 rows of readings rejected before").count(), 2, "{log}");
    stack.stop().await;
}
