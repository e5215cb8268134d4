//! The defects of the predecessors, each as a test that names it: what they did wrong must not happen here.
//! D11 is in `src/app/tests.rs`, where signed-in callers can be played; D12 is the dashboard's own.

use fieldcast_tables::{Deadline, Entity, Value as Cell};
use fieldcast_test_clients::{ClientEvent, NodeClient};
use serde_json::json;

use crate::proxy::Proxy;
use crate::stack::{Account, Options, PATIENCE, SOON, Stack, as_the_host, http};

const WARM: &str = r#"{"temperature":21.5}"#;

fn soon() -> Options<'static> {
    Options { trigger: vec![SOON], ..Options::default() }
}

fn deadline() -> Deadline {
    Deadline::after(PATIENCE)
}

async fn count(stack: &Stack, device: &str) -> i64 {
    stack.device(device).await.map_or(0, |device| device["count"].as_i64().unwrap())
}

async fn on_azurite(options: Options<'_>) -> (Account, Stack) {
    let account = Account::start();
    let stack = Stack::start(&account.connection_string(), options).await;
    (account, stack)
}

/// Storage behind a proxy that can be closed.
async fn behind_proxy(options: Options<'_>) -> (Account, Proxy, Stack) {
    let account = Account::start();
    let proxy = Proxy::start(account.port()).await;
    let stack = Stack::start(&proxy.connection_string(&account), options).await;
    (account, proxy, stack)
}

#[tokio::test(flavor = "multi_thread")]
async fn d01_a_failed_batch_comes_back_and_is_counted() {
    let (_account, proxy, stack) = behind_proxy(soon()).await;
    proxy.refuse();
    stack.send("sensor-1", WARM).await;
    stack.host.reached(PATIENCE, |status| status.retries > 0).await.unwrap();
    proxy.allow();
    stack.drained().await;
    assert_eq!(count(&stack, "sensor-1").await, 1);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d02_a_read_that_fails_is_not_an_absent_row() {
    let (_account, proxy, stack) = behind_proxy(soon()).await;
    stack.send("sensor-1", WARM).await;
    stack.drained().await;
    // A new process does not know the row and has to read it.
    stack.host.kill_handler();
    stack.host.reached(PATIENCE, |status| status.handler_starts == 2).await.unwrap();
    let before = proxy.paths().len();
    proxy.answer_path("GET /devstoreaccount1/DeviceState(", 500);
    stack.send("sensor-1", WARM).await;
    stack.host.reached(PATIENCE, |status| status.retries > 0).await.unwrap();
    let since = proxy.paths().split_off(before);
    assert!(!since.iter().any(|line| line.contains("$batch")), "nothing is written on top of it: {since:?}");
    proxy.allow();
    stack.drained().await;
    assert_eq!(count(&stack, "sensor-1").await, 2);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d03_and_d19_a_batch_delivered_twice_counts_once() {
    let (_account, stack) = on_azurite(soon()).await;
    stack.host.faults().duplicate_next_batch();
    stack.send("sensor-1", WARM).await;
    stack.drained().await;
    stack.send("sensor-1", WARM).await;
    stack.drained().await;
    assert_eq!(count(&stack, "sensor-1").await, 2);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d04_a_redelivered_older_reading_does_not_overwrite_a_newer_one() {
    let (_account, stack) = on_azurite(soon()).await;
    for temperature in [10, 20, 30] {
        stack.send("sensor-1", json!({ "temperature": temperature }).to_string()).await;
        stack.drained().await;
    }
    let before = stack.host.status().invocations;
    for partition in ["0", "1", "2", "3"] {
        stack.host.faults().redeliver_from(partition, 0);
    }
    stack.host.faults().cap_batch_size(Some(1));
    stack.host.reached(PATIENCE, |status| status.invocations >= before + 3).await.unwrap();
    stack.drained().await;
    let device = stack.device("sensor-1").await.unwrap();
    assert_eq!((&device["temperature"], &device["count"]), (&json!(30), &json!(3)));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d05_an_invalid_reading_is_kept_with_its_reason_and_the_rest_goes_on() {
    let (account, stack) = on_azurite(soon()).await;
    let body = r#"[{"temperature":20},{"temperature":81},{"temperature":"21"},{"temperature":22}]"#;
    stack.send("sensor-1", body).await;
    stack.drained().await;
    assert_eq!(count(&stack, "sensor-1").await, 2);
    let rejected = account.all_rows("RejectedTelemetry").await;
    let [row] = rejected.as_slice() else { panic!("{rejected:?}") };
    let text = |name: &str| row.get(name).and_then(|value| value.as_str()).unwrap();
    assert_eq!((text("Elements"), text("Reasons")), ("1-2", "wrong_type 1, out_of_range 1"));
    let samples: serde_json::Value = serde_json::from_str(text("Samples")).unwrap();
    let sample = |at: usize| (&samples[at]["reason"], &samples[at]["detail"], &samples[at]["text"]);
    assert_eq!(
        sample(0),
        (
            &json!("out_of_range"),
            &json!(
                "temperature is 81, valid is -40 to 80 °C; if it is in F, a unit member or a scale in the catalogue \
                 (telemetry.json) converts it"
            ),
            &json!(r#"{"temperature":81}"#)
        )
    );
    assert_eq!(
        sample(1),
        (
            &json!("wrong_type"),
            &json!("temperature must be a number, it is a string"),
            &json!(r#"{"temperature":"21"}"#)
        )
    );
    assert_eq!(row.get("Body").unwrap().as_bytes(), Some(body.as_bytes()), "the original bytes are kept");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d06_the_first_reading_of_a_new_device_is_pushed() {
    let (_account, stack) = on_azurite(soon()).await;
    let mut client = NodeClient::spawn(&stack.url("/api")).unwrap();
    assert!(matches!(client.next(PATIENCE).await.unwrap(), ClientEvent::Connected { .. }));
    stack.send("newcomer", WARM).await;
    let ClientEvent::Message { arguments, .. } = client.next(PATIENCE).await.unwrap() else {
        panic!("no message")
    };
    assert_eq!((&arguments[0][0]["deviceId"], &arguments[0][0]["count"]), (&json!("newcomer"), &json!(1)));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d07_a_push_that_fails_once_is_tried_again_and_one_that_fails_for_good_holds_nothing_up() {
    let (_account, stack) = on_azurite(soon()).await;
    let mut client = NodeClient::spawn(&stack.url("/api")).unwrap();
    assert!(matches!(client.next(PATIENCE).await.unwrap(), ClientEvent::Connected { .. }));
    stack.signalr.faults().fail_next(1, 503);
    stack.send("sensor-1", WARM).await;
    assert!(matches!(client.next(PATIENCE).await.unwrap(), ClientEvent::Message { .. }));
    stack.drained().await;
    stack.signalr.faults().fail_next(1_000, 503);
    stack.send("sensor-1", WARM).await;
    stack.drained().await;
    assert_eq!((count(&stack, "sensor-1").await, stack.host.status().failures), (2, 0));
    stack.stop().await;
}

/// The predecessor kept calibrations, and their absence, for the life of the process.
#[tokio::test(flavor = "multi_thread")]
async fn d08_a_calibration_row_that_appears_later_is_applied() {
    let settings = vec![("CalibrationSeconds", "0".to_owned())];
    let (account, stack) = on_azurite(Options { settings, ..soon() }).await;
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    stack.drained().await;
    let row =
        Entity::new("Sydney", "sensor-1").with("TemperatureSlope", 2.0).with("TemperatureYIntercept", 0.5);
    account.table("Calibration").await.insert(&row, deadline()).await.unwrap();
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    stack.drained().await;
    assert_eq!(stack.device("sensor-1").await.unwrap()["temperature"], json!(20.5));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d09_the_snapshot_is_complete_and_goes_only_to_who_asked() {
    let (account, stack) = on_azurite(soon()).await;
    // More rows than one answer of Table Storage holds.
    let table = account.table("DeviceState").await;
    for group in (0..1_100).collect::<Vec<_>>().chunks(100) {
        let rows = group.iter().map(|n| {
            let row =
                Entity::new("Sydney", format!("device-{n:04}")).with("Count", 1_i64).with("Celsius", 20.0);
            fieldcast_tables::Operation::Insert(row)
        });
        table.transact(rows.collect::<Vec<_>>(), deadline()).await.unwrap();
    }
    let mut bystander = NodeClient::spawn(&stack.url("/api")).unwrap();
    assert!(matches!(bystander.next(PATIENCE).await.unwrap(), ClientEvent::Connected { .. }));
    assert_eq!(stack.snapshot().await["devices"].as_array().unwrap().len(), 1_100);
    assert_eq!(stack.signalr.counts().sends_accepted, 0, "nobody was disturbed by it");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d10_snapshot_and_live_messages_have_one_schema() {
    let (_account, stack) = on_azurite(soon()).await;
    let mut client = NodeClient::spawn(&stack.url("/api")).unwrap();
    assert!(matches!(client.next(PATIENCE).await.unwrap(), ClientEvent::Connected { .. }));
    stack
        .send("sensor-1", r#"{"Celsius":21.5,"HPa":1013,"Humidity":0,"Light":5,"Geo":"Sydney","Id":"1"}"#)
        .await;
    let ClientEvent::Message { target, arguments } = client.next(PATIENCE).await.unwrap() else {
        panic!("no message")
    };
    stack.drained().await;
    assert_eq!((target.as_str(), &arguments[0]), ("newMessage", &stack.snapshot().await["devices"]));
    let device = &arguments[0][0];
    for (name, value) in [("temperature", 21.5), ("pressure", 1013.0), ("humidity", 0.0), ("light", 5.0)] {
        assert_eq!(device[name].as_f64(), Some(value), "{name}, which the predecessor's page reads");
    }
    assert_eq!(
        (&device["deviceId"], &device["geo"], &device["count"], &device["version"]),
        (&json!("sensor-1"), &json!("Sydney"), &json!(1), &json!(1))
    );
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d13_devices_can_be_spread_over_partitions() {
    let settings = vec![("PartitionShards", "8".to_owned())];
    let (account, stack) = on_azurite(Options { settings, ..soon() }).await;
    for device in 0..40 {
        stack.send(&format!("sensor-{device}"), WARM).await;
    }
    stack.drained().await;
    let rows = account.all_rows("DeviceState").await;
    let partitions: std::collections::BTreeSet<_> = rows.iter().map(|row| row.partition.clone()).collect();
    assert_eq!((rows.len(), partitions.len()), (40, 8));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d14_a_slope_of_exactly_two_is_a_number() {
    let (account, stack) = on_azurite(soon()).await;
    let row = Entity::new("Sydney", "sensor-1")
        .with("TemperatureSlope", Cell::Int32(2))
        .with("TemperatureYIntercept", Cell::Int64(-1));
    account.table("Calibration").await.insert(&row, deadline()).await.unwrap();
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    stack.drained().await;
    assert_eq!(stack.device("sensor-1").await.unwrap()["temperature"], json!(19));
    stack.stop().await;
}

/// A first read that fails must fail the batch; taking it for "no calibration" would store uncalibrated values.
#[tokio::test(flavor = "multi_thread")]
async fn d15_a_failed_calibration_read_is_not_an_absent_calibration() {
    let (account, proxy, stack) = behind_proxy(soon()).await;
    let row =
        Entity::new("Sydney", "sensor-1").with("TemperatureSlope", 2.0).with("TemperatureYIntercept", 0.0);
    account.table("Calibration").await.insert(&row, deadline()).await.unwrap();
    proxy.answer_path("/Calibration", 500);
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    stack.host.reached(PATIENCE, |status| status.retries > 0).await.unwrap();
    assert_eq!(count(&stack, "sensor-1").await, 0);
    proxy.allow();
    stack.drained().await;
    assert_eq!(stack.device("sensor-1").await.unwrap()["temperature"], json!(20));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d16_objects_texts_and_outages_are_neither_lost_nor_reported_as_success() {
    let (account, proxy, stack) = behind_proxy(soon()).await;
    stack.send("sensor-1", WARM).await;
    stack.send("sensor-1", "just a text").await;
    proxy.refuse();
    stack.send("sensor-1", WARM).await;
    stack.host.reached(PATIENCE, |status| status.failures > 0).await.unwrap();
    proxy.allow();
    stack.drained().await;
    assert_eq!(count(&stack, "sensor-1").await, 2);
    assert_eq!(account.all_rows("RejectedTelemetry").await.len(), 1);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d17_an_event_without_a_device_is_rejected_before_any_state_is_read() {
    let (account, proxy, stack) = behind_proxy(soon()).await;
    stack.host.faults().omit_system_properties(["iothub-connection-device-id"]);
    stack.send("sensor-1", WARM).await;
    stack.drained().await;
    let rejected = account.all_rows("RejectedTelemetry").await;
    assert_eq!(rejected[0].get("Reason").and_then(|reason| reason.as_str()), Some("device_id"));
    let paths = proxy.paths();
    // `DeviceState` itself is created at the start; no row of it is read or written.
    assert!(
        !paths.iter().any(|path| path.contains("/DeviceState(")
            || path.contains("$batch?")
            || path.contains("/DeviceState?")),
        "{paths:?}"
    );
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d18_a_batch_is_one_push_however_many_devices_and_a_slow_service_holds_nothing_up() {
    let (_account, stack) = on_azurite(soon()).await;
    stack.host.faults().hold_all();
    for device in 0..50 {
        stack.send(&format!("sensor-{device}"), WARM).await;
    }
    stack.host.faults().release_all();
    stack.drained().await;
    let batches = stack.host.status().invocations;
    assert_eq!((stack.signalr.counts().sends_accepted, batches < 50), (batches, true), "one push per batch");
    stack.signalr.faults().delay_replies(PATIENCE * 2);
    stack.send("sensor-0", WARM).await;
    stack.drained().await;
    assert_eq!(count(&stack, "sensor-0").await, 2);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d20_four_writers_of_one_device_lose_nothing() {
    let (_account, stack) = on_azurite(soon()).await;
    // Four partitions that all speak of one device, which only a hub without stamped identities can have.
    let writers = (0..4).map(|partition| {
        let url = stack.handler_url("/EnvironmentEventTrigger");
        tokio::spawn(async move {
            for sequence in 0..25 {
                let envelope = json!({
                    "Data": { "events": json!([{ "deviceId": "shared", "temperature": 20 }]).to_string() },
                    "Metadata": {
                        "PartitionContext": { "EventHubName": "hub", "PartitionId": partition.to_string() },
                        "SequenceNumberArray": json!([sequence]).to_string(),
                    },
                });
                let reply = as_the_host(http().post(&url)).body(envelope.to_string()).send().await.unwrap();
                assert_eq!(reply.status(), 200, "{}", reply.text().await.unwrap());
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    assert_eq!(count(&stack, "shared").await, 100);
    stack.stop().await;
}
