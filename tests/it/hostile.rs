//! Bodies that are made to cost much: whatever they hold, they are acknowledged in one delivery, cost a row each, and take
//! memory in proportion to their bytes.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Account, Options, Stack, as_the_host, http};

/// Bytes of a body, as one device can send them day and night.
const BODY: usize = 40 * 1024;

/// What an invocation has.
const INVOCATION: Duration = Duration::from_secs(30);

/// What a batch may take beside three times its size.
const MEMORY: u64 = 64 * 1024 * 1024;

/// More elements are rejected as one.
const MOST_ELEMENTS: usize = 20_000;

/// An array of as many elements as fit.
fn array(element: &str) -> String {
    let count = ((BODY - 2) / (element.len() + 1)).min(MOST_ELEMENTS);
    format!("[{}]", vec![element; count].join(","))
}

fn envelope(bodies: &[String], first: usize, device: &str) -> String {
    let numbers: Vec<usize> = (first..first + bodies.len()).collect();
    let times: Vec<&str> = bodies.iter().map(|_| "2024-11-21T00:57:11.123Z").collect();
    let properties: Vec<Value> =
        bodies.iter().map(|_| json!({ "iothub-connection-device-id": device })).collect();
    json!({
        "Data": { "events": json!(bodies).to_string() },
        "Metadata": {
            "PartitionContext": { "EventHubName": "hub", "PartitionId": "0" },
            "SequenceNumberArray": json!(numbers).to_string(),
            "EnqueuedTimeUtcArray": json!(times).to_string(),
            "SystemPropertiesArray": json!(properties).to_string(),
        },
    })
    .to_string()
}

/// Calls the handler as the host does: its line about the batch, and how long it took.
async fn deliver(stack: &Stack, envelope: String) -> (String, Duration) {
    let began = tokio::time::Instant::now();
    let url = stack.handler_url("/EnvironmentEventTrigger");
    let reply = as_the_host(http().request(Method::POST, url)).body(envelope).send().await.unwrap();
    let (status, text) = (reply.status(), reply.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    let reply: Value = serde_json::from_str(&text).unwrap();
    (reply["Logs"][0].as_str().unwrap().to_owned(), began.elapsed())
}

/// The most memory that the handler ever had, in bytes.
fn peak(stack: &Stack) -> u64 {
    let pid = stack.host.handler_pid().unwrap();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_nothing_but_rejected_elements_are_acknowledged_in_one_delivery() {
    let account = Account::start();
    let stack = Stack::start(&account.connection_string(), Options::default()).await;
    let waveform = format!("[{}]", vec!["0.1234"; 5_000].join(","));
    let contents = [array("5"), array(r#"{"temperature":999}"#), waveform, "garbage".repeat(BODY / 7)];
    let bodies: Vec<String> = contents.iter().flat_map(|body| vec![body.clone(); 8]).collect();
    let (line, took) = deliver(&stack, envelope(&bodies, 0, "sensor-1")).await;
    let rejected: usize = 8 * (MOST_ELEMENTS + contents[1].matches('{').count() + 5_000 + 1);
    assert!(line.ends_with(&format!(" 0 counted, 0 known already, {rejected} rejected")), "{line}");
    assert!(took < INVOCATION, "{took:?}");
    let rows = account.all_rows("RejectedTelemetry").await;
    assert_eq!(rows.len(), bodies.len(), "a row for each body");
    let whole = |row: &fieldcast_tables::Entity| {
        let body = row.get("Body").and_then(fieldcast_tables::Value::as_bytes).unwrap();
        bodies.iter().any(|sent| sent.as_bytes() == body)
    };
    assert!(rows.iter().all(whole), "with all its bytes");
    deliver(&stack, envelope(&bodies, 0, "sensor-1")).await;
    assert_eq!(account.all_rows("RejectedTelemetry").await.len(), bodies.len());
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_takes_memory_in_proportion_to_its_size_whatever_it_holds() {
    let data = tempfile::tempdir().unwrap();
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), Options::default()).await;
    for (number, element) in ["{}", "5", r#"{"temperature":999}"#, r#"{"light":5}"#].into_iter().enumerate() {
        deliver(&stack, envelope(&[r#"{"light":1}"#.to_owned()], 1_000 * number, element)).await;
        let before = peak(&stack);
        let envelope = envelope(&vec![array(element); 50], 1_000 * number + 1, &format!("sensor-{number}"));
        let allowed = before + 3 * u64::try_from(envelope.len()).unwrap() + MEMORY;
        deliver(&stack, envelope).await;
        assert!(peak(&stack) <= allowed, "{element}: {} MB, {before} before", peak(&stack) / 1_000_000);
        println!("{element}: {} MB after {} MB", peak(&stack) / 1_000_000, before / 1_000_000);
    }
    stack.stop().await;
}
