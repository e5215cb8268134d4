//! What follows when the handler ends, and that nothing of it is left behind.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    director::Order,
    world::{PATIENCE, World, drained, exists, get, gone, within},
};

async fn http_world() -> World {
    let world = World::new().await;
    world.add_http("hello", json!({}));
    world
}

#[tokio::test]
async fn an_exit_with_code_0_is_not_noticed_and_every_call_fails_from_then_on() {
    let world = World::with_events(1, json!({})).await;
    world.add_http("hello", json!({}));
    let host = world.start().await;
    let pid = host.handler_pid().unwrap();
    world.director.order("/api/hello", [Order::exit(0)]);
    assert_eq!(get(host.address(), "/api/hello").await.status, 500);
    gone(pid).await;
    world.logged("it is not restarted").await;
    let begun = Instant::now();
    assert_eq!(get(host.address(), "/api/hello").await.status, 500);
    assert!(begun.elapsed() < Duration::from_secs(10), "it does not wait for a restart");
    // Without a retry policy events are lost one batch after the other.
    world.hub.push_many(0, 3);
    drained(&host).await;
    let status = host.status();
    assert_eq!((status.handler_starts, status.partitions[0].checkpoint), (1, Some(3)));
    assert!(status.failures >= 3, "{status:?}");
    assert!(world.director.requests("/F").is_empty());
    host.stop().await;
}

#[tokio::test]
async fn an_exit_with_code_200_is_a_free_restart_on_the_same_port() {
    let world = http_world().await;
    let host = world.start().await;
    for round in 1..=4 {
        world.director.order("/api/hello", [Order::exit(200)]);
        assert_eq!(get(host.address(), "/api/hello").await.status, 500);
        world.director.started(round + 1).await;
        assert_eq!(get(host.address(), "/api/hello").await.status, 200);
    }
    let ports: Vec<_> = world
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
    let world = http_world().await;
    let host = world.start().await;
    let address = host.address();
    world.director.order("/api/hello", [Order::abort(), Order::exit(3)]);
    for round in 1..=2 {
        assert_eq!(get(address, "/api/hello").await.status, 500);
        world.director.started(round + 1).await;
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
    let world = http_world().await;
    let host = world.start().await;
    host.restart_without_limit();
    for round in 1..=4 {
        host.kill_handler();
        world.director.started(round + 1).await;
        assert_eq!(get(host.address(), "/api/hello").await.status, 200);
    }
    host.stop().await;
}

#[tokio::test]
async fn calls_wait_while_the_handler_restarts() {
    let world = http_world().await;
    let host = world.start().await;
    world.director.hold_starts();
    host.kill_handler();
    world.director.started(2).await;
    let address = host.address();
    let call = tokio::spawn(async move { get(address, "/api/hello").await.status });
    // The host itself waited for its first handler, too.
    world.logged_times("waiting for the handler to be ready", 2).await;
    world.director.release_starts();
    assert_eq!(within("the answer", PATIENCE, call).await.unwrap(), 200);
    host.stop().await;
}

#[tokio::test]
async fn a_handler_that_cannot_be_executed_any_more_is_reported() {
    let mut world = http_world().await;
    std::fs::create_dir(world.app_root().join("work")).unwrap();
    world.host_json["customHandler"]["description"]["workingDirectory"] = json!("work");
    let host = world.start().await;
    std::fs::remove_dir(world.app_root().join("work")).unwrap();
    host.kill_handler();
    world.logged("cannot start the handler").await;
    assert_eq!((host.handler_pid(), host.status().handler_starts), (None, 1));
    within("the stop", PATIENCE, host.stop()).await;
}

#[tokio::test]
async fn a_stop_kills_and_reaps_the_handler_and_closes_the_listener() {
    let world = http_world().await;
    let host = world.start().await;
    let (pid, address) = (host.handler_pid().unwrap(), host.address());
    assert!(exists(pid));
    // A connection that is kept open does not hold the stop up.
    let idle = tokio::net::TcpStream::connect(address).await.unwrap();
    within("the stop", PATIENCE, host.stop()).await;
    assert!(!exists(pid), "the handler is neither running nor a zombie");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    drop(idle);
}

#[tokio::test]
async fn a_stop_ends_calls_in_flight() {
    let world = http_world().await;
    let host = world.start().await;
    world.director.hold("/api/hello");
    let address = host.address();
    let call = tokio::spawn(async move { get(address, "/api/hello").await.status });
    world.director.received("/api/hello", 1).await;
    within("the stop", PATIENCE, host.stop()).await;
    assert_eq!(within("the answer", PATIENCE, call).await.unwrap(), 500);
}

#[tokio::test]
async fn a_dropped_host_leaves_no_process() {
    let world = http_world().await;
    let host = world.start().await;
    let pid = host.handler_pid().unwrap();
    drop(host);
    gone(pid).await;
}

#[test]
fn a_runtime_that_ends_takes_the_handler_along() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (pid, host) = runtime.block_on(async {
        let world = http_world().await;
        let host = world.start().await;
        (host.handler_pid().unwrap(), host)
    });
    runtime.shutdown_background();
    drop(host);
    tokio::runtime::Runtime::new().unwrap().block_on(gone(pid));
}
