//! REST: routes, success codes, error details, limits.

use crate::support::TestService;
use crate::tokens;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn v1_answers_with_the_services_codes() {
    let test = TestService::start().await;
    let alice = test.client("chat", Some("alice")).await;
    let hub = "/api/v1/hubs/Chat";
    for (method, path, status) in [
        ("PUT", format!("/groups/g/connections/{}", alice.id), 200),
        ("PUT", "/groups/g/users/alice?ttl=60".into(), 202),
        ("GET", format!("/connections/{}", alice.id), 200),
        ("HEAD", "/users/alice".into(), 200),
        ("GET", "/groups/g".into(), 200),
        ("HEAD", "/groups/g/users/alice".into(), 200),
        ("DELETE", format!("/groups/g/connections/{}", alice.id), 200),
        ("DELETE", "/groups/g/users/alice".into(), 202),
        ("DELETE", "/users/alice/groups".into(), 200),
        ("DELETE", format!("/connections/{}?reason=bye", alice.id), 202),
    ] {
        assert_eq!(test.status(method, &format!("{hub}{path}")).await, status, "{method} {path}");
    }
    for path in ["", "/users/alice", "/connections/nobody", "/groups/g?excluded=a&excluded=b"] {
        test.send(&format!("{hub}{path}"), &json!([1])).await;
    }
    test.service.stop().await;
}

#[tokio::test]
async fn dated_versions_answer_with_the_services_codes() {
    let test = TestService::start().await;
    let alice = test.client("chat", Some("alice")).await;
    let dated = |path: &str| format!("/api/hubs/chat{path}?api-version=2022-06-01");
    let connection = format!("/connections/{}", alice.id);
    for (method, path, status) in [
        ("PUT", format!("/groups/g{connection}"), 200),
        ("PUT", "/users/alice/groups/g".into(), 200),
        ("HEAD", connection.clone(), 200),
        ("HEAD", "/users/alice".into(), 200),
        ("HEAD", "/groups/g".into(), 200),
        ("HEAD", "/users/alice/groups/g".into(), 200),
        ("DELETE", format!("/groups/g{connection}"), 200),
        ("DELETE", format!("{connection}/groups"), 200),
        ("DELETE", "/users/alice/groups/g".into(), 204),
        ("DELETE", "/users/alice/groups".into(), 204),
        ("DELETE", connection, 200),
        ("POST", "/:closeConnections".into(), 204),
        ("POST", "/groups/g/:closeConnections".into(), 204),
        ("POST", "/users/alice/:closeConnections".into(), 204),
    ] {
        assert_eq!(test.status(method, &dated(&path)).await, status, "{method} {path}");
    }
    for path in ["/:send", "/users/alice/:send", "/connections/nobody/:send", "/groups/g/:send"] {
        test.send(&dated(path), &json!([1])).await;
    }
    test.service.stop().await;
}

#[tokio::test]
async fn what_does_not_exist_is_404_with_the_code_the_sdk_reads() {
    let test = TestService::start().await;
    for (method, path, code) in [
        ("HEAD", "/connections/c", "Warning.Connection.NotExisted"),
        ("DELETE", "/connections/c", "Warning.Connection.NotExisted"),
        ("HEAD", "/users/u", "Warning.User.NotExisted"),
        ("HEAD", "/groups/g", "Warning.Group.NotExisted"),
        ("HEAD", "/users/u/groups/g", "Info.User.NotInGroup"),
        ("PUT", "/groups/g/connections/c", "Error.Connection.NotExisted"),
        ("DELETE", "/groups/g/connections/c", "Error.Connection.NotExisted"),
    ] {
        let path = format!("/api/hubs/chat{path}?api-version=2022-06-01");
        let response = test.call(method, &path).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 404, "{method} {path}");
        assert_eq!(response.headers()["x-ms-error-code"], code, "{method} {path}");
        let body = response.text().await.unwrap();
        if method == "HEAD" {
            assert_eq!(body, "");
        } else {
            assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["code"], code);
        }
    }
    let nowhere = test.call("POST", "/api/hubs/chat/:sent?api-version=2022-06-01").send().await.unwrap();
    assert_eq!(nowhere.status().as_u16(), 404);
    assert!(!nowhere.headers().contains_key("x-ms-error-code"), "the SDK tells a wrong path by this");
    test.service.stop().await;
}

#[tokio::test]
async fn health_needs_no_token() {
    let test = TestService::start().await;
    for path in ["/api/health?api-version=2022-06-01", "/api/v1/health"] {
        assert_eq!(test.http.head(test.url(path)).send().await.unwrap().status().as_u16(), 200);
    }
    test.service.stop().await;
}

#[tokio::test]
async fn bad_input_is_400_with_a_reason() {
    let test = TestService::start().await;
    let good = r#"{"target":"t","arguments":[]}"#;
    let long_group = format!("/groups/{}/:send?api-version=2022-06-01", "g".repeat(1025));
    for (path, body, reason) in [
        ("/:send", good, "api-version"),
        ("/:send?api-version=2021-01-01", good, "api-version"),
        ("/:send?api-version=2022-06-01&application=1", good, "hub or the application"),
        ("/:send?api-version=2022-06-01&excluded=%FF", good, "UTF-8"),
        ("/groups/%20/:send?api-version=2022-06-01", good, "group"),
        (&long_group, good, "group"),
        ("/users//:send?api-version=2022-06-01", good, "user"),
        ("/:send?api-version=2022-06-01", "", "JSON object"),
        ("/:send?api-version=2022-06-01", r#"{"target":"","arguments":[]}"#, "target"),
        ("/:send?api-version=2022-06-01", r#"{"target":"t","arguments":{}}"#, "arguments"),
    ] {
        let response = test.post(&format!("/api/hubs/chat{path}"), body).await;
        assert_eq!(response.status().as_u16(), 400, "{path} {body}");
        let detail: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
        assert!(detail["message"].as_str().unwrap().contains(reason), "{path} {body}: {detail}");
    }
    assert_eq!(test.post("/api/v1/hubs/a-b", good).await.status().as_u16(), 400);
    let ttl = test.status("PUT", "/api/v1/hubs/chat/groups/g/users/u?ttl=soon").await;
    assert_eq!(ttl, 400);
    assert_eq!(test.service.counts().sends_accepted, 0);
    test.service.stop().await;
}

#[tokio::test]
async fn a_body_may_have_one_megabyte() {
    let test = TestService::start().await;
    let body = |size: usize| {
        let frame = r#"{"target":"t","arguments":[""]}"#;
        frame.replace(r#""""#, &format!("\"{}\"", "x".repeat(size - frame.len())))
    };
    let path = "/api/v1/hubs/chat";
    assert_eq!(test.post(path, &body(1024 * 1024)).await.status().as_u16(), 202);
    let refused = test.post(path, &body(1024 * 1024 + 1)).await;
    assert_eq!(refused.status().as_u16(), 413);
    let detail: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(detail["code"], "PayloadTooLarge");
    // A caller that writes everything before it reads must still see the answer.
    let large = body(8 * 1024 * 1024);
    let reply = exchange(&test, &format!("Content-Length: {}", large.len()), &[&large]).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    assert_eq!(test.service.counts().sends_accepted, 1);
    test.service.stop().await;
}

#[tokio::test]
async fn other_media_types_and_methods_are_refused_by_name() {
    let test = TestService::start().await;
    let send = |path: &str, media_type: &str| {
        test.call("POST", path).header("content-type", media_type).body("x").send()
    };
    assert_eq!(send("/api/v1/hubs/chat", "text/plain").await.unwrap().status().as_u16(), 415);
    let invoke = "/api/hubs/chat/connections/c/:invoke?api-version=2024-12-01";
    assert_eq!(send(invoke, "application/x-msgpack").await.unwrap().status().as_u16(), 415);
    let packed = send("/api/v1/hubs/chat", "application/x-msgpack").await.unwrap();
    assert_eq!(packed.status().as_u16(), 400);
    assert!(packed.text().await.unwrap().contains("MessagePack map"));
    let get = test.call("GET", "/api/hubs/chat/connections/c?api-version=2022-06-01").send().await.unwrap();
    assert_eq!(get.status().as_u16(), 405);
    assert_eq!(get.headers()["allow"], "HEAD, DELETE");
    test.service.stop().await;
}

/// The .NET SDK writes this way: chunked, without a length, and with capital member names.
#[tokio::test]
async fn chunked_bodies_with_capital_names_are_taken() {
    let test = TestService::start().await;
    let mut client = test.client("chat", None).await;
    let chunks = [r#"{"Target":"newMess"#, r#"age","Arguments":["x"]}"#, ""]
        .map(|part| format!("{:x}\r\n{part}\r\n", part.len()));
    let parts: Vec<&str> = chunks.iter().map(String::as_str).collect();
    let reply = exchange(&test, "Transfer-Encoding: chunked", &parts).await;
    assert!(reply.starts_with("HTTP/1.1 202"), "{reply}");
    assert_eq!(client.hear().await, r#"{"type":1,"target":"newMessage","arguments":["x"]}"#);
    test.service.stop().await;
}

/// Posts to the hub over a plain socket: writes all of it, then reads the whole reply.
async fn exchange(test: &TestService, framing: &str, parts: &[&str]) -> String {
    let address = test.service.address();
    let token = tokens::for_audience(&test.url("/api/v1/hubs/chat"));
    let head = format!(
        "POST /api/v1/hubs/chat HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json; charset=utf-8\r\nConnection: close\r\n{framing}\r\n\r\n"
    );
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    for part in parts {
        socket.write_all(part.as_bytes()).await.unwrap();
    }
    let mut reply = String::new();
    socket.read_to_string(&mut reply).await.unwrap();
    reply
}
