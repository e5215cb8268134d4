//! Calls to one client that wait for its result.

use crate::npm::{Client, every_way};
use crate::raw::RawClient;
use crate::support::TestService;
use fieldcast_signalr_service::Timings;
use fieldcast_test_clients::{ClientEvent, ClientOptions};
use serde_json::{Value, json};
use std::time::Duration;

fn path(connection: &str) -> String {
    format!("/api/hubs/chat/connections/{connection}/:invoke?api-version=2024-12-01")
}

/// Calls `ask` and returns the status and the reply.
async fn ask(test: &TestService, connection: &str) -> (u16, Value) {
    call(test, connection, "ask").await
}

async fn call(test: &TestService, connection: &str, method: &str) -> (u16, Value) {
    let body = json!({ "target": method, "arguments": [1, "a"] }).to_string();
    let reply = test.post(&path(connection), &body).await;
    let status = reply.status().as_u16();
    (status, serde_json::from_str(&reply.text().await.unwrap()).unwrap())
}

fn failure(code: &str, message: &str) -> (u16, Value) {
    (500, json!({ "code": code, "message": message }))
}

/// The next call that the client receives, and its id.
async fn heard(client: &mut RawClient) -> String {
    let call = client.hear_json().await;
    assert_eq!(
        (&call["type"], &call["target"], &call["arguments"]),
        (&json!(1), &json!("ask"), &json!([1, "a"]))
    );
    call["invocationId"].as_str().unwrap().to_owned()
}

async fn answer(client: &mut RawClient, id: &str, result: &str) {
    client.say(&format!("{{\"type\":3,\"invocationId\":\"{id}\",\"result\":{result}}}\u{1e}")).await;
}

#[tokio::test]
async fn the_npm_client_returns_results_and_errors() {
    for options in every_way() {
        returns_results_and_errors(options).await;
    }
}

async fn returns_results_and_errors(options: ClientOptions) {
    let test = TestService::start().await;
    let result = json!({ "temperature": 21.5, "tags": ["ä", null] });
    let answers = json!({ "ask": { "result": result }, "nothing": {}, "fail": { "error": "bad" } });
    let options = ClientOptions { answers: Some(answers), ..options };
    let mut client = Client::connected(&test, None, &options).await;
    assert_eq!(ask(&test, &client.id).await, (200, json!({ "result": result })), "{options:?}");
    let arguments = vec![json!(1), json!("a")];
    assert_eq!(client.next().await, ClientEvent::Message { target: "ask".into(), arguments });
    // How the npm client answers for a method that returns nothing, one that throws, and one that does not exist.
    let none = failure("ClientError", "Client didn't provide a result.");
    assert_eq!(call(&test, &client.id, "nothing").await, none);
    let (status, detail) = call(&test, &client.id, "fail").await;
    assert!(status == 500 && detail["message"].as_str().unwrap().contains("bad"), "{detail}");
    assert_eq!(call(&test, &client.id, "unknown").await, none);
    test.service.stop().await;
}

#[tokio::test]
async fn each_answer_goes_to_its_own_caller_byte_for_byte() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let (path, body) = (path(&client.id), r#"{"target":"ask","arguments":[1,"a"]}"#);
    let ((), first, second) = tokio::join!(
        async {
            let ids = [heard(&mut client).await, heard(&mut client).await];
            answer(&mut client, "unknown", "0").await;
            answer(&mut client, &ids[1], "[1.0, 1e400]").await;
            answer(&mut client, &ids[0], "[1.0, 1e400]").await;
        },
        test.post(&path, body),
        test.post(&path, body),
    );
    for reply in [first, second] {
        assert_eq!(reply.status().as_u16(), 200);
        assert_eq!(reply.text().await.unwrap(), r#"{"result":[1.0, 1e400]}"#);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_cannot_answer_for_another() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let mut other = test.client("chat", None).await;
    let connection = client.id.clone();
    let ((), reply) = tokio::join!(
        async {
            let id = heard(&mut client).await;
            answer(&mut other, &id, "\"forged\"").await;
            // The service has read it when the next call is answered.
            other.say("{\"type\":1,\"target\":\"x\",\"arguments\":[],\"invocationId\":\"0\"}\u{1e}").await;
            assert_eq!(other.hear_json().await["invocationId"], "0");
            answer(&mut client, &id, "\"mine\"").await;
        },
        ask(&test, &connection),
    );
    assert_eq!(reply, (200, json!({ "result": "mine" })));
    test.service.stop().await;
}

#[tokio::test]
async fn the_end_of_the_connection_ends_the_wait() {
    let test = TestService::start().await;
    let ended = failure("ConnectionEnded", "the connection ended without an answer");
    let mut client = test.client("chat", None).await;
    let connection = client.id.clone();
    let leave = async {
        heard(&mut client).await;
        drop(client);
    };
    assert_eq!(tokio::join!(ask(&test, &connection), leave).0, ended);
    let mut client = test.client("chat", None).await;
    let connection = client.id.clone();
    let close = async {
        heard(&mut client).await;
        test.status("DELETE", &format!("/api/v1/hubs/chat/connections/{connection}")).await;
    };
    assert_eq!(tokio::join!(ask(&test, &connection), close).0, ended);
    test.service.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_answer_is_not_waited_for_longer_than_the_deadline() {
    let test =
        TestService::with(Timings { client_result: Duration::from_millis(50), ..Timings::default() }).await;
    let mut client = test.client("chat", None).await;
    assert_eq!(ask(&test, &client.id).await, failure("Timeout", "the client did not answer in time"));
    let late = heard(&mut client).await;
    answer(&mut client, &late, "1").await;
    test.send("/api/v1/hubs/chat", &json!(["goes on"])).await;
    client.expect(&["goes on"]).await;
    test.service.stop().await;
}

#[tokio::test]
async fn only_a_connection_of_the_hub_can_be_called_by_a_version_that_knows_it() {
    let test = TestService::start().await;
    let elsewhere = test.client("other", None).await;
    for connection in ["nobody", &elsewhere.id] {
        let reply = test.post(&path(connection), r#"{"target":"ask"}"#).await;
        assert_eq!(reply.status().as_u16(), 404);
        assert_eq!(reply.headers()["x-ms-error-code"], "Warning.Connection.NotExisted");
    }
    let older = path("nobody").replace("2024-12-01", "2023-07-01");
    let refused = test.post(&older, r#"{"target":"ask"}"#).await;
    assert_eq!(refused.status().as_u16(), 400);
    assert!(refused.text().await.unwrap().contains("2024-12-01"));
    test.service.stop().await;
}
