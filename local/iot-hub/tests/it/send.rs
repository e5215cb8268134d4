//! Single messages: how they are stored, and the limits of what a hub accepts.

use std::collections::BTreeSet;
use std::sync::Arc;

use fieldcast_iot_hub::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{
    DEADLINE, TestHub, body, device_key, encode, in_an_hour, numbers, refusal, texts, token,
};

const LIMIT: usize = 262_144;

#[tokio::test]
async fn an_event_is_stamped_as_iot_hub_stamps_it() {
    let test = TestHub::new().await;
    let request = test
        .device_post("dev-1")
        .header("IoTHub-MessageId", "m-1")
        .header("IoTHub-CorrelationId", "c-1")
        .header("IoTHub-UserId", "u-1")
        .header("iothub-contenttype", "application/json")
        .header("iothub-contentencoding", "utf-8")
        .header("dt-subject", "thermostat")
        .header("iothub-creation-time-utc", "2026-11-28T06:00:00Z")
        .header("iothub-to", "/devices/dev-1/messages/events")
        .header("iothub-app-Sensor", "a,b")
        .header("iothub-app-", "no name")
        .header("iothub-other", "ignored")
        .header("Content-Type", "text/plain")
        .body(r#"{"temperature":21.5}"#);
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
    let event = test.all().await.remove(0);
    assert_eq!(event["sequenceNumber"], 0);
    assert_eq!(event["offset"], "0");
    assert_eq!(body(&event), br#"{"temperature":21.5}"#);
    assert_eq!(event["properties"], json!({"sensor": "a,b"}));
    let mut system = event["systemProperties"].clone();
    let time = system["iothub-enqueuedtime"].take();
    assert!(is_time(&time) && is_time(&event["enqueuedTime"]), "{event}");
    let generation = system["iothub-connection-auth-generation-id"].take();
    assert_eq!(generation.as_str().map(str::len), Some(18));
    let expected = json!({
        "iothub-connection-auth-generation-id": null,
        "iothub-connection-auth-method":
            r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
        "iothub-connection-device-id": "dev-1",
        "iothub-enqueuedtime": null,
        "iothub-message-source": "Telemetry",
        "message-id": "m-1",
        "correlation-id": "c-1",
        "user-id": "u-1",
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "dt-subject": "thermostat",
        "iothub-creation-time-utc": "2026-11-28T06:00:00Z",
        "to": "/devices/dev-1/messages/events",
    });
    assert_eq!(system, expected);
}

/// `2026-11-21T00:57:11.123Z`
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    text.len() == 24 && text.as_bytes()[19] == b'.' && text.parse::<jiff::Timestamp>().is_ok()
}

#[tokio::test]
async fn a_bare_message_has_only_what_the_hub_adds() {
    let test = TestHub::new().await;
    test.send("dev", "").await;
    let event = test.all().await.remove(0);
    assert_eq!((body(&event).len(), &event["properties"]), (0, &json!({})));
    let names: Vec<&String> = event["systemProperties"].as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 5, "{names:?}");
}

#[tokio::test]
async fn bytes_arrive_untouched() {
    let test = TestHub::new().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    test.send("dev", bytes.clone()).await;
    assert_eq!(body(&test.all().await[0]), bytes);
}

#[tokio::test]
async fn odd_device_ids_are_kept_exactly() {
    let test = TestHub::new().await;
    let ids = ["a.b:c_d@e=f", "%2f", "it's,(ok)!*?$", "-", "Case", "case"];
    for id in ids {
        test.send(id, id).await;
    }
    let stored = test.all().await;
    assert_eq!(stored.len(), ids.len());
    for event in stored {
        let id = String::from_utf8(body(&event)).expect("text");
        assert_eq!(event["systemProperties"]["iothub-connection-device-id"], id);
    }
}

#[tokio::test]
async fn impossible_device_ids_are_400() {
    let test = TestHub::new().await;
    for id in ["a/b", "a b", "a+b", "a#b", "é", &"x".repeat(129)] {
        let (status, code, text) = refusal(test.device_post(id).send().await.expect("an answer")).await;
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "ArgumentInvalid"), "{id}: {text}");
    }
    let url = test.url("/devices/%FF/messages/events?api-version=2020-03-13");
    let answer = test.http.post(url).header("Authorization", test.policy_token()).send().await;
    assert_eq!(refusal(answer.expect("an answer")).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_api_version_is_needed_and_must_be_known() {
    let test = TestHub::new().await;
    let status = async |query: &str| {
        let url = test.url(&format!("/devices/dev/messages/events{query}"));
        let request = test.http.post(url).header("Authorization", test.device_token("dev"));
        request.send().await.expect("an answer")
    };
    for version in ["2016-02-03", "2016-11-14", "2018-06-30", "2020-03-13", "2020-09-30", "2021-04-12"] {
        assert_eq!(
            status(&format!("?api-version={version}")).await.status(),
            StatusCode::NO_CONTENT,
            "{version}"
        );
    }
    for query in ["", "?api-version=", "?api-version=1999-01-01", "?version=2021-04-12"] {
        let (status, code, _) = refusal(status(query).await).await;
        assert_eq!((status, code.as_str()), (StatusCode::BAD_REQUEST, "InvalidProtocolVersion"), "{query}");
    }
}

#[tokio::test]
async fn unknown_routes_are_404_and_wrong_methods_405() {
    let test = TestHub::new().await;
    for path in ["/", "/devices", "/devices/dev", "/devices/dev/messages/other", "/$events/fieldcast"] {
        let (status, code, text) =
            refusal(test.http.get(test.url(path)).send().await.expect("an answer")).await;
        assert_eq!((status, code.as_str()), (StatusCode::NOT_FOUND, "ResourceNotFound"), "{path}");
        assert!(text.contains("/devices/{id}/messages/events"), "{text}");
    }
    let url = test.url("/devices/dev/messages/events?api-version=2021-04-12");
    let answer = test.http.get(url).send().await.expect("an answer");
    assert_eq!(answer.headers()["allow"], "POST");
    assert_eq!(refusal(answer).await.0, StatusCode::METHOD_NOT_ALLOWED);
    let answer = test.http.delete(test.url("/$events/fieldcast/partitions")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn a_message_may_have_256_kb_and_not_a_byte_more() {
    let test = TestHub::new().await;
    test.send("dev", vec![b'x'; LIMIT]).await;
    let over = |size: usize| test.device_post("dev").body(vec![b'x'; size]);
    for size in [LIMIT + 1, 1 << 20, 6 << 20] {
        let (status, code, _) = refusal(over(size).send().await.expect("an answer")).await;
        assert_eq!((status, code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "MessageTooLarge"), "{size}");
    }
    assert_eq!(test.hub.accepted(), 1);
}

#[tokio::test]
async fn properties_count_against_the_limit() {
    let test = TestHub::new().await;
    // Name "room" and value "12345" are nine bytes, the message id "abc" three.
    let request = |body: usize| {
        let request = test.device_post("dev").header("iothub-app-room", "12345");
        request.header("iothub-messageid", "abc").body(vec![b'x'; body]).send()
    };
    assert_eq!(request(LIMIT - 12).await.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(request(LIMIT - 11).await.expect("an answer").status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_refused_send_is_refused_for_its_token_first() {
    let test = TestHub::new().await;
    let request = test.post("dev").body(vec![b'x'; LIMIT + 1]);
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn chunked_bodies_are_accepted() {
    let test = TestHub::new().await;
    let head = format!(
        "POST /devices/dev/messages/events?api-version=2021-04-12 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Authorization: {}\r\nTransfer-Encoding: chunked\r\n\r\n",
        test.device_token("dev")
    );
    let answer = raw(&test, &format!("{head}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(texts(&test.all().await), ["hello world"]);
    let answer = raw(&test, &format!("{head}zz\r\nhello\r\n0\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

async fn raw(test: &TestHub, request: &str) -> String {
    let exchange = async {
        let mut stream = TcpStream::connect(test.hub.address()).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("written");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.expect("answered");
        String::from_utf8_lossy(&answer).into_owned()
    };
    tokio::time::timeout(DEADLINE, exchange).await.expect("in time")
}

#[tokio::test]
async fn header_values_must_be_utf_8() {
    let test = TestHub::new().await;
    let value = |bytes: &[u8]| reqwest::header::HeaderValue::from_bytes(bytes).expect("a header");
    let good = test.device_post("dev").header("iothub-app-place", value("Köln".as_bytes()));
    assert_eq!(good.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(test.all().await[0]["properties"], json!({"place": "Köln"}));
    let bad = test.device_post("dev").header("iothub-app-place", value(b"K\xF6ln"));
    assert_eq!(refusal(bad.send().await.expect("an answer")).await.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn concurrent_devices_keep_their_order_and_stay_in_their_partition() {
    const DEVICES: usize = 8;
    const SENDS: usize = 40;
    let test = Arc::new(TestHub::new().await);
    let sender = |device: usize| {
        let test = Arc::clone(&test);
        tokio::spawn(async move {
            for count in 0..SENDS {
                test.send(&format!("dev-{device}"), count.to_string()).await;
            }
        })
    };
    let senders: Vec<_> = (0..DEVICES).map(sender).collect();
    for sender in senders {
        sender.await.expect("all sent");
    }
    let mut seen = BTreeSet::new();
    for partition in 0..4 {
        let stored = test.partition(partition).await;
        expect_continuous(&stored);
        let devices: BTreeSet<String> = stored.iter().map(device).collect();
        for id in devices {
            let own: Vec<Value> = stored.iter().filter(|event| device(event) == id).cloned().collect();
            let expected: Vec<String> = (0..SENDS).map(|count| count.to_string()).collect();
            assert_eq!(texts(&own), expected, "{id}");
            assert!(seen.insert(id), "a device in two partitions");
        }
    }
    assert_eq!((seen.len(), test.hub.accepted()), (DEVICES, (DEVICES * SENDS) as u64));
}

fn device(event: &Value) -> String {
    event["systemProperties"]["iothub-connection-device-id"].as_str().expect("an id").to_owned()
}

fn expect_continuous(stored: &[Value]) {
    assert_eq!(numbers(stored), (0..stored.len() as u64).collect::<Vec<_>>());
    let times: Vec<&str> =
        stored.iter().map(|event| event["enqueuedTime"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "{times:?}");
    let offset = |event: &Value| event["offset"].as_str().expect("text").parse::<u64>().expect("a number");
    let offsets: Vec<u64> = stored.iter().map(offset).collect();
    assert!(offsets.is_sorted_by(|a, b| a < b), "{offsets:?}");
}

#[tokio::test]
async fn a_device_id_in_the_path_may_be_encoded_or_not() {
    let test = TestHub::new().await;
    for path in ["dev:1@x", &encode("dev:1@x")] {
        let url = test.url(&format!("/devices/{path}/messages/events?api-version=2021-04-12"));
        let request = test.http.post(url).header("Authorization", test.device_token("dev:1@x"));
        assert_eq!(request.send().await.expect("an answer").status(), StatusCode::NO_CONTENT, "{path}");
    }
}

#[tokio::test]
async fn a_module_is_named_beside_its_device() {
    let test = TestHub::new().await;
    let send = |module: &str, token: String| {
        let path = format!("/devices/dev-1/modules/{module}/messages/events?api-version=2021-04-12");
        test.http.post(test.url(&path)).header("Authorization", token).body("{}").send()
    };
    let status = async |module: &str, token: String| send(module, token).await.expect("an answer").status();
    assert_eq!(status("filter", test.device_token("dev-1/modules/filter")).await, StatusCode::UNAUTHORIZED);
    let resource = encode(&format!("{}/devices/dev-1/modules/filter", test.hub.address()));
    let own = token(&device_key("dev-1"), &resource, in_an_hour(), None);
    assert_eq!(status("filter", own.clone()).await, StatusCode::NO_CONTENT);
    assert_eq!(status("other", own).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("filter", test.device_token("dev-2")).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status("a%20b", test.device_token("dev-1")).await, StatusCode::BAD_REQUEST);
    assert_eq!(status("filter", test.policy_token()).await, StatusCode::NO_CONTENT);
    let events = test.all().await;
    let scopes = [r#""scope":"module""#, r#""scope":"hub""#];
    assert_eq!(events.len(), 2);
    for (event, scope) in events.iter().zip(scopes) {
        let system = &event["systemProperties"];
        assert_eq!(system["iothub-connection-device-id"], "dev-1");
        assert_eq!(system["iothub-connection-module-id"], "filter");
        assert!(system["iothub-connection-auth-method"].as_str().is_some_and(|text| text.contains(scope)));
    }
}

#[tokio::test]
async fn a_page_whose_name_leads_to_this_machine_reads_nothing() {
    let test = TestHub::new().await;
    test.send("dev", "secret").await;
    for path in ["/$events/fieldcast/partitions", "/$events/fieldcast/partitions/0", "/nowhere"] {
        let request = test.http.get(test.url(path)).header("Host", "evil.example:7072");
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(response.text().await.expect("a text").contains("localhost"));
    }
    let local = test.http.get(test.url("/$events/fieldcast/partitions")).header("Host", "localhost:9");
    assert_eq!(local.send().await.expect("an answer").status(), StatusCode::OK);
}
