//! The routes, called as the host calls them.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fieldcast_signalr::{Endpoint, HubName};
use fieldcast_tables::{MemoryStore, TableStore};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::*;
use crate::devices::rows::DeviceRows;
use crate::host::door::LARGEST_CALL;
use crate::host::host_json::Calls;
use crate::ingestion::{Invocation, RowCache, Sources};
use crate::primitives::instant::Millis;
use crate::rejected::retention::Retention;
use crate::rejected::rows::RejectedRows;
use crate::screens::publish::RecordedPublisher;
use crate::store::Store;
use crate::store::shard::Shards;
use crate::telemetry::calibration::{CalibrationCache, CalibrationSource};
use crate::telemetry::catalogue::Catalogue;

mod addresses;
mod field;
mod strangers;
mod table;

const SIGNALR: &str =
    "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";

struct Bench {
    publisher: Arc<RecordedPublisher>,
    app: Arc<App>,
}

impl Bench {
    /// Calls are forwarded under `/api/`.
    fn new(callers: Callers) -> Bench {
        let host = HostJson { calls: Calls::Forwarded, prefix: "api".to_owned() };
        Bench::with(host, callers)
    }

    fn with(host: HostJson, callers: Callers) -> Bench {
        Bench::assemble(host, callers, Arc::new(MemoryStore::new()))
    }

    /// Over another store than one that works.
    fn over(rows: Arc<dyn TableStore>) -> Bench {
        let host = HostJson { calls: Calls::Forwarded, prefix: "api".to_owned() };
        Bench::assemble(host, Callers::Anonymous, rows)
    }

    fn assemble(host: HostJson, callers: Callers, rows: Arc<dyn TableStore>) -> Bench {
        let http = crate::https::client(crate::https::Peers::Local).unwrap();
        let publisher = Arc::new(RecordedPublisher::new());
        let catalogue = Arc::new(Catalogue::environment());
        let store = Arc::new(Store::new(rows, Shards::new("Sydney", 3)));
        let source = CalibrationSource::table(Arc::clone(&store), Arc::clone(&catalogue));
        let ingest = Ingest {
            devices: Arc::new(DeviceRows::new(Arc::clone(&store), catalogue)),
            rejected: Arc::new(RejectedRows::new(store)),
            calibrations: CalibrationCache::new(source, Duration::ZERO),
            sources: Sources::Apart,
            publisher: Arc::clone(&publisher) as Arc<dyn crate::screens::publish::Publisher>,
            cache: RowCache::default(),
        };
        let new_invocation = Arc::new(|| Invocation { now: Millis(1_000), seed: 7 });
        let hub = HubClient::new(http, Endpoint::parse(SIGNALR).unwrap(), HubName::new("enviromon").unwrap());
        let occupancy = Arc::new(GroupOccupancy::new(hub.clone()));
        let (retention, broadcast) = (Retention::of_days(90), Broadcast::Allowed);
        let app = App::new(Resources {
            ingest,
            new_invocation,
            retention,
            hub,
            occupancy,
            host,
            callers,
            broadcast,
        });
        Bench { publisher, app: Arc::new(app) }
    }

    fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> BoxFuture<'static, (StatusCode, Value)> {
        use tower::ServiceExt;
        let mut request = axum::http::Request::builder().method(method).uri(path);
        request =
            request.header("content-type", "application/json").header("x-azure-functions-invocationid", "1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).unwrap();
        let router = router(Arc::clone(&self.app));
        Box::pin(async move {
            let response = router.oneshot(request).await.unwrap();
            let status = response.status();
            let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            assert!(!body.is_empty(), "replies are never empty");
            (status, serde_json::from_slice(&body).unwrap_or_else(|_| json!(String::from_utf8_lossy(&body))))
        })
    }

    async fn send(&self, sequence: i64, device: &str, body: &str) {
        let envelope = json!({
            "Data": { "events": json!([body]).to_string() },
            "Metadata": {
                "SequenceNumberArray": json!([sequence]).to_string(),
                "SystemPropertiesArray": json!([{ "iothub-connection-device-id": device }]).to_string(),
            },
        });
        let (status, _) = self.call("POST", "/EnvironmentEventTrigger", &[], envelope.to_string()).await;
        assert_eq!(status, StatusCode::OK);
    }
}

fn claims(access: &Value) -> Value {
    let token = access["accessToken"].as_str().unwrap();
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

#[tokio::test]
async fn readiness_is_answered_at_once() {
    assert_eq!(Bench::new(Callers::Anonymous).call("GET", "/", &[], "").await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_batch_is_answered_in_the_form_that_the_host_waits_for() {
    let bench = Bench::new(Callers::Anonymous);
    let envelope = r#"{"Data":{"events":"[\"eyJ0ZW1wZXJhdHVyZSI6MX0=\"]"},"Metadata":{"SystemPropertiesArray":"[{\"iothub-connection-device-id\":\"a\"}]"}}"#;
    let (status, reply) = bench.call("POST", "/EnvironmentEventTrigger", &[], envelope).await;
    assert_eq!(status, StatusCode::OK);
    let line = "partition ?: 1 events of 1 devices, readings: 1 counted, 0 known already, 0 rejected";
    assert_eq!(reply, json!({ "Outputs": {}, "Logs": [line], "ReturnValue": null }));
}

#[tokio::test]
async fn a_snapshot_comes_in_parts_and_its_cursor_finds_what_changed_since() {
    let bench = Bench::new(Callers::Anonymous);
    let fleet = ["a", "b", "c", "d", "e", "f", "g"];
    for (sequence, device) in (1..).zip(fleet) {
        bench.send(sequence, device, r#"{"temperature":21.5,"geo":"Sydney"}"#).await;
    }
    let mut seen = Vec::new();
    let mut query = "limit=1".to_owned();
    let cursor = loop {
        let (status, part) = bench.call("GET", &format!("/api/getdevicestate?{query}"), &[], "").await;
        assert_eq!(status, StatusCode::OK, "{part}");
        seen.extend(ids(&part));
        if seen.len() < fleet.len() {
            // Written while the snapshot is being read, in a shard that may have been read already.
            bench.send(100, "a", r#"{"temperature":22.5,"geo":"Perth"}"#).await;
        }
        match part["continuation"].as_str() {
            Some(next) => query = format!("limit=1&continuation={next}"),
            None => break part["cursor"].as_str().unwrap().to_owned(),
        }
    };
    seen.sort();
    assert_eq!(seen, fleet);
    let since = format!("/api/getdevicestate?since={cursor}");
    let (_, changed) = bench.call("GET", &since, &[], "").await;
    assert_eq!(ids(&changed), ["a"]);
    let later = format!("/api/getdevicestate?since={}", changed["cursor"].as_str().unwrap());
    assert!(ids(&bench.call("GET", &later, &[], "").await.1).is_empty());
    let (_, perth) = bench.call("GET", "/api/getdevicestate?geo=Perth", &[], "").await;
    assert_eq!(ids(&perth), ["a"]);
    let (_, sydney) = bench.call("GET", &format!("{since}&geo=Sydney"), &[], "").await;
    assert!(ids(&sydney).is_empty());
    assert_eq!(sydney["elsewhere"], json!([{ "deviceId": "a", "geo": "Perth", "version": 2 }]));
    let (_, one) = bench.call("GET", &format!("{since}&deviceId=b"), &[], "").await;
    assert_eq!((ids(&one).len(), one.get("elsewhere")), (0, None), "an id does not go elsewhere");
}

#[tokio::test]
async fn a_device_that_moves_is_announced_to_the_area_that_it_leaves() {
    let bench = Bench::new(Callers::Anonymous);
    for (sequence, geo) in (1..).zip(["Sydney", "Sydney", "Perth", "Perth"]) {
        bench.send(sequence, "a", &format!(r#"{{"temperature":20,"geo":"{geo}"}}"#)).await;
    }
    let left: Vec<_> = bench.publisher.announced().into_iter().map(|one| one.left).collect();
    assert_eq!(left, [vec![], vec![], vec!["Sydney".to_owned()], vec![]]);
}

#[tokio::test]
async fn rejected_readings_are_listed_with_their_reasons() {
    let bench = Bench::new(Callers::Anonymous);
    bench.send(1, "a", r#"{"temperature":20}"#).await;
    bench.send(2, "a", r#"{"temperature":200}"#).await;
    bench.send(3, "b", r#"{"temperature":"warm"}"#).await;
    let (status, all) = bench.call("GET", "/api/rejectedtelemetry", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    let reasons: Vec<_> =
        all["rejected"].as_array().unwrap().iter().map(|one| one["reason"].clone()).collect();
    assert_eq!(reasons, [json!("wrong_type"), json!("out_of_range")]);
    let (_, of_a) = bench.call("GET", "/api/rejectedtelemetry?deviceId=a", &[], "").await;
    assert_eq!(of_a["rejected"][0]["body"], json!(r#"{"temperature":200}"#));
    assert_eq!((of_a["rejected"].as_array().unwrap().len(), of_a.get("continuation")), (1, None));
    for (method, path, status, code) in [
        ("POST", "/api/rejectedtelemetry", StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
        ("GET", "/api/rejectedtelemetry?limit=0", StatusCode::BAD_REQUEST, "bad_limit"),
    ] {
        let reply = bench.call(method, path, &[], "").await;
        assert_eq!((reply.0, &reply.1["code"]), (status, &json!(code)), "{path}");
    }
}

/// Nothing listens where this app's SignalR service should be: what is refused is refused before it is asked.
#[tokio::test]
async fn subscriptions_that_cannot_be_made_get_a_json_error() {
    let bench = Bench::new(Callers::Anonymous);
    let (long, large) = ("c".repeat(300), format!(r#"{{"connectionId":"{}"}}"#, "c".repeat(70_000)));
    for (method, path, body, status, code) in [
        (
            "GET",
            "/api/subscriptions/all?connectionId=c",
            "",
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
        ),
        ("PUT", "/api/subscriptions", "", StatusCode::BAD_REQUEST, "bad_group"),
        ("PUT", "/api/subscriptions/", "", StatusCode::BAD_REQUEST, "bad_group"),
        ("PUT", "/api/subscriptions?connectionId=c", "", StatusCode::BAD_REQUEST, "bad_group"),
        ("PUT", "/api/subscriptions?group=all&connectionId=", "", StatusCode::BAD_REQUEST, "bad_connection"),
        ("DELETE", "/api/subscriptions", r#"{"group":"geo:"}"#, StatusCode::BAD_REQUEST, "bad_group"),
        ("PUT", "/api/subscriptions/geo:%20?connectionId=c", "", StatusCode::BAD_REQUEST, "bad_group"),
        ("PUT", "/api/subscriptions/..%2Fall?connectionId=c", "", StatusCode::BAD_REQUEST, "bad_group"),
        ("DELETE", "/api/subscriptions/../all?connectionId=c", "", StatusCode::BAD_REQUEST, "bad_group"),
        ("PUT", "/api/subscriptions/all", "", StatusCode::BAD_REQUEST, "bad_connection"),
        ("PUT", "/api/subscriptions/all?connectionId=", "", StatusCode::BAD_REQUEST, "bad_connection"),
        ("PUT", "/api/subscriptions/all?connectionId=..", "", StatusCode::BAD_REQUEST, "bad_connection"),
        (
            "PUT",
            &format!("/api/subscriptions/all?connectionId={long}"),
            "",
            StatusCode::BAD_REQUEST,
            "bad_connection",
        ),
        ("PUT", "/api/subscriptions/all", "[1]", StatusCode::BAD_REQUEST, "bad_connection"),
        ("PUT", "/api/subscriptions/all", &large, StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
    ] {
        let (found, reply) = bench.call(method, path, &[], body.to_owned()).await;
        assert_eq!((found, &reply["code"]), (status, &json!(code)), "{method} {path}");
        assert!(reply["error"].as_str().is_some_and(|sentence| sentence.len() > 10), "{reply}");
    }
}

fn ids(part: &Value) -> Vec<String> {
    let devices = part["devices"].as_array().unwrap().iter();
    devices.map(|device| device["deviceId"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_snapshot_is_compressed_for_callers_who_say_that_they_can_read_it() {
    use tower::ServiceExt;
    let bench = Bench::new(Callers::Anonymous);
    for (sequence, device) in (1..).zip(["a", "b", "c", "d", "e"]) {
        bench.send(sequence, device, r#"{"temperature":21.5,"geo":"Sydney"}"#).await;
    }
    let get = async |encoding: &str| {
        let request = axum::http::Request::get("/api/getdevicestate").header("accept-encoding", encoding);
        let response =
            router(Arc::clone(&bench.app)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let said = response.headers().get("content-encoding").cloned();
        (said, to_bytes(response.into_body(), usize::MAX).await.unwrap())
    };
    let (said, plain) = get("identity").await;
    assert_eq!(said, None);
    let (said, compressed) = get("br, gzip").await;
    assert_eq!(said.unwrap(), "gzip");
    assert!(compressed.starts_with(&[0x1f, 0x8b]) && compressed.len() * 2 < plain.len());
}

/// Tokens are small, and an envelope is for the host alone.
#[tokio::test]
async fn nothing_else_is_compressed() {
    use tower::ServiceExt;
    let wrapped = HostJson { calls: Calls::Wrapped, prefix: "api".to_owned() };
    let snapshot = json!({ "Data": { "req": { "Url": "https://app/api/getdevicestate", "Method": "GET" } } });
    for (bench, path, body) in [
        (Bench::new(Callers::Anonymous), "/api/negotiate", String::new()),
        (Bench::with(wrapped, Callers::Anonymous), "/getdevicestate", snapshot.to_string()),
    ] {
        let request = axum::http::Request::post(path).header("accept-encoding", "gzip");
        let response =
            router(Arc::clone(&bench.app)).oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
        assert_eq!((response.status(), response.headers().get("content-encoding")), (StatusCode::OK, None));
    }
}

#[tokio::test]
async fn head_is_answered_by_the_functions_that_only_read() {
    use tower::ServiceExt;
    let bench = Bench::new(Callers::Anonymous);
    for (path, status) in [
        ("/api/getdevicestate", StatusCode::OK),
        ("/api/rejectedtelemetry", StatusCode::OK),
        ("/api/negotiate", StatusCode::METHOD_NOT_ALLOWED),
        ("/api/subscriptions/all", StatusCode::METHOD_NOT_ALLOWED),
    ] {
        let request = axum::http::Request::head(path).body(Body::empty()).unwrap();
        let response = router(Arc::clone(&bench.app)).oneshot(request).await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
}

#[tokio::test]
async fn a_snapshot_that_the_caller_has_is_not_sent_again() {
    use tower::ServiceExt;
    let bench = Bench::new(Callers::Anonymous);
    bench.send(1, "a", r#"{"temperature":21.5}"#).await;
    let get = async |known: &str| {
        let request = axum::http::Request::get("/api/getdevicestate").header("if-none-match", known);
        let response =
            router(Arc::clone(&bench.app)).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let etag = response.headers()["etag"].to_str().unwrap().to_owned();
        let status = response.status();
        (status, etag, to_bytes(response.into_body(), usize::MAX).await.unwrap().len())
    };
    let (status, etag, length) = get("\"other\"").await;
    assert!(status == StatusCode::OK && length > 0);
    assert_eq!(get(&format!("\"other\", {etag}")).await, (StatusCode::NOT_MODIFIED, etag.clone(), 0));
    assert_eq!(get(etag.trim_start_matches("W/")).await.0, StatusCode::NOT_MODIFIED);
    bench.send(2, "a", r#"{"temperature":22.5}"#).await;
    assert_eq!(get(&etag).await.0, StatusCode::OK);
}

#[tokio::test]
async fn malformed_calls_get_a_json_error() {
    let bench = Bench::new(Callers::Anonymous);
    for (method, path, body, status, code) in [
        ("POST", "/EnvironmentEventTrigger", "", 400, "bad_envelope"),
        ("POST", "/EnvironmentEventTrigger", "\u{0}[[[", 400, "bad_envelope"),
        ("GET", "/EnvironmentEventTrigger", "", 405, "method_not_allowed"),
        ("GET", "/api/getdevicestate?since=forged", "", 400, "bad_cursor"),
        ("GET", "/api/getdevicestate?continuation=forged", "", 400, "bad_continuation"),
        ("GET", "/api/getdevicestate?deviceId=a%00b", "", 400, "bad_filter"),
        ("DELETE", "/api/negotiate", "", 405, "method_not_allowed"),
        ("PUT", "/api/getdevicestate", "", 405, "method_not_allowed"),
        ("POST", "/api/getdevicestate", "nonsense", 400, "bad_body"),
        ("POST", "/api/getdevicestate", r#"{"connectionId":""}"#, 400, "bad_connection_id"),
        ("GET", "/api/other", "", 404, "not_found"),
    ] {
        let (found, reply) = bench.call(method, path, &[], body).await;
        assert_eq!((found.as_u16(), reply["code"].as_str()), (status, Some(code)), "{method} {path} {body}");
        assert!(reply["error"].as_str().is_some_and(|sentence| sentence.len() > 10));
    }
    let large = "x".repeat(LARGEST_CALL + 1);
    assert_eq!(bench.call("POST", "/api/getdevicestate", &[], large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn the_snapshot_is_in_the_reply_of_get() {
    let bench = Bench::new(Callers::Anonymous);
    for n in 0..20 {
        bench.send(n, &format!("device-{n:02}"), r#"{"temperature":20}"#).await;
    }
    let (status, reply) = bench.call("GET", "/api/getdevicestate", &[], "").await;
    assert_eq!(status, StatusCode::OK);
    let mut ids = ids(&reply);
    ids.sort();
    assert_eq!(ids, (0..20).map(|n| format!("device-{n:02}")).collect::<Vec<_>>());
    assert_eq!(
        reply["measurements"][0],
        json!({ "name": "temperature", "unit": "°C", "min": -40.0, "max": 80.0 })
    );
}

#[tokio::test]
async fn a_posted_snapshot_goes_to_whom_it_names() {
    let bench = Bench::new(Callers::Anonymous);
    bench.send(1, "a", r#"{"temperature":20}"#).await;
    let (status, reply) = bench.call("POST", "/api/getdevicestate", &[], r#"{"connectionId":"c1"}"#).await;
    assert_eq!((status, reply), (StatusCode::OK, json!({ "sent": 1 })));
    bench.call("POST", "/api/getdevicestate", &[], "").await;
    bench.call("POST", "/api/getdevicestate", &[], r#"{"userId":"alice"}"#).await;
    for body in [
        r#"{"connectionId":".."}"#,
        r#"{"connectionId":" "}"#,
        &format!(r#"{{"userId":"{}"}}"#, "u".repeat(300)),
    ] {
        let (status, reply) = bench.call("POST", "/api/getdevicestate", &[], body.to_owned()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{reply}");
    }
    let announced = bench.publisher.announced();
    let audiences: Vec<_> = announced.iter().map(|one| one.connection.as_deref()).collect();
    assert_eq!(audiences, [None, Some("c1"), None, None]);
    let users: Vec<_> = announced.iter().map(|one| one.user.as_deref()).collect();
    assert_eq!(users, [None, None, None, Some("alice")]);
    assert_eq!(announced[0].states, announced[1].states, "live message and snapshot have one schema");
}

#[tokio::test]
async fn wrapped_calls_are_answered_in_an_envelope() {
    let host = HostJson { calls: Calls::Wrapped, prefix: "api".to_owned() };
    let bench = Bench::with(host, Callers::Anonymous);
    let wrapped = json!({ "Data": { "req": { "Url": "https://app/api/negotiate", "Method": "GET", "Query": {}, "Headers": {} } }, "Metadata": {} });
    let (status, reply) = bench.call("POST", "/negotiate", &[], wrapped.to_string()).await;
    assert_eq!((status, &reply["Outputs"]["res"]["statusCode"]), (StatusCode::OK, &json!(200)));
    let access: Value = serde_json::from_str(reply["Outputs"]["res"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(access["url"], json!("http://localhost:8888/client/?hub=enviromon"));
    for (function, method, address, status, code) in [
        ("subscriptions", "PUT", "subscriptions/geo%3AN%2FS?connectionId=", 400, "bad_connection"),
        ("subscriptions", "PUT", "subscriptions/..%2Fall?connectionId=c", 400, "bad_group"),
        ("rejectedtelemetry", "GET", "rejectedtelemetry?limit=0", 400, "bad_limit"),
    ] {
        let url = format!("https://app/api/{address}");
        let req =
            json!({ "Url": url, "Method": method, "Query": {}, "Headers": {}, "Params": { "group": "all" } });
        let wrapped = json!({ "Data": { "req": req }, "Metadata": {} }).to_string();
        let (_, reply) = bench.call("POST", &format!("/{function}"), &[], wrapped).await;
        let res = &reply["Outputs"]["res"];
        let body: Value = serde_json::from_str(res["body"].as_str().unwrap()).unwrap();
        assert_eq!((&res["statusCode"], &body["code"]), (&json!(status), &json!(code)), "{address}");
    }
}

/// A6: with an empty prefix, forwarded calls come to the addresses that wrapped calls have elsewhere.
#[tokio::test]
async fn a_body_that_looks_like_an_envelope_names_nobody() {
    let forged = json!({ "Data": { "req": {
        "Url": "https://app/negotiate", "Method": "POST", "Headers": { "x-ms-client-principal-id": ["mallory"] },
    } } });
    let host = HostJson { calls: Calls::Forwarded, prefix: String::new() };
    let bench = Bench::with(host, Callers::Authenticated);
    let (status, access) = bench.call("POST", "/negotiate", &[], forged.to_string()).await;
    assert_eq!((status, claims(&access).get("asrs.s.uid")), (StatusCode::OK, None));
    let principal = [("x-ms-client-principal-id", "alice")];
    let (_, access) = bench.call("POST", "/negotiate", &principal, forged.to_string()).await;
    assert_eq!(claims(&access)["asrs.s.uid"], json!("alice"));
}

/// D11: the predecessor signed everybody in as nobody.
#[tokio::test]
async fn d11_an_authenticated_caller_is_named_in_its_token_and_a_forged_one_is_not() {
    let principal = [("x-ms-client-principal-id", "alice")];
    let authenticated =
        Bench::new(Callers::Authenticated).call("POST", "/api/negotiate", &principal, "").await.1;
    assert_eq!(claims(&authenticated)["asrs.s.uid"], json!("alice"));
    let forged = Bench::new(Callers::Anonymous).call("POST", "/api/negotiate", &principal, "").await.1;
    assert_eq!(claims(&forged).get("asrs.s.uid"), None);
}

#[tokio::test]
async fn a_tick_is_answered_as_the_host_waits_for_it_and_only_when_posted() {
    let bench = Bench::new(Callers::Anonymous);
    let headers = [
        ("content-type", "application/json"),
        ("x-azure-functions-invocationid", "7c1e6e0a-2a4d-4f57-9c0e-2a8f5f6f0a11"),
    ];
    let tick = include_str!("../../tests/samples/timer.json");
    let (status, reply) = bench.call("POST", "/RejectedRetention", &headers, tick).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!((&reply["Outputs"], &reply["ReturnValue"]), (&json!({}), &Value::Null));
    let line = reply["Logs"][0].as_str().unwrap();
    assert!(line.starts_with("0 rows of readings rejected before "), "{line}");
    for method in ["GET", "PUT", "DELETE"] {
        let (status, _) = bench.call(method, "/RejectedRetention", &headers, "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    // Clients do not reach it.
    let (status, _) = bench.call("POST", "/api/RejectedRetention", &headers, tick).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
