//! Batches: the shapes of three device SDKs, all or nothing, in order.

use fieldcast_iot_hub::StatusCode;
use reqwest::Response;
use serde_json::json;

use crate::support::{TestHub, numbers, refusal, texts};

const LIMIT: usize = 262_144;

async fn post(test: &TestHub, body: impl Into<reqwest::Body>) -> Response {
    let request = test.device_post("dev").header("Content-Type", "application/vnd.microsoft.iothub.json");
    request.body(body).send().await.expect("an answer")
}

#[tokio::test]
async fn the_shapes_of_the_sdks_are_taken_in_order() {
    let test = TestHub::new().await;
    let batch = r#"[
        {"body":"bm9kZQ==","properties":{"iothub-app-roomTemp":"1"}},
        {"body":"amF2YQ==","base64Encoded":true,"properties":{"IoTHub-MessageId":"m","iothub-contenttype":"t"}},
        {"body":"\"c\"","base64Encoded":false}
    ]"#;
    assert_eq!(post(&test, batch).await.status(), StatusCode::NO_CONTENT);
    let stored = test.all().await;
    assert_eq!(texts(&stored), ["node", "java", "\"c\""]);
    assert_eq!(numbers(&stored), [0, 1, 2]);
    assert_eq!(stored[0]["properties"], json!({"roomTemp": "1"}));
    assert_eq!(stored[1]["systemProperties"]["message-id"], "m");
    assert_eq!(stored[1]["systemProperties"]["content-type"], "t");
    assert_eq!(test.hub.accepted(), 3);
}

#[tokio::test]
async fn the_media_type_may_have_parameters_and_any_case() {
    let test = TestHub::new().await;
    let request = test.device_post("dev").body(r#"[{"body":""},{"body":""}]"#);
    let request = request.header("Content-Type", "Application/vnd.microsoft.IoTHub.json; charset=utf-8");
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(test.hub.accepted(), 2);
}

#[tokio::test]
async fn an_array_without_the_media_type_is_one_message() {
    let test = TestHub::new().await;
    let array = r#"[{"body":""},{"body":""}]"#;
    let request = test.device_post("dev").header("Content-Type", "application/json").body(array);
    assert_eq!(request.send().await.expect("an answer").status(), StatusCode::NO_CONTENT);
    assert_eq!(texts(&test.all().await), [array]);
}

#[tokio::test]
async fn one_bad_message_refuses_the_batch() {
    let test = TestHub::new().await;
    for batch in [
        "",
        "[]",
        "{}",
        "null",
        r#"[{"body":"AA=="},{"body":"!"}]"#,
        r#"[{"body":"AA=="},{}]"#,
        "[{\"body\":\"",
    ] {
        let (status, code, text) = refusal(post(&test, batch).await).await;
        assert_eq!(
            (status, code.as_str()),
            (StatusCode::BAD_REQUEST, "IotHubFormatError"),
            "{batch}: {text}"
        );
    }
    assert_eq!(test.hub.accepted(), 0);
}

#[tokio::test]
async fn a_batch_may_have_256_kb_on_the_wire() {
    let test = TestHub::new().await;
    let batch = |size: usize| format!(r#"[{{"body":"{}","base64Encoded":false}}]"#, "x".repeat(size));
    let frame = batch(0).len();
    assert_eq!(post(&test, batch(LIMIT - frame)).await.status(), StatusCode::NO_CONTENT);
    let (status, code, _) = refusal(post(&test, batch(LIMIT - frame + 1)).await).await;
    assert_eq!((status, code.as_str()), (StatusCode::PAYLOAD_TOO_LARGE, "MessageTooLarge"));
}
