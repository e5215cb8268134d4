//! Calls of clients in each way that host.json can have them handed over, with the real host's stand-in between.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stack::{Options, Stack, http};

const FORWARDING: &str = "AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest";
const PREFIX: &str = "AzureFunctionsJobHost__extensions__http__routePrefix";

/// The status and the body of a call through the host.
async fn call(stack: &Stack, method: Method, path: &str, body: &str) -> (u16, Value) {
    let reply = http().request(method, stack.url(path)).body(body.to_owned()).send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default())
}

async fn check(forwarding: &str, prefix: &str) {
    let data = tempfile::tempdir().unwrap();
    let broadcast = ("SnapshotBroadcast", "true".to_owned());
    let settings = vec![(FORWARDING, forwarding.to_owned()), (PREFIX, prefix.to_owned()), broadcast];
    let storage = format!("Embedded={}", data.path().display());
    let stack = Stack::start(&storage, Options { settings, ..Options::default() }).await;
    let base = if prefix.is_empty() { String::new() } else { format!("/{prefix}") };
    stack.send("sensor-1", r#"{"temperature":20,"geo":"N/S"}"#).await;
    stack.drained().await;
    let (status, snapshot) = call(&stack, Method::GET, &format!("{base}/getdevicestate?geo=N%2FS"), "").await;
    assert_eq!((status, &snapshot["devices"][0]["deviceId"]), (200, &json!("sensor-1")), "{snapshot}");
    let (status, sent) = call(&stack, Method::POST, &format!("{base}/getdevicestate"), "{}").await;
    assert_eq!((status, sent), (200, json!({ "sent": 1 })));
    let (status, _) = call(&stack, Method::POST, &format!("{base}/negotiate"), "").await;
    assert_eq!(status, 200);
    let (status, refused) =
        call(&stack, Method::PUT, &format!("{base}/subscriptions/geo%3A%20?connectionId=c"), "").await;
    assert_eq!((status, &refused["error"]), (400, &json!("the area of the group is blank")));
    let shouted = base.to_uppercase();
    for address in ["GetDeviceState", "getdevicestate/", "%67etdevicestate"] {
        let (status, answer) = call(&stack, Method::GET, &format!("{shouted}/{address}"), "").await;
        assert_eq!(status, 200, "{shouted}/{address}: {answer}");
    }
    let trigger = call(&stack, Method::POST, "/EnvironmentEventTrigger", "{}").await;
    assert_eq!(trigger, (404, Value::Null), "the host has no such address");
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_calls_are_answered_whatever_the_prefix() {
    for prefix in ["", "site/v1"] {
        check("true", prefix).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrapped_calls_are_answered_whatever_the_prefix() {
    for prefix in ["", "api", "site/v1"] {
        check("false", prefix).await;
    }
}
