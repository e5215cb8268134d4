//! The npm client in a real browser, on a page of another origin than the service, so that CORS applies.

use crate::deadline::DEADLINE;
use crate::support::TestService;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::Html;
use axum::routing::{get, post};
use fieldcast_test_clients::{Browser, PageEvent};
use serde_json::{Value, json};
use std::path::Path;
use tokio::net::TcpListener;

const PAGE: &str = r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>client</title><link rel="icon" href="data:,">
<script src="/signalr.js"></script></head><body><script>
const connection = new signalR.HubConnectionBuilder()
  .withUrl("/api", { transport: signalR.HttpTransportType[location.search.slice(1)] }).configureLogging(signalR.LogLevel.Warning).build();
connection.on("newMessage", (...values) => window.report({ message: values }));
connection.start().then(
  () => window.report({ connected: connection.connectionId }),
  (error) => window.report({ failed: String(error) }));
</script></body></html>"#;

#[tokio::test]
async fn a_page_receives_a_broadcast_and_its_console_stays_clean() {
    for transport in ["WebSockets", "ServerSentEvents", "LongPolling"] {
        receives_over(transport).await;
    }
}

async fn receives_over(transport: &str) {
    let test = TestService::start().await;
    let (url, token) = test.client_access("chat", None);
    let (page, server) = serve_page(&json!({ "url": url, "accessToken": token })).await;
    let mut browser = Browser::open(&format!("{page}?{transport}")).unwrap();

    let connected = report(&mut browser).await;
    assert!(connected["connected"].is_string(), "{connected}");
    test.send("/api/v1/hubs/chat", &json!(["to everybody", { "n": 1 }])).await;
    assert_eq!(report(&mut browser).await, json!({ "message": ["to everybody", { "n": 1 }] }));
    assert_eq!(browser.evaluate("document.title", DEADLINE).await.unwrap(), Ok(json!("client")));
    assert!(browser.evaluate("nothing.there", DEADLINE).await.unwrap().is_err());

    browser.stop().await.unwrap();
    server.abort();
    test.service.stop().await;
}

/// The next report; anything in the console fails the test.
async fn report(browser: &mut Browser) -> Value {
    loop {
        match browser.next(DEADLINE).await.unwrap() {
            PageEvent::Report { value } => return value,
            PageEvent::Loaded => {}
            other => panic!("the page should be quiet: {other:?}"),
        }
    }
}

async fn serve_page(negotiated: &Value) -> (String, tokio::task::JoinHandle<()>) {
    let library = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/clients/node_modules/@microsoft/signalr/dist/browser/signalr.js");
    let library = std::fs::read_to_string(&library)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo dev test`", library.display()));
    let negotiated = negotiated.to_string();
    let app = Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/signalr.js", get(|| async move { ([(CONTENT_TYPE, "text/javascript")], library) }))
        .route("/api/negotiate", post(|| async move { ([(CONTENT_TYPE, "application/json")], negotiated) }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let page = format!("http://{}/", listener.local_addr().unwrap());
    (page, tokio::spawn(async move { axum::serve(listener, app).await.unwrap() }))
}
