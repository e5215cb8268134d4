//! What happens when the handler ends, and that no process is left behind.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    deadline::{PATIENCE, within},
    director::Order,
    test_app::{TestApp, drained, exists, get, gone},
};

async fn http_app() -> TestApp {
    let test = TestApp::new().await;
    test.add_http("hello", json!({}));
    test
}

#[tokio::test]
async fn an_exit_with_code_0_is_not_noticed_and_every_call_fails_from_then_on() {
    let test = TestApp::with_events(1, json!({})).await;
    test.add_http("hello", json!({}));
    let host = test.start().await;
    let pid = host.handler_pid().unwrap();
    test.director.order("/api/hello", [Order::exit(0)]);
    assert_eq!(get(host.address(), "/api/hello").await.status, 500);
    gone(pid).await;
    test.logged("it is not restarted").await;
    let begun = Instant::now();
    assert_eq!(get(host.address(), "/api/hello").await.status, 500);
    assert!(begun.elapsed() < Duration::from_secs(10), "it does not wait for a restart");
    // Without a retry policy events are lost one batch after the other.
    test.hub.push_many(0, 3);
    drained(&host).await;
    let status = host.status();
    assert_eq!((status.handler_starts, status.partitions[0].checkpoint), (1, Some(3)));
    assert!(status.failures >= 3, "{status:?}");
    assert!(test.director.requests("/F").is_empty());
    host.stop().await;
}

#[tokio::test]
async fn an_exit_with_code_200_is_a_free_restart_on_the_same_port() {
    let test = http_app().await;
    let host = test.start().await;
    for round in 1..=4 {
        test.director.order("/api/hello", [Order::exit(200)]);
        assert_eq!(get(host.address(), "/api/hello").await.status, 500);
        test.director.started(round + 1).await;
        assert_eq!(get(host.address(), "/api/hello").await.status, 200);
    }
    let ports: Vec<_> = test
        .director
        .starts()
        .iter()
        .map(|start| start.environment["FUNCTIONS_CUSTOMHANDLER_PORT"].clone())
        .collect();
    assert!(ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    host.stop().await;
}

#[tokio::test]
async fn the_third_crash_stops_the_host() {
    let test = http_app().await;
    let host = test.start().await;
    let address = host.address();
    test.director.order("/api/hello", [Order::abort(), Order::exit(3)]);
    for round in 1..=2 {
        assert_eq!(get(address, "/api/hello").await.status, 500);
        test.director.started(round + 1).await;
    }
    assert_eq!(get(address, "/api/hello").await.status, 200);
    let pid = host.handler_pid().unwrap();
    host.kill_handler();
    within("the end of the host", PATIENCE, host.stopped()).await;
    gone(pid).await;
    within("the end of the listener", PATIENCE, async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    assert!(host.drained(Duration::from_secs(1)).await.is_err());
    assert_eq!(host.status().handler_starts, 3);
}

#[tokio::test]
async fn a_simulation_can_crash_the_handler_without_limit() {
    let test = http_app().await;
    let host = test.start().await;
    host.restart_without_limit();
    for round in 1..=4 {
        host.kill_handler();
        test.director.started(round + 1).await;
        assert_eq!(get(host.address(), "/api/hello").await.status, 200);
    }
    host.stop().await;
}

#[tokio::test]
async fn calls_wait_while_the_handler_restarts() {
    let test = http_app().await;
    let host = test.start().await;
    test.director.hold_starts();
    host.kill_handler();
    test.director.started(2).await;
    let address = host.address();
    let call = tokio::spawn(async move { get(address, "/api/hello").await.status });
    // The host itself waited for its first handler as well.
    test.logged_times("waiting for the handler to be ready", 2).await;
    test.director.release_starts();
    assert_eq!(within("the answer", PATIENCE, call).await.unwrap(), 200);
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_cannot_be_executed_any_more_is_reported() {
    let mut test = http_app().await;
    std::fs::create_dir(test.app_root().join("work")).unwrap();
    test.host_json["customHandler"]["description"]["workingDirectory"] = json!("work");
    let host = test.start().await;
    std::fs::remove_dir(test.app_root().join("work")).unwrap();
    host.kill_handler();
    test.logged("cannot start the handler").await;
    assert_eq!((host.handler_pid(), host.status().handler_starts), (None, 1));
    within("the stop", PATIENCE, host.stop()).await;
}

#[tokio::test]
async fn a_stop_kills_and_reaps_the_handler_and_closes_the_listener() {
    let test = http_app().await;
    let host = test.start().await;
    let (pid, address) = (host.handler_pid().unwrap(), host.address());
    assert!(exists(pid));
    // A connection that is kept open does not delay the stop.
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    within("the stop", PATIENCE, host.stop()).await;
    assert!(!exists(pid), "the handler is neither running nor a zombie");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn a_stop_ends_calls_in_flight() {
    let test = http_app().await;
    let host = test.start().await;
    test.director.hold("/api/hello");
    let address = host.address();
    let call = tokio::spawn(async move { get(address, "/api/hello").await.status });
    test.director.received("/api/hello", 1).await;
    within("the stop", PATIENCE, host.stop()).await;
    assert_eq!(within("the answer", PATIENCE, call).await.unwrap(), 500);
}

#[tokio::test]
async fn a_dropped_host_leaves_no_process() {
    let test = http_app().await;
    let host = test.start().await;
    let pid = host.handler_pid().unwrap();
    drop(host);
    gone(pid).await;
}

#[test]
fn a_runtime_that_ends_takes_the_handler_along() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (pid, host) = runtime.block_on(async {
        let test = http_app().await;
        let host = test.start().await;
        (host.handler_pid().unwrap(), host)
    });
    runtime.shutdown_background();
    drop(host);
    tokio::runtime::Runtime::new().unwrap().block_on(gone(pid));
}
