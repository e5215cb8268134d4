//! What devices in the field send, from public reports of people who run such systems: each sample is handed over as the host
//! does it, and the snapshot is what a page would show.

use std::path::Path;

use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::*;

#[derive(Deserialize)]
struct Sample {
    #[serde(default = "usual_partition")]
    partition: String,
    events: Vec<Sent>,
}

fn usual_partition() -> String {
    "hub/0".to_owned()
}

/// One message, with what the hub stamps it with.
#[derive(Deserialize)]
struct Sent {
    device: String,
    module: Option<String>,
    sequence: Option<i64>,
    enqueued: Option<String>,
    #[serde(default)]
    system: serde_json::Map<String, Value>,
    #[serde(default)]
    app: serde_json::Map<String, Value>,
    body: Option<Value>,
    #[serde(rename = "bodyBase64")]
    body_base64: Option<String>,
}

impl Sent {
    fn body(&self) -> String {
        match (&self.body_base64, &self.body) {
            (Some(base64), _) => base64.clone(),
            (None, Some(body)) => STANDARD.encode(body.to_string()),
            (None, None) => String::new(),
        }
    }

    fn system_properties(&self) -> Value {
        let mut properties = self.system.clone();
        properties.insert("iothub-connection-device-id".to_owned(), self.device.clone().into());
        if let Some(module) = &self.module {
            properties.insert("iothub-connection-module-id".to_owned(), module.clone().into());
        }
        properties.into()
    }
}

impl Sample {
    fn read(name: &str) -> Sample {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples/field").join(name);
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    fn envelope(&self) -> String {
        let list = |of: &dyn Fn(usize, &Sent) -> Value| {
            let values: Vec<Value> = self.events.iter().enumerate().map(|(at, sent)| of(at, sent)).collect();
            json!(values).to_string()
        };
        let (hub, partition) = self.partition.split_once('/').unwrap();
        let usual_time = |at: usize| format!("2026-11-28T10:00:{at:02}Z");
        json!({
            "Data": { "events": list(&|_, sent| sent.body().into()) },
            "Metadata": {
                "PartitionContext": { "EventHubName": hub, "PartitionId": partition },
                "SequenceNumberArray": list(&|at, sent| json!(sent.sequence.unwrap_or(1_000 + at as i64))),
                "EnqueuedTimeUtcArray": list(&|at, sent| sent.enqueued.clone().unwrap_or(usual_time(at)).into()),
                "PropertiesArray": list(&|_, sent| sent.app.clone().into()),
                "SystemPropertiesArray": list(&|_, sent| sent.system_properties()),
            },
        })
        .to_string()
    }
}

/// As the host posts.
const HOST: [(&str, &str); 2] = [
    ("content-type", "application/json; charset=utf-8"),
    ("x-azure-functions-invocationid", "7c1e6e0a-2a4d-4f57-9c0e-2a8f5f6f0a11"),
];

impl Bench {
    async fn trigger(&self, envelope: &str) -> (StatusCode, Value) {
        self.call("POST", "/EnvironmentEventTrigger", &HOST, envelope.to_owned()).await
    }

    async fn devices(&self) -> Vec<Value> {
        let (status, snapshot) = self.call("GET", "/api/getdevicestate", &[], "").await;
        assert_eq!(status, StatusCode::OK, "{snapshot}");
        let mut devices = snapshot["devices"].as_array().unwrap().clone();
        devices.sort_by_key(|device| format!("{}{}", device["deviceId"], device["component"]));
        devices
    }
}

/// What the page shows after a sample was delivered twice, and the line that the host logged the first time.
async fn delivered(name: &str) -> (Vec<Value>, String) {
    let (bench, sample) = (Bench::new(Callers::Anonymous), Sample::read(name));
    let (status, first) = bench.trigger(&sample.envelope()).await;
    assert_eq!(status, StatusCode::OK, "{first}");
    let once = bench.devices().await;
    bench.trigger(&sample.envelope()).await;
    assert_eq!(bench.devices().await, once, "a second delivery changes nothing");
    (once, first["Logs"][0].as_str().unwrap().to_owned())
}

/// The members of each device that a test is about.
fn members<'a>(devices: &'a [Value], names: &[&str]) -> Vec<Vec<&'a Value>> {
    devices.iter().map(|device| names.iter().map(|name| &device[*name]).collect()).collect()
}

#[tokio::test]
async fn events_that_the_hub_writes_itself_are_no_readings() {
    let (devices, line) = delivered("f01-not-telemetry.json").await;
    let expected = json!([["pump-7", 1, 21.5, "2026-11-28T10:00:00.000Z"]]);
    let found = members(&devices, &["deviceId", "count", "temperature", "reportedAt"]);
    assert_eq!(json!(found), expected);
    assert!(line.ends_with("1 counted, 0 known already, 0 rejected; not telemetry: 4 events"), "{line}");
}

#[tokio::test]
async fn the_edge_simulator_is_understood() {
    let (devices, _) = delivered("f02-nested.json").await;
    let found = members(&devices, &["deviceId", "module", "temperature", "humidity", "measuredAt"]);
    let expected = json!([["edge-1", "SimulatedTemperatureSensor", 20.6, 26.0, "2026-11-28T10:00:00.000Z"]]);
    assert_eq!(json!(found), expected);
}

#[tokio::test]
async fn nuls_behind_a_body_are_padding() {
    let (devices, _) = delivered("f04-nul-padding.json").await;
    let found = members(&devices, &["deviceId", "temperature", "humidity", "pressure"]);
    assert_eq!(json!(found), json!([["az3166-1", 27.21, 43.8, 1009.4], ["az3166-2", 27.21, 43.8, 1009.4]]));
}

#[tokio::test]
async fn bodies_may_be_in_any_encoding_that_the_hub_allows() {
    let (devices, _) = delivered("f05-utf-16-utf-32.json").await;
    let found = members(&devices, &["deviceId", "temperature", "geo"]);
    let expected = json!([["u16", 22.5, "Zürich"], ["u16bom", 22.5, "Zürich"], ["u32", 22.5, "Zürich"]]);
    assert_eq!(json!(found), expected);
}

#[tokio::test]
async fn components_of_a_device_are_told_apart() {
    let (devices, line) = delivered("f09-pnp-components.json").await;
    let found = members(&devices, &["deviceId", "component", "temperature", "count"]);
    assert_eq!(json!(found), json!([["tc-1", "thermostat1", 20.1, 1], ["tc-1", "thermostat2", 35.7, 1]]));
    assert!(line.ends_with("2 counted, 0 known already, 1 rejected"), "{line}");
}

#[tokio::test]
async fn a_backlog_does_not_overwrite_newer_values() {
    let (devices, _) = delivered("f11-creation-time.json").await;
    let found = members(&devices, &["count", "temperature", "measuredAt", "reportedAt"]);
    let expected = json!([[2, 30.0, "2026-11-28T12:00:00.000Z", "2026-11-28T12:00:02.000Z"]]);
    assert_eq!(json!(found), expected);
}

#[tokio::test]
async fn a_stated_unit_is_heeded() {
    let (devices, line) = delivered("f13-units.json").await;
    let found = members(&devices, &["deviceId", "temperature"]);
    let celsius = |fahrenheit: f64| (fahrenheit - 32.0) / 1.8;
    for (found, (device, expected)) in found.iter().zip([("f2", celsius(71.3)), ("f3", celsius(81.3))]) {
        let value = found[1].as_f64().unwrap();
        assert!(found[0] == device && (value - expected).abs() < 1e-9, "{found:?}");
    }
    assert_eq!(found.len(), 2, "pascal that nobody states is out of range");
    assert!(line.ends_with("2 counted, 0 known already, 1 rejected"), "{line}");
}

#[tokio::test]
async fn ids_that_cannot_be_keys_are_devices_like_others() {
    let (devices, _) = delivered("f24-device-ids.json").await;
    let found = members(&devices, &["deviceId", "temperature"]);
    assert_eq!(json!(found), json!([["LightSensor#1", 21.0], ["who?", 21.0]]));
}

#[tokio::test]
async fn a_hub_that_was_made_again_loses_nothing() {
    let (devices, line) = delivered("f25-recreated-event-hub.json").await;
    assert_eq!(json!(members(&devices, &["deviceId", "count", "temperature"])), json!([["re-1", 6, 32.0]]));
    assert!(line.ends_with("6 counted, 0 known already, 0 rejected"), "{line}");
}

#[tokio::test]
async fn an_area_may_come_from_a_message_enrichment() {
    let (devices, _) = delivered("f27-enrichments.json").await;
    assert_eq!(
        json!(members(&devices, &["deviceId", "temperature", "geo"])),
        json!([["en-1", 21.0, "Perth"]])
    );
}

#[tokio::test]
async fn objects_may_follow_one_another() {
    let (devices, _) = delivered("f29-several-objects.json").await;
    assert_eq!(json!(members(&devices, &["deviceId", "count", "temperature"])), json!([["nd", 2, 21.5]]));
}
