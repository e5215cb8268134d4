//! From the device to the screen, with everything real that can be: exact counts at the end, whatever was killed,
//! repeated or lost on the way.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fieldcast::devices::rows::Loaded;
use fieldcast::primitives::ids::DeviceId;
use fieldcast::store::shard::{Shard, Shards};
use fieldcast_functions_host::KillMoment;
use fieldcast_test_clients::{Browser, ClientEvent, ClientOptions, NodeClient};
use serde_json::{Value, json};

use crate::browser::{await_page, built_dashboard, clean_console};
use crate::stack::{Account, Options, PATIENCE, SOON, Stack, as_the_host, eventually, http};

/// A screen made of the npm client: keeps what it was told, by version.
pub(crate) struct Screen {
    client: NodeClient,
    devices: BTreeMap<String, Value>,
}

impl Screen {
    pub(crate) async fn open(stack: &Stack) -> Screen {
        let options =
            ClientOptions { reconnect_delays: Some(vec![0, 100, 500, 1_000]), ..ClientOptions::default() };
        let mut client = NodeClient::spawn_with(&stack.url("/api"), &options).unwrap();
        let first = client.next(PATIENCE).await.unwrap();
        assert!(matches!(first, ClientEvent::Connected { .. }), "{first:?}");
        Screen { client, devices: BTreeMap::new() }
    }

    fn apply(&mut self, states: &Value) {
        for state in states.as_array().expect("one argument, an array") {
            let id = state["deviceId"].as_str().unwrap().to_owned();
            let version = |state: &Value| state["version"].as_i64().unwrap();
            let known = self.devices.get(&id).map_or(-1, version);
            if version(state) > known {
                self.devices.insert(id, state.clone());
            }
        }
    }

    /// Takes messages until the screen shows exactly this snapshot.
    pub(crate) async fn converges_to(&mut self, snapshot: &Value) {
        let wanted: BTreeMap<String, Value> = by_id(snapshot);
        while self.devices != wanted {
            match self.client.next(PATIENCE).await {
                Ok(ClientEvent::Message { target, arguments }) => {
                    assert_eq!((target.as_str(), arguments.len()), ("newMessage", 1));
                    self.apply(&arguments[0]);
                }
                Ok(_) => {}
                Err(error) => panic!("{error}; screen {:?}, store {wanted:?}", self.devices),
            }
        }
    }
}

fn by_id(snapshot: &Value) -> BTreeMap<String, Value> {
    let devices = snapshot["devices"].as_array().unwrap();
    devices.iter().map(|device| (device["deviceId"].as_str().unwrap().to_owned(), device.clone())).collect()
}

fn counts(snapshot: &Value) -> BTreeMap<String, i64> {
    by_id(snapshot).into_iter().map(|(id, device)| (id, device["count"].as_i64().unwrap())).collect()
}

/// Ten devices, thirty rounds; every seventh reading of a device is out of range, and one body per round is an array.
struct Fleet;

impl Fleet {
    const DEVICES: usize = 10;
    const ROUNDS: usize = 30;

    fn name(device: usize) -> String {
        format!("sensor-{device}")
    }

    fn body(device: usize, round: usize) -> String {
        let temperature = if round % 7 == 3 {
            900.0
        } else {
            15.0 + f64::from(u32::try_from(device + round).unwrap()) / 10.0
        };
        match device {
            0 => json!([{ "temperature": temperature }, { "temperature": temperature, "humidity": 50 }]).to_string(),
            _ => json!({ "temperature": temperature, "humidity": 40 + device, "messageId": round, "geo": "Sydney" }).to_string(),
        }
    }

    async fn send_round(stack: &Stack, round: usize) {
        for device in 0..Self::DEVICES {
            stack.send(&Self::name(device), Self::body(device, round)).await;
        }
    }

    fn valid_rounds() -> usize {
        (0..Self::ROUNDS).filter(|round| round % 7 != 3).count()
    }

    fn expected_counts() -> BTreeMap<String, i64> {
        let per_event = |device| if device == 0 { 2 } else { 1 };
        let count = |device| i64::try_from(Self::valid_rounds() * per_event(device)).unwrap();
        (0..Self::DEVICES).map(|device| (Self::name(device), count(device))).collect()
    }

    /// One row for each body, also where two readings of it are rejected.
    fn expected_rejections() -> usize {
        (Self::ROUNDS - Self::valid_rounds()) * Self::DEVICES
    }
}

async fn kill_running_handler(stack: &Stack) {
    let running = || async { stack.host.handler_pid().ok_or_else(|| format!("{:?}", stack.host.status())) };
    eventually("the handler's start", running).await;
    stack.host.kill_handler();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reading_is_counted_once_and_every_screen_converges_though_the_handler_is_killed() {
    let account = Account::start();
    let pages = built_dashboard();
    let options = Options { trigger: vec![SOON], pages: Some(&pages), ..Options::default() };
    let stack = Stack::start(&account.connection_string(), options).await;
    stack.host.restart_without_limit();
    stack.host.faults().cap_batch_size(Some(20));
    let mut screen = Screen::open(&stack).await;
    let mut page = Browser::open(&stack.url("/")).unwrap();
    await_page(&mut page, r#"document.querySelector('[data-testid="link-state"]').dataset.state === "live""#)
        .await;

    for round in 0..Fleet::ROUNDS {
        match round {
            5 => stack.host.faults().kill_during_next_batch(KillMoment::ReplyLost),
            10 | 20 => kill_running_handler(&stack).await,
            13 => stack.host.faults().overlap_next_batch(),
            16 => stack.host.faults().duplicate_next_batch(),
            _ => {}
        }
        Fleet::send_round(&stack, round).await;
        // Readings arrive while the handler is dead; the next mishap waits until it is back, so that none falls away.
        let starts = [(5, 2), (10, 3), (20, 4)].into_iter().find(|(killed_in, _)| *killed_in == round);
        if let Some((_, starts)) = starts {
            stack.host.reached(PATIENCE, |status| status.handler_starts >= starts).await.unwrap();
        }
    }
    stack.drained().await;

    let snapshot = stack.snapshot().await;
    assert_eq!(counts(&snapshot), Fleet::expected_counts());
    assert_eq!(account.all_rows("RejectedTelemetry").await.len(), Fleet::expected_rejections());
    screen.converges_to(&snapshot).await;
    for device in 0..Fleet::DEVICES {
        let (name, count) = (Fleet::name(device), Fleet::expected_counts()[&Fleet::name(device)]);
        let shown = format!(
            r#"document.querySelector('tr[data-device="{name}"] td[data-field="count"]')?.textContent.trim() === "{count}""#
        );
        await_page(&mut page, &shown).await;
    }
    clean_console(&mut page).await;
    page.stop().await.unwrap();
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_is_exact_as_well() {
    let data = tempfile::tempdir().unwrap();
    let storage = format!("Embedded={}", data.path().display());
    let stack = Stack::start(&storage, Options { trigger: vec![SOON], ..Options::default() }).await;
    stack.host.restart_without_limit();
    for round in 0..Fleet::ROUNDS {
        if round % 10 == 4 {
            stack.host.faults().kill_during_next_batch(KillMoment::ReplyLost);
        }
        Fleet::send_round(&stack, round).await;
    }
    stack.drained().await;
    for partition in ["0", "1", "2", "3"] {
        stack.host.faults().redeliver_from(partition, 0);
    }
    Fleet::send_round(&stack, 0).await;
    stack.drained().await;
    let mut expected = Fleet::expected_counts();
    for (name, count) in &mut expected {
        *count += if name == "sensor-0" { 2 } else { 1 };
    }
    assert_eq!(counts(&stack.snapshot().await), expected);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_owners_of_every_partition_count_each_reading_once() {
    let account = Account::start();
    let stack =
        Stack::start(&account.connection_string(), Options { trigger: vec![SOON], ..Options::default() })
            .await;
    stack.host.faults().hold_all();
    for round in 0..Fleet::ROUNDS {
        Fleet::send_round(&stack, round).await;
    }
    stack.host.faults().cap_batch_size(Some(15));
    for _ in 0..8 {
        stack.host.faults().overlap_next_batch();
    }
    stack.host.faults().release_all();
    stack.drained().await;
    assert_eq!(counts(&stack.snapshot().await), Fleet::expected_counts());
    assert_eq!(account.all_rows("RejectedTelemetry").await.len(), Fleet::expected_rejections());
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sharded_devices_are_found_again() {
    let account = Account::start();
    let settings = vec![("PartitionShards", "4".to_owned()), ("PartitionKey", "Bondi".to_owned())];
    let stack = Stack::start(&account.connection_string(), Options { settings, ..Options::default() }).await;
    for device in 0..12 {
        stack.send(&format!("sensor-{device}"), r#"{"temperature":20}"#).await;
    }
    stack.drained().await;
    assert_eq!(stack.snapshot().await["devices"].as_array().unwrap().len(), 12);
    let rows = account.all_rows("DeviceState").await;
    let keys: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.partition.as_str()).collect();
    assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["Bondi-00", "Bondi-01", "Bondi-02", "Bondi-03"]);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rig_with_its_own_catalogue_needs_no_code() {
    let data = tempfile::tempdir().unwrap();
    let catalogue = json!({ "measurements": [
        { "name": "revolutions", "spellings": ["rpm"], "unit": "1/min", "column": "Revolutions", "min": 0, "max": 300 },
    ] });
    std::fs::write(data.path().join("telemetry.json"), catalogue.to_string()).unwrap();
    let storage = format!("Embedded={}", data.path().join("state").display());
    let stack = Stack::start(&storage, Options { catalogue: Some(data.path()), ..Options::default() }).await;
    stack.send("rig-1", r#"{"rpm":120,"temperature":999}"#).await;
    stack.send("rig-1", r#"{"rpm":301}"#).await;
    stack.drained().await;
    let snapshot = stack.snapshot().await;
    assert_eq!(
        snapshot["measurements"],
        json!([{ "name": "revolutions", "unit": "1/min", "min": 0, "max": 300 }])
    );
    let rig = &snapshot["devices"][0];
    assert_eq!((&rig["revolutions"], &rig["count"], rig.get("temperature")), (&json!(120), &json!(1), None));
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_posted_snapshot_reaches_one_connection_or_the_hub() {
    let data = tempfile::tempdir().unwrap();
    let settings = vec![("SnapshotBroadcast", "true".to_owned())];
    let options = Options { settings, ..Options::default() };
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), options).await;
    stack.send("sensor-1", r#"{"temperature":20}"#).await;
    stack.drained().await;
    let mut one = NodeClient::spawn(&stack.url("/api")).unwrap();
    let mut other = NodeClient::spawn(&stack.url("/api")).unwrap();
    let ClientEvent::Connected { connection_id } = one.next(PATIENCE).await.unwrap() else {
        panic!("not connected")
    };
    assert!(matches!(other.next(PATIENCE).await.unwrap(), ClientEvent::Connected { .. }));
    let body = json!({ "connectionId": connection_id }).to_string();
    assert_eq!(stack.post("/api/getdevicestate", &body).await, (200, json!({ "sent": 1 })));
    assert_eq!(stack.post("/api/getdevicestate", "").await, (200, json!({ "sent": 1 })));
    let snapshot = stack.snapshot().await["devices"].clone();
    let message = ClientEvent::Message { target: "newMessage".to_owned(), arguments: vec![snapshot] };
    for (client, times) in [(&mut one, 2), (&mut other, 1)] {
        for _ in 0..times {
            assert_eq!(client.next(PATIENCE).await.unwrap(), message);
        }
    }
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_calibration_takes_effect_without_a_restart() {
    let account = Account::start();
    let settings = vec![("CalibrationSeconds", "0".to_owned())];
    let stack = Stack::start(&account.connection_string(), Options { settings, ..Options::default() }).await;
    let table = account.table("Calibration").await;
    let row = |slope: f64| {
        fieldcast_tables::Entity::new("Sydney", "sensor-1")
            .with("TemperatureSlope", slope)
            .with("TemperatureYIntercept", 1.0)
    };
    let deadline = || fieldcast_tables::Deadline::after(PATIENCE);
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    shows(&stack, 10).await;
    let etag = table.insert(&row(2.0), deadline()).await.unwrap();
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    shows(&stack, 21).await;
    table.merge(&row(3.0), &etag, deadline()).await.unwrap();
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    shows(&stack, 31).await;
    let devices = account.devices(Shards::new("Sydney", 1));
    let soon = tokio::time::Instant::now() + PATIENCE;
    let ids = [DeviceId::parse("sensor-1").unwrap()];
    let row = devices.load(Shard(0), &ids, soon).await.unwrap().remove(0);
    let Loaded::Found(stored) = row else { panic!("{row:?}") };
    assert!(!stored.state.calibration.is_empty());
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_whose_ledger_is_damaged_is_not_treated_as_new() {
    let account = Account::start();
    let stack = Stack::start(&account.connection_string(), Options::default()).await;
    stack.send("sensor-1", r#"{"temperature":10}"#).await;
    stack.drained().await;
    let (table, deadline) =
        (account.table("DeviceState").await, || fieldcast_tables::Deadline::after(PATIENCE));
    let stored = table.get("Sydney", "sensor-1", deadline()).await.unwrap().expect("the row is there");
    let damage = fieldcast_tables::Entity::new("Sydney", "sensor-1").with("Ledger", vec![1_u8, 2, 3]);
    table.merge(&damage, &stored.etag, deadline()).await.unwrap();
    stack.send("sensor-1", r#"{"temperature":11}"#).await;
    stack.send("sensor-2", r#"{"temperature":12}"#).await;
    stack.drained().await;
    let rejected = account.all_rows("RejectedTelemetry").await;
    let text = |name| rejected[0].get(name).and_then(|value: &fieldcast_tables::Value| value.as_str());
    assert_eq!(
        (rejected.len(), text("Reason"), text("DeviceId")),
        (1, Some("damaged_state"), Some("sensor-1"))
    );
    assert_eq!(stack.device("sensor-2").await.unwrap()["count"], json!(1), "the others go on");
    let kept = account.rows("DeviceState", "Sydney").await;
    assert_eq!(
        kept[0].get("Count").and_then(fieldcast_tables::Value::as_i64),
        Some(1),
        "and the row stays as it was"
    );
    stack.stop().await;
}

/// The largest batch of a hundred events: bodies of 256 KB, base64 inside JSON inside JSON.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_34_megabytes_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let stack = Stack::start(&format!("Embedded={}", data.path().display()), Options::default()).await;
    let body = json!({ "temperature": 20, "note": "x".repeat(256 * 1024 - 40) }).to_string();
    let bodies = vec![STANDARD.encode(body); 100];
    let properties = |n: usize| json!({ "iothub-connection-device-id": format!("sensor-{}", n % 7) });
    let envelope = json!({
        "Data": { "events": json!(bodies).to_string() },
        "Metadata": {
            "PartitionContext": { "EventHubName": "hub", "PartitionId": "0" },
            "SequenceNumberArray": json!((0..100).collect::<Vec<_>>()).to_string(),
            "SystemPropertiesArray": json!((0..100).map(properties).collect::<Vec<_>>()).to_string(),
        },
    });
    let text = envelope.to_string();
    assert!(text.len() > 34_000_000, "{}", text.len());
    let post = as_the_host(http().post(stack.handler_url("/EnvironmentEventTrigger")));
    let reply = post.body(text).send().await.unwrap();
    let (status, text) = (reply.status().as_u16(), reply.text().await.unwrap());
    assert_eq!(status, 200, "{text}");
    assert_eq!(counts(&stack.snapshot().await).values().sum::<i64>(), 100);
    stack.stop().await;
}

async fn shows(stack: &Stack, temperature: i64) {
    eventually("the calibrated temperature", || async {
        match stack.device("sensor-1").await {
            Some(device) if device["temperature"] == json!(temperature) => Ok(()),
            other => Err(format!("{other:?}")),
        }
    })
    .await;
}
