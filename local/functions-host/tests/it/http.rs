//! HTTP triggers: forwarded calls and calls in an envelope.

use serde_json::{Value, json};

use crate::{
    director::{Order, Recorded},
    test_app::{TestApp, get, send, send_raw},
};

async fn called(test: &TestApp, path: &str) -> Recorded {
    test.director.received(path, 1).await.remove(0)
}

#[tokio::test]
async fn a_forwarded_call_keeps_method_path_host_and_headers_and_gains_the_hosts_own() {
    let test = TestApp::new().await;
    test.add_http("state", json!({"route": "Devices/{id}"}));
    let host = test.start().await;
    let headers = [
        "Host: localhost:9999",
        "Cookie: a=1",
        "Cookie: b=2",
        "User-Agent: test/1",
        "X-Azure-Functions-InvocationId: forged",
        "x-functions-key: k",
        "X-Twice: 1",
        "X-Twice: 2",
        "Content-Type: text/csv",
        "Content-Encoding: identity",
        "Content-Language: en",
    ];
    let answer = send(host.address(), "PUT /api/devices/a%20b?q=1&x=a+b&Q=2&code=k", &headers, "1,2").await;
    assert_eq!(answer.status, 200);
    let request = called(&test, "/api/devices/a%20b").await;
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("PUT", "/api/devices/a%20b?q=1,2&x=a%20b&code=k")
    );
    assert_eq!(request.body, "1,2");
    for (name, expected) in [
        ("host", vec!["localhost:9999"]),
        ("cookie", vec!["a=1; b=2"]),
        ("user-agent", vec!["test/1 Azure-Functions-Host/4.1037.0.23568"]),
        ("x-functions-key", vec!["k"]),
        ("x-twice", vec!["1, 2"]),
        ("content-type", vec!["text/csv"]),
        ("content-length", vec!["3"]),
        ("content-encoding", vec![]),
        ("content-language", vec![]),
        ("transfer-encoding", vec![]),
        ("x-azure-functions-hostversion", vec!["4.1037.0.23568"]),
    ] {
        assert_eq!(request.header(name), expected, "{name}");
    }
    let ids = request.header("x-azure-functions-invocationid");
    let (forged, own) = ids[0].split_once(", ").unwrap();
    assert_eq!((forged, own.len(), ids.len()), ("forged", 36, 1));
    assert!(!test.log_text().contains("code="), "a key is never logged");
    host.stop().await;
}

#[tokio::test]
async fn a_chunked_upload_arrives_empty() {
    let test = TestApp::new().await;
    test.add_http("up", json!({}));
    let host = test.start().await;
    let request = format!(
        "POST /api/up HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: text/plain\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        host.address()
    );
    assert_eq!(send_raw(host.address(), request.as_bytes()).await.status, 200);
    let request = called(&test, "/api/up").await;
    assert!(request.body.is_empty() && request.header("content-type").is_empty());
    host.stop().await;
}

#[tokio::test]
async fn a_forwarded_reply_passes_through_errors_and_redirects_included() {
    let test = TestApp::new().await;
    test.add_http("out", json!({}));
    let host = test.start().await;
    let teapot = Order::reply(418, &[("X-A", "1"), ("Content-Type", "text/x")], "short");
    test.director
        .order("/api/out", [teapot, Order::reply(302, &[("Location", "/api/out")], ""), Order::empty(204)]);
    let answer = get(host.address(), "/api/out").await;
    assert_eq!(
        (answer.status, answer.header("x-a"), answer.header("content-type")),
        (418, Some("1"), Some("text/x"))
    );
    assert_eq!((answer.text().as_str(), answer.header("content-length")), ("short", Some("5")));
    let answer = get(host.address(), "/api/out").await;
    assert_eq!((answer.status, answer.header("location")), (302, Some("/api/out")));
    assert_eq!(get(host.address(), "/api/out").await.status, 204, "an empty reply is fine here");
    assert_eq!(host.status().failures, 0, "every answer counts as success");
    test.director.order("/api/out", [Order::reply(200, &[("Content-Length", "5")], "")]);
    let answer = send(host.address(), "HEAD /api/out", &[], "").await;
    assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (200, Some("5"), 0));
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_dies_during_a_call_gives_500() {
    let test = TestApp::new().await;
    test.add_http("die", json!({}));
    let host = test.start().await;
    test.director.order("/api/die", [Order::abort()]);
    let answer = get(host.address(), "/api/die").await;
    assert_eq!((answer.status, answer.body.len()), (500, 0));
    assert_eq!(host.status().failures, 1);
    host.stop().await;
}

#[tokio::test]
async fn a_call_that_runs_too_long_gives_500_and_a_new_handler() {
    let mut test = TestApp::new().await;
    test.add_http("slow", json!({}));
    test.host_json["functionTimeout"] = json!("00:00:05");
    let host = test.start().await;
    test.director.order("/api/slow", [Order::hang()]);
    assert_eq!(get(host.address(), "/api/slow").await.status, 500);
    test.director.started(2).await;
    assert_eq!(get(host.address(), "/api/slow").await.status, 200);
    host.stop().await;
}

#[tokio::test]
async fn the_retry_policy_of_host_json_holds_for_http_too() {
    let mut test = TestApp::new().await;
    test.add_http("again", json!({}));
    test.host_json["customHandler"]["enableForwardingHttpRequest"] = json!(false);
    test.host_json["retry"] =
        json!({"strategy": "fixedDelay", "maxRetryCount": 3, "delayInterval": "00:00:00"});
    let host = test.start().await;
    test.director.order("/again", [Order::empty(500), Order::empty(500)]);
    assert_eq!(get(host.address(), "/api/again").await.status, 200);
    let last = test.director.requests("/again").pop().unwrap();
    assert_eq!(last.json()["Metadata"]["RetryContext"]["RetryCount"], 2);
    host.stop().await;
}

#[tokio::test]
async fn an_unknown_path_and_another_method_are_both_not_found() {
    let test = TestApp::new().await;
    test.add_http("one", json!({"methods": ["get"], "route": "things/{id:int}"}));
    let host = test.start().await;
    assert_eq!(get(host.address(), "/api/things/5").await.status, 200);
    assert_eq!(get(host.address(), "/api/things/five").await.status, 404);
    assert_eq!(get(host.address(), "/things/5").await.status, 404);
    assert_eq!(get(host.address(), "/api/one").await.status, 404);
    assert_eq!(send(host.address(), "POST /api/things/5", &[], "x").await.status, 404);
    assert_eq!(send(host.address(), "OPTIONS /api/things/5", &[], "").await.status, 404);
    assert_eq!(test.director.requests("/api/things/5").len(), 1);
    host.stop().await;
}

#[tokio::test]
async fn the_prefix_can_be_changed_or_empty_and_the_more_specific_route_wins() {
    let mut test = TestApp::new().await;
    test.add_http("any", json!({"route": "d/{id}"}));
    test.add_http("exact", json!({"route": "d/all"}));
    test.host_json["extensions"] = json!({"http": {"routePrefix": ""}});
    test.host_json["customHandler"]["enableForwardingHttpRequest"] = json!(false);
    let host = test.start().await;
    assert_eq!(get(host.address(), "/d/all").await.status, 200);
    assert_eq!(get(host.address(), "/D/other/").await.status, 200);
    assert_eq!(test.director.requests("/exact").len(), 1);
    assert_eq!(test.director.requests("/any")[0].json()["Data"]["req"]["Params"], json!({"id": "other"}));
    host.stop().await;
}

#[tokio::test]
async fn a_key_opens_functions_by_header_or_query_and_nothing_opens_admin() {
    let test = TestApp::new().await;
    test.add_http("keyed", json!({"authLevel": "function"}));
    test.add_http("closed", json!({"authLevel": "admin"}));
    let host = test.start().await;
    let status = async |path: &str, headers: &[&str]| {
        send(host.address(), &format!("GET {path}"), headers, "").await.status
    };
    assert_eq!(status("/api/keyed", &[]).await, 401);
    assert_eq!(status("/api/keyed?code=wrong", &[]).await, 401);
    assert_eq!(status("/api/keyed", &["x-functions-key:"]).await, 401);
    assert_eq!(status("/api/keyed?code=k1", &["x-functions-key: wrong"]).await, 401);
    assert_eq!(status("/api/keyed?code=k1", &[]).await, 200);
    assert_eq!(status("/api/keyed", &["x-functions-key: k1"]).await, 200);
    assert_eq!(status("/api/closed?code=k1", &[]).await, 401);
    assert_eq!(test.director.requests("/api/keyed").len(), 2, "only opened calls reach the handler");
    host.stop().await;
}

async fn envelope_app() -> TestApp {
    let mut test = TestApp::new().await;
    test.host_json["customHandler"]["enableForwardingHttpRequest"] = json!(false);
    test.add_http("state", json!({"route": "state/{part?}"}));
    test
}

#[tokio::test]
async fn a_call_that_is_not_forwarded_arrives_in_an_envelope() {
    let test = envelope_app().await;
    let host = test.start().await;
    let headers = ["Host: localhost:9999", "Content-Type: application/json", "x-functions-key: k"];
    let body = r#"{"deviceId":"dev-2","list":[1],"inner":{"a":1.0},"query":"forged"}"#;
    send(host.address(), "POST /api/state?deviceId=dev-1&n=1&n=2", &headers, body).await;
    let request = called(&test, "/state").await;
    assert_eq!((request.method.as_str(), request.header("transfer-encoding")), ("POST", vec!["chunked"]));
    let envelope = request.json();
    let req = &envelope["Data"]["req"];
    assert_eq!(req["Url"], "http://localhost:9999/api/state?deviceId=dev-1&n=1&n=2");
    assert_eq!(req["Method"], "POST");
    assert_eq!(req["Query"], json!({"deviceId": "dev-1", "n": "1,2"}));
    assert_eq!(req["Headers"]["x-functions-key"], json!(["k"]));
    assert_eq!(req["Headers"]["Content-Type"], json!(["application/json"]));
    assert_eq!(req["Params"], json!({"part": null}));
    assert_eq!(req["Body"], body);
    assert_eq!(req["Identities"][0]["IsAuthenticated"], false);
    let metadata = &envelope["Metadata"];
    assert_eq!(metadata["deviceId"], "\"dev-2\"", "a body member overwrites a query parameter");
    assert_eq!(metadata["n"], "\"1,2\"");
    assert_eq!(metadata["inner"], json!({"a": 1.0}));
    assert_eq!(metadata["list"], Value::Null);
    assert_eq!(metadata["Query"], json!({"deviceId": "dev-1", "n": "1,2"}));
    assert_eq!(metadata["Headers"]["Host"], "localhost:9999");
    assert_eq!(metadata["sys"]["MethodName"], "state");
    host.stop().await;
}

#[tokio::test]
async fn bytes_arrive_as_base64_and_an_empty_or_chunked_body_not_at_all() {
    let test = envelope_app().await;
    let host = test.start().await;
    send(host.address(), "POST /api/state/x", &["Content-Type: application/octet-stream"], "abc").await;
    get(host.address(), "/api/state").await;
    let requests = test.director.received("/state", 2).await;
    let req = |index: usize| requests[index].json()["Data"]["req"].clone();
    assert_eq!((&req(0)["Body"], &req(0)["Params"]), (&json!("YWJj"), &json!({"part": "x"})));
    assert!(req(1).get("Body").is_none());
    host.stop().await;
}

#[tokio::test]
async fn the_http_output_becomes_the_answer() {
    let test = envelope_app().await;
    let host = test.start().await;
    let headers = json!({"Content-Type": "application/json", "X-A": "1"});
    let res = json!({"statusCode": "201", "headers": headers, "body": "{\"ok\":true}"});
    test.director.order(
        "/state",
        [
            Order::json(&json!({"Outputs": {"res": res}}).to_string()),
            Order::json(&json!({"Outputs": {"res": {"status": 404, "body": {"a": [1]}}}}).to_string()),
            Order::success(),
            Order::json(r#"{"Outputs":{"res":"text"}}"#),
            Order::reply(404, &[("Content-Type", "application/json")], "{}"),
        ],
    );
    let answer = get(host.address(), "/api/state").await;
    assert_eq!((answer.status, answer.text().as_str()), (201, r#"{"ok":true}"#));
    assert_eq!((answer.header("content-type"), answer.header("x-a")), (Some("application/json"), Some("1")));
    let answer = get(host.address(), "/api/state").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{\n  \"a\": [\n    1\n  ]\n}"));
    let answer = get(host.address(), "/api/state").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    assert_eq!(get(host.address(), "/api/state").await.status, 500, "a bad shape");
    assert_eq!(get(host.address(), "/api/state").await.status, 500, "a status of the handler itself");
    host.stop().await;
}

#[tokio::test]
async fn a_return_value_answers_for_an_output_named_return() {
    let test = TestApp::new().await;
    test.add_function(
        "ret",
        &json!({"bindings": [
            {"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"},
            {"type": "http", "direction": "out", "name": "$return"}
        ]}),
    );
    let mut test = test;
    test.host_json["customHandler"]["enableForwardingHttpRequest"] = json!(false);
    let host = test.start().await;
    test.director.order("/ret", [Order::json(r#"{"ReturnValue":{"statusCode":202,"body":"done"}}"#)]);
    let answer = get(host.address(), "/api/ret").await;
    assert_eq!((answer.status, answer.text().as_str()), (202, "done"));
    host.stop().await;
}

#[tokio::test]
async fn the_handler_gets_a_path_that_is_made_of_the_decoded_one() {
    let mut test = TestApp::new().await;
    test.host_json["extensions"] = json!({"http": {"routePrefix": "api"}});
    test.add_http("subscriptions", json!({"route": "subscriptions/{group}"}));
    let host = test.start().await;
    for (sent, gets) in [
        ("/API/Subscriptions/x/?connectionId=c", "/API/Subscriptions/x/?connectionId=c"),
        ("/api/subscriptions/geo:Rig%20%234?connectionId=c", "/api/subscriptions/geo:Rig%20?connectionId=c"),
        ("/api/subscriptions/why%3F?connectionId=c", "/api/subscriptions/why?connectionId=c"),
        ("/api/%73ubscriptions/a%2Fb", "/api/subscriptions/a%2Fb"),
        ("/api/subscriptions/..%5C..%5CTrigger", "/Trigger"),
        ("/api/subscriptions/x/../%C3%BC", "/api/subscriptions/%C3%BC"),
    ] {
        assert_eq!(get(host.address(), sent).await.status, 200, "{sent}");
        let path = gets.split('?').next().unwrap();
        let request = test.director.requests(path).pop().unwrap_or_else(|| panic!("{sent} did not arrive"));
        assert_eq!(request.url, gets, "{sent}");
    }
    for path in
        ["/api/subscriptions", "/api/subscriptions/", "/api/subscriptions//", "/api/subscriptions/a/b"]
    {
        assert_eq!(get(host.address(), path).await.status, 404, "{path}");
    }
    host.stop().await;
}

#[tokio::test]
async fn a_wrapped_call_has_decoded_parameters_but_for_their_slashes() {
    let test = envelope_app().await;
    let host = test.start().await;
    assert_eq!(get(host.address(), "/api/state/a%20b%2Fc%23").await.status, 200);
    let request = called(&test, "/state").await;
    assert_eq!(request.json()["Data"]["req"]["Params"]["part"], "a b%2Fc#");
    host.stop().await;
}
