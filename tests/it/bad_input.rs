//! Bad input through the whole system: each is rejected once with its reason, and the good readings around it are
//! counted, also when everything is delivered again.

use std::collections::BTreeMap;

use fieldcast_tables::{Entity, Value as Column};
use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Account, Options, PATIENCE, SOON, Stack, as_the_host, http};

const GOOD: &str = r#"{"temperature":20}"#;
/// IoT Hub's limit for a message.
const LARGEST_BODY: usize = 256 * 1024;

/// A body that must be rejected: the device that sends it, the reason, and words of the detail.
struct Bad {
    device: &'static str,
    body: Vec<u8>,
    reason: &'static str,
    detail: &'static str,
}

fn bad(device: &'static str, body: impl Into<Vec<u8>>, reason: &'static str, detail: &'static str) -> Bad {
    Bad { device, body: body.into(), reason, detail }
}

/// An object of exactly the largest size whose `name` is a long text.
fn filled(name: &str, start: &str) -> String {
    let empty = format!(r#"{{{start}"{name}":""}}"#);
    format!(r#"{{{start}"{name}":"{}"}}"#, "x".repeat(LARGEST_BODY - empty.len()))
}

fn bad_bodies() -> Vec<Bad> {
    let deep = format!(r#"{{"temperature":20,"x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let elements = format!("[{}]", vec!["1"; 20_001].join(","));
    let broken_utf8 = [br#"{"geo":""#.as_slice(), b"\xff\xfe\"}"].concat();
    vec![
        bad("empty", "", "unreadable", "the body is empty"),
        bad("blank", " \r\n\t", "unreadable", "the body is empty"),
        bad("no-readings", "[]", "unreadable", "the array is empty"),
        bad("text", "temperature=20", "unreadable", "is not JSON"),
        bad("unfinished", r#"{"temperature":20"#, "unreadable", "is not JSON"),
        bad("two-objects", format!("{GOOD},{GOOD}"), "unreadable", "must be in an array"),
        bad("broken-utf8", broken_utf8, "unreadable", "not UTF-8 from byte 8"),
        bad("deep", deep, "unreadable", "deeper than 64 levels"),
        bad("nan", r#"{"temperature":NaN}"#, "unreadable", "`NaN` is no JSON number: send null"),
        bad("infinity", r#"{"temperature":-Infinity}"#, "unreadable", "is not JSON"),
        bad("large", filled("temperature", ""), "wrong_type", "it is a string"),
        bad("number", "20", "wrong_type", "must be a JSON object"),
        bad("string-for-number", r#"{"temperature":"20"}"#, "wrong_type", "must be a number, it is a string"),
        bad("object-for-number", r#"{"humidity":{}}"#, "wrong_type", "must be a number, it is an object"),
        bad("number-for-text", r#"{"geo":5}"#, "wrong_type", "must be a string, it is a number"),
        bad(
            "nothing-known",
            r#"{"messageId":1,"temp":20}"#,
            "nothing_known",
            "its members are \"messageId\", \"temp\"",
        ),
        bad("empty-object", "{}", "nothing_known", "the object is empty"),
        bad(
            "foreign-unit",
            r#"{"temperature":20,"temperature_unit":"Ra"}"#,
            "wrong_type",
            "is \"Ra\", known are",
        ),
        bad("same-key", r#"{"temperature":1,"temperature":2}"#, "duplicate_field", "is there twice"),
        bad("same-field", r#"{"temperature":1,"Celsius":2}"#, "duplicate_field", "is there twice"),
        bad("control", r#"{"geo":"a\u0000b"}"#, "bad_text", "geo has control characters"),
        bad("long-text", filled("geo", ""), "bad_text", "at most 256 are kept"),
        bad("many", elements, "too_many", "20001 readings in one body, at most 20000"),
        bad("infinite", r#"{"temperature":1e999}"#, "out_of_range", "too large for a number"),
        bad("huge", r#"{"temperature":1e308}"#, "out_of_range", "valid is -40 to 80"),
        bad("cold", r#"{"temperature":-41}"#, "out_of_range", "temperature is -41, valid is -40 to 80"),
        bad("hot", r#"{"temperature":81}"#, "out_of_range", "temperature is 81, valid is -40 to 80"),
    ]
}

/// What was rejected, by the device as claimed: reason and detail of the first element of each body.
async fn rejected(account: &Account) -> BTreeMap<String, Vec<(String, String)>> {
    let mut rejected: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in account.all_rows("RejectedTelemetry").await {
        let text = |name: &str| row.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned();
        rejected.entry(text("DeviceId")).or_default().push((text("Reason"), text("Detail")));
    }
    rejected
}

async fn counts(stack: &Stack) -> BTreeMap<String, i64> {
    let snapshot = stack.snapshot().await;
    let devices = snapshot["devices"].as_array().unwrap();
    let one =
        |device: &Value| (device["deviceId"].as_str().unwrap().to_owned(), device["count"].as_i64().unwrap());
    devices.iter().map(one).collect()
}

/// Everything that was sent is in one of two places, once.
async fn check_bad_bodies(account: &Account, stack: &Stack) {
    let (mut counts, mut rejected) = (counts(stack).await, rejected(account).await);
    for Bad { device, reason, detail, .. } in bad_bodies() {
        assert_eq!(counts.remove(device), Some(2), "{device}: the good ones before and after it");
        let rejected = rejected.remove(device).unwrap_or_default();
        let [(kept_reason, kept_detail)] = rejected.as_slice() else { panic!("{device}: {rejected:?}") };
        assert!(kept_reason == reason && kept_detail.contains(detail), "{device}: {rejected:?}");
    }
    let many = rejected.remove("ten-thousand").unwrap_or_default();
    assert!(many.len() == 1 && many[0].0 == "wrong_type", "{many:?}");
    let bodies = account.all_rows("RejectedTelemetry").await;
    let is_of_many = |row: &&Entity| row.get("DeviceId").and_then(Column::as_str) == Some("ten-thousand");
    let text = |name: &str| bodies.iter().find(is_of_many)?.get(name)?.as_str();
    let elements = text("Elements").unwrap();
    assert_eq!(text("Reasons"), Some("wrong_type 100"));
    assert!(elements.starts_with("7,107,207,") && elements.ends_with(",9907"), "{elements}");
    assert_eq!(rejected, BTreeMap::new(), "nothing else was rejected");
    let others = [("large-but-good", 1), ("ten-thousand", 9_900), ("what?", 1), ("witness", witnesses())];
    assert_eq!(counts, others.map(|(device, count)| (device.to_owned(), count)).into());
}

fn witnesses() -> i64 {
    i64::try_from(bad_bodies().len()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_body_is_rejected_once_and_nothing_else_is_lost() {
    let account = Account::start();
    let options = Options { trigger: vec![SOON], ..Options::default() };
    let stack = Stack::start(&account.connection_string(), options).await;
    // Good and bad ones are to come in the same batches.
    stack.host.faults().hold_all();
    for Bad { device, body, .. } in bad_bodies() {
        stack.send(device, GOOD).await;
        stack.send(device, body).await;
        stack.send(device, GOOD).await;
        stack.send("witness", GOOD).await;
    }
    let readings: Vec<_> = (0..10_000).map(|n| if n % 100 == 7 { "5" } else { r#"{"light":5}"# }).collect();
    stack.send("ten-thousand", format!("[{}]", readings.join(","))).await;
    stack.send("large-but-good", filled("note", r#""temperature":20,"#)).await;
    stack.send("what?", GOOD).await;
    let (status, words) = stack.offer("too-large", "x".repeat(LARGEST_BODY + 1)).await;
    assert_eq!(status, 413, "the hub itself refuses what is larger: {words}");
    stack.host.faults().release_all();
    stack.drained().await;
    check_bad_bodies(&account, &stack).await;

    let before = stack.host.status().invocations;
    let partitions = ["0", "1", "2", "3"];
    for partition in partitions {
        stack.host.faults().redeliver_from(partition, 0);
    }
    let again = u64::try_from(partitions.len()).unwrap();
    stack.host.reached(PATIENCE, |status| status.invocations >= before + again).await.unwrap();
    stack.drained().await;
    check_bad_bodies(&account, &stack).await;
    assert_eq!(stack.host.status().failures, 0, "bad input never fails a batch");
    stack.stop().await;
}

/// Bodies whose device id is the body's own, since no hub stamped one: the id, whether it is as it should be, the rest.
fn unstamped_bodies() -> Vec<Value> {
    let long = "x".repeat(1_000_000);
    let good = |n: usize| json!({ "deviceId": "sensor-1", "temperature": n });
    let ids = ["a/b", "a\\b", "a#b", "a?b", "a\u{0}b", "a\u{7f}b", "a\u{9f}b", "", &"x".repeat(129), &long];
    let mut bodies = vec![good(0)];
    for (n, id) in ids.into_iter().enumerate() {
        bodies.extend([json!({ "deviceId": id, "temperature": 20 }), good(n)]);
    }
    bodies.extend([json!({ "temperature": 20 }), good(1)]);
    for field in ["geo", "messageId", "temperature"] {
        bodies.extend([json!({ "deviceId": "sensor-2", field: long }), good(2)]);
    }
    bodies.extend([json!({ "deviceId": "sensor-2", "unknown": long, "temperature": 20 }), good(3)]);
    bodies
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_cannot_be_keys_and_endless_texts_are_rejected_once() {
    let account = Account::start();
    let stack = Stack::start(&account.connection_string(), Options::default()).await;
    let bodies: Vec<String> = unstamped_bodies().iter().map(Value::to_string).collect();
    let envelope = json!({
        "Data": { "events": json!(bodies).to_string() },
        "Metadata": {
            "PartitionContext": { "EventHubName": "hub/#?\\\u{1}", "PartitionId": "0" },
            "SequenceNumberArray": json!((0..bodies.len()).collect::<Vec<_>>()).to_string(),
        },
    });
    let (good, rejected) = (16, 10);
    for (counted, known) in [(good + 5, 0), (0, good + 5)] {
        let (status, reply) =
            call(&stack, Method::POST, "/EnvironmentEventTrigger", envelope.to_string()).await;
        let line = format!("{counted} counted, {known} known already, {rejected} rejected");
        assert!(status == 200 && reply["Logs"][0].as_str().unwrap().ends_with(&line), "{line}: {reply}");
        let once = ["a/b", "a\\b", "a#b", "a?b", "sensor-2"].map(|device| (device, 1));
        let devices = once.into_iter().chain([("sensor-1", good)]);
        let devices = devices.map(|(device, count)| (device.to_owned(), count)).collect();
        assert_eq!(counts(&stack).await, devices);
        let rows = account.all_rows("RejectedTelemetry").await;
        assert_eq!(rows.len(), rejected);
        let reasons = |wanted: &str| rows.iter().filter(|row| reason(row) == Some(wanted)).count();
        assert_eq!((reasons("device_id"), reasons("bad_text"), reasons("wrong_type")), (3, 6, 1));
    }
    stack.stop().await;
}

fn reason(row: &Entity) -> Option<&str> {
    row.get("Reason")?.as_str()
}

/// Calls the handler itself, past the host; the answer must be JSON.
async fn call(stack: &Stack, method: Method, path: &str, body: String) -> (u16, Value) {
    let call = as_the_host(http().request(method, stack.handler_url(path)));
    let reply = call.body(body).send().await.unwrap();
    let (status, text) = (reply.status().as_u16(), reply.text().await.unwrap());
    (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_calls_are_answered_with_what_is_expected() {
    let data = tempfile::tempdir().unwrap();
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), Options::default()).await;
    let (post, get) = (Method::POST, Method::GET);
    let envelope = "/EnvironmentEventTrigger";
    let misaligned = r#"{"Data":{"events":["{}"]},"Metadata":{"SequenceNumberArray":[1,2]}}"#;
    for (method, path, body, status, code, words) in [
        (
            &post,
            envelope,
            "",
            400,
            "bad_envelope",
            r#"not an invocation envelope ({"Data":{…},"Metadata":{…}})"#,
        ),
        (&post, envelope, "\u{0}garbage", 400, "bad_envelope", "not an invocation envelope"),
        (
            &post,
            envelope,
            r#"{"Data":{"req":{}}}"#,
            400,
            "bad_envelope",
            "under `events` (or `event`), found `req`",
        ),
        (&post, envelope, r#"{"Data":{"events":"["}}"#, 400, "bad_envelope", "`Data.events` cannot be read"),
        (&post, envelope, misaligned, 400, "bad_envelope", "2 entries for 1 events"),
        (&get, envelope, "", 405, "method_not_allowed", "this function answers POST"),
        (&Method::DELETE, "/api/negotiate", "", 405, "method_not_allowed", "this function answers GET, POST"),
        (&post, "/api/negotiate", &"x".repeat(64 * 1024 + 1), 413, "too_large", "larger than 65536 bytes"),
        (
            &post,
            "/api/getdevicestate",
            &"x".repeat(64 * 1024 + 1),
            413,
            "too_large",
            "larger than 65536 bytes",
        ),
        (&get, "/api/nothing", "", 404, "not_found", "try /api/negotiate, /api/getdevicestate"),
    ] {
        let (answered, reply) = call(&stack, method.clone(), path, body.to_owned()).await;
        assert_eq!((answered, &reply["code"]), (status, &json!(code)), "{method} {path}: {reply}");
        assert!(reply["error"].as_str().unwrap().contains(words), "{method} {path}: {reply}");
    }
    let broken = as_the_host(http().post(stack.handler_url(envelope))).body(vec![0xff, 0xfe]);
    let broken = broken.send().await.unwrap();
    assert_eq!(broken.status(), 400);
    stack.send("sensor-1", GOOD).await;
    stack.drained().await;
    assert_eq!(counts(&stack).await, [("sensor-1".to_owned(), 1)].into(), "the handler goes on");
    stack.stop().await;
}
