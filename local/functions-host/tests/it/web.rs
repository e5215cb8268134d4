//! What a browser gets: static files, other origins, manual runs.

use std::{fs, os::unix::fs::symlink};

use serde_json::json;

use crate::test_app::{TestApp, get, send};

async fn site() -> TestApp {
    let mut test = TestApp::new().await;
    test.add_http("hello", json!({}));
    let folder = test.folder("page");
    fs::write(folder.join("index.html"), "<!doctype html>").unwrap();
    fs::create_dir(folder.join("assets")).unwrap();
    fs::write(folder.join("assets/app.js"), "1").unwrap();
    fs::write(folder.join(".secret"), "s").unwrap();
    symlink("/etc/hostname", folder.join("link.txt")).unwrap();
    test.config.static_dir = Some(folder);
    test
}

#[tokio::test]
async fn the_page_is_served_at_the_root_with_a_strict_policy() {
    let test = site().await;
    let host = test.start().await;
    let answer = get(host.address(), "/").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "<!doctype html>"));
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && policy.contains("ws://127.0.0.1:*"), "{policy}");
    assert!(!policy.contains("unsafe"), "{policy}");
    let script = get(host.address(), "/assets/app.js?v=1").await;
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    let head = send(host.address(), "HEAD /", &[], "").await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(send(host.address(), "POST /", &[], "x").await.status, 404);
    assert_eq!(get(host.address(), "/api/hello").await.status, 200, "functions come first");
    host.stop().await;
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let test = site().await;
    fs::write(test.app_root().join("local.settings.json"), "{}").unwrap();
    let host = test.start().await;
    for path in [
        "/../app/local.settings.json",
        "/%2e%2e/app/local.settings.json",
        "/..%2fapp%2flocal.settings.json",
        "/assets/../../app/local.settings.json",
        "/.secret",
        "/link.txt",
        "/assets",
        "/assets/",
        "//etc/passwd",
        "/absent.js",
    ] {
        assert_eq!(get(host.address(), path).await.status, 404, "{path}");
    }
    assert_eq!(get(host.address(), "/%00").await.status, 400, "no path holds a NUL");
    host.stop().await;
}

#[tokio::test]
async fn without_a_page_the_root_says_that_the_host_runs() {
    let test = TestApp::new().await;
    test.add_http("hello", json!({}));
    let host = test.start().await;
    assert_eq!(get(host.address(), "/").await.status, 200);
    assert_eq!(get(host.address(), "/index.html").await.status, 404);
    host.stop().await;
}

#[tokio::test]
async fn preflights_are_answered_by_the_host_and_grants_replace_the_handlers() {
    let test = TestApp::new().await;
    test.add_http("hello", json!({}));
    let settings =
        json!({"IsEncrypted": false, "Host": {"CORS": "https://dash.example", "CORSCredentials": false}});
    fs::write(test.app_root().join("local.settings.json"), settings.to_string()).unwrap();
    let host = test.start().await;
    let preflight = async |origin: &str| {
        let headers = [
            &format!("Origin: {origin}"),
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: x-a",
        ];
        send(host.address(), "OPTIONS /api/hello", &headers, "").await
    };
    let answer = preflight("http://localhost:5173").await;
    assert_eq!(
        (answer.status, answer.header("access-control-allow-origin")),
        (204, Some("http://localhost:5173"))
    );
    assert_eq!(answer.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("x-a"));
    let answer = preflight("https://dash.example").await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://dash.example"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let answer = preflight("https://evil.example").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, None));
    assert!(test.director.requests("/api/hello").is_empty(), "no preflight reaches the handler");
    let reply = crate::director::Order::reply(200, &[("Access-Control-Allow-Origin", "*")], "x");
    test.director.order("/api/hello", [reply]);
    let answer = send(host.address(), "GET /api/hello", &["Origin: http://127.0.0.1:1"], "").await;
    let origins: Vec<_> =
        answer.headers.iter().filter(|(name, _)| name == "access-control-allow-origin").collect();
    assert_eq!(origins.len(), 1);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://127.0.0.1:1"));
    host.stop().await;
}

#[tokio::test]
async fn an_event_function_can_be_run_by_hand_but_not_by_another_site() {
    let test = TestApp::with_events(1, json!({"cardinality": "one", "dataType": "string"})).await;
    test.add_http("hello", json!({}));
    let host = test.start().await;
    let run = async |name: &str, headers: &[&str], body: &str| {
        send(host.address(), &format!("POST /admin/functions/{name}"), headers, body).await.status
    };
    let json_type = "Content-Type: application/json";
    assert_eq!(run("F", &["Content-Type: text/plain"], r#"{"input":"x"}"#).await, 403);
    assert_eq!(run("F", &[json_type, "Host: evil.example"], r#"{"input":"x"}"#).await, 403);
    assert_eq!(run("F", &[json_type], "{}").await, 400);
    assert_eq!(run("hello", &[json_type], r#"{"input":"x"}"#).await, 404);
    assert_eq!(get(host.address(), "/admin/functions/F").await.status, 404);
    assert!(test.director.requests("/F").is_empty());
    assert_eq!(run("F", &[json_type], r#"{"input":{"temp":1}}"#).await, 202);
    let request = test.director.received("/F", 1).await.remove(0);
    assert_eq!(request.json()["Data"]["events"], r#""{\"temp\":1}""#);
    assert!(request.json()["Metadata"].get("PartitionContext").is_none());
    host.stop().await;
}

#[tokio::test]
async fn a_page_whose_name_leads_to_this_machine_reads_nothing() {
    let mut test = TestApp::new().await;
    test.add_http("hello", json!({}));
    let folder = test.folder("web");
    std::fs::write(folder.join("index.html"), "<p>").unwrap();
    test.config.static_dir = Some(folder);
    let host = test.start().await;
    for line in ["GET /", "GET /api/hello", "OPTIONS /api/hello", "POST /admin/functions/hello"] {
        for foreign in
            ["Host: evil.example", "Host: localhost.evil.example:7071", "Host: 192.168.1.2", "Host:"]
        {
            let reply = send(host.address(), line, &[foreign], "").await;
            assert_eq!(reply.status, 403, "{line} {foreign}");
            assert!(reply.text().contains("localhost"));
        }
    }
    assert!(test.director.requests("/api/hello").is_empty());
    for own in ["Host: localhost:7071", "Host: 127.0.0.1", "Host: [::1]:7071"] {
        assert_eq!(send(host.address(), "GET /api/hello", &[own], "").await.status, 200, "{own}");
    }
    host.stop().await;
}
