//! How the host judges a handler's reply to a batch.

use std::time::Duration;

use serde_json::json;

use crate::{
    deadline::PATIENCE,
    director::Order,
    test_app::{TestApp, drained, gone},
};

/// Sends one batch that gets this reply and one after it, and expects one failure and this many handler starts.
async fn one_failure(order: Order, starts: u64) {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["functionTimeout"] = json!("00:00:10");
    test.director.order("/F", [order]);
    let host = test.start().await;
    test.hub.push(0, "{}");
    test.director.received("/F", 1).await;
    drained(&host).await;
    host.reached(PATIENCE, |status| status.handler_starts == starts).await.unwrap();
    test.hub.push(0, "{}");
    drained(&host).await;
    let status = host.status();
    assert_eq!(status.partitions[0].checkpoint, Some(2), "the checkpoint moves, pass or fail");
    assert_eq!((status.invocations, status.failures, status.handler_starts), (2, 1, starts));
    host.stop().await;
}

#[tokio::test]
async fn a_json_object_is_success_and_its_logs_are_kept() {
    let test = TestApp::with_events(1, json!({})).await;
    test.director.order("/F", [Order::json(r#"{"outputs":{},"logs":["seen 1"],"returnValue":null}"#)]);
    let host = test.start().await;
    test.hub.push(0, "{}");
    drained(&host).await;
    assert_eq!(host.status().failures, 0);
    assert!(test.log_text().contains("info  [F] seen 1"), "{}", test.log_text());
    host.stop().await;
}

#[tokio::test]
async fn a_status_that_is_not_2xx_is_a_failure() {
    one_failure(Order::reply(500, &[("Content-Type", "application/json")], "{}"), 1).await;
}

#[tokio::test]
async fn a_redirect_is_a_failure_while_forwarding_is_on() {
    one_failure(Order::reply(302, &[("Location", "/elsewhere")], ""), 1).await;
}

#[tokio::test]
async fn a_redirect_is_followed_while_forwarding_is_off() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["customHandler"]["enableForwardingHttpRequest"] = json!(false);
    test.director.order("/F", [Order::reply(302, &[("Location", "/elsewhere?a=1")], "")]);
    let host = test.start().await;
    test.hub.push(0, "{}");
    drained(&host).await;
    let followed = test.director.requests("/elsewhere").remove(0);
    assert_eq!((followed.method.as_str(), followed.url.as_str()), ("GET", "/elsewhere?a=1"));
    assert_eq!(host.status().failures, 0);
    host.stop().await;
}

#[tokio::test]
async fn a_content_type_other_than_json_is_a_failure() {
    one_failure(Order::reply(200, &[("Content-Type", "text/plain")], "{}"), 1).await;
    one_failure(Order::reply(200, &[], "{}"), 1).await;
}

#[tokio::test]
async fn json_of_the_wrong_shape_is_a_failure() {
    one_failure(Order::json("{"), 1).await;
    one_failure(Order::json("[]"), 1).await;
}

#[tokio::test]
async fn a_crash_in_mid_batch_is_a_failure_and_a_restart() {
    one_failure(Order::abort(), 2).await;
}

async fn hangs_until_killed(order: Order) {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["functionTimeout"] = json!("00:00:05");
    test.director.order("/F", [order]);
    let host = test.start().await;
    let pid = host.handler_pid().unwrap();
    test.hub.push(0, "{}");
    test.logged("the execution cannot complete").await;
    assert_eq!(host.status().partitions[0].position, 0, "the batch is not done");
    drained(&host).await;
    assert_eq!((host.status().failures, host.status().partitions[0].checkpoint), (1, Some(1)));
    gone(pid).await;
    host.reached(PATIENCE, |status| status.handler_starts == 2).await.unwrap();
    host.stop().await;
}

#[tokio::test]
async fn an_empty_success_reply_hangs_until_the_time_out_kills_the_handler() {
    let null = Order::json("null");
    tokio::join!(
        hangs_until_killed(Order::empty(204)),
        hangs_until_killed(Order::empty(200)),
        hangs_until_killed(null)
    );
}

#[tokio::test]
async fn a_time_out_kills_the_handler_and_never_counts_as_its_error() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["functionTimeout"] = json!("00:00:01");
    test.director.always("/F", Order::hang());
    let host = test.start().await;
    for round in 1..=3 {
        test.hub.push(0, "{}");
        host.reached(PATIENCE, |status| status.handler_starts == round + 1).await.unwrap();
    }
    drained(&host).await;
    assert_eq!((host.status().failures, host.status().handler_starts), (3, 4));
    assert_eq!(test.director.aborted(), 0, "the handler is not told before it is killed");
    assert!(tokio::time::timeout(Duration::ZERO, host.stopped()).await.is_err(), "the host goes on");
    host.stop().await;
}
