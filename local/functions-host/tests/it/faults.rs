//! Every fault that can be injected.

use std::time::{Duration, Instant};

use fieldcast_functions_host::{Host, KillMoment};
use serde_json::{Value, json};

use crate::{
    deadline::PATIENCE,
    test_app::{TestApp, drained},
};

fn batches(test: &TestApp) -> Vec<Vec<u64>> {
    test.director.requests("/F").iter().map(|request| request.sequence_numbers()).collect()
}

/// An app whose failed batches are retried.
async fn retrying() -> (TestApp, Host) {
    let test = TestApp::new().await;
    let retry = json!({"strategy": "fixedDelay", "maxRetryCount": -1, "delayInterval": "00:00:00.05"});
    test.add_events("F", json!({}), retry);
    let host = test.start().await;
    (test, host)
}

#[tokio::test]
async fn a_batch_is_duplicated_once() {
    let (test, host) = retrying().await;
    host.faults().duplicate_next_batch();
    test.hub.push(0, "{}");
    drained(&host).await;
    test.hub.push(0, "{}");
    drained(&host).await;
    assert_eq!(batches(&test), [[0], [0], [1]]);
    host.stop().await;
}

#[tokio::test]
async fn two_owners_deliver_the_same_batch_at_the_same_time() {
    let (test, host) = retrying().await;
    test.director.hold("/F");
    host.faults().overlap_next_batch();
    test.hub.push(0, "{}");
    test.director.received("/F", 2).await;
    assert_eq!(batches(&test), [[0], [0]]);
    test.director.release("/F");
    drained(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn events_are_redelivered_from_an_older_checkpoint() {
    let (test, host) = retrying().await;
    test.hub.push_many(0, 3);
    drained(&host).await;
    let before = test.director.requests("/F").len();
    host.faults().redeliver_from("0", 1);
    drained(&host).await;
    assert_eq!(batches(&test)[before..].concat(), [1, 2]);
    host.stop().await;
}

#[tokio::test]
async fn a_held_partition_advances_step_by_step() {
    let test = TestApp::with_events(2, json!({})).await;
    let host = test.start().await;
    host.faults().hold("0");
    host.faults().cap_batch_size(Some(2));
    test.hub.push_many(0, 5);
    test.hub.push_many(1, 1);
    host.reached(PATIENCE, |status| status.partition("1").is_some_and(|entry| entry.batches == 1))
        .await
        .unwrap();
    assert_eq!(test.director.requests("/F").len(), 1, "only the other partition runs");
    host.faults().step("0", 2);
    let status = host
        .reached(PATIENCE, |status| status.partition("0").is_some_and(|entry| entry.batches == 2))
        .await
        .unwrap();
    assert_eq!(status.partition("0").unwrap().position, 4);
    assert!(host.drained(Duration::from_millis(100)).await.is_err());
    host.faults().release("0");
    drained(&host).await;
    assert_eq!(batches(&test)[1..], [vec![0, 1], vec![2, 3], vec![4]]);
    host.stop().await;
}

#[tokio::test]
async fn a_redelivery_can_be_asked_for_while_a_partition_is_held() {
    let test = TestApp::with_events(1, json!({})).await;
    let host = test.start().await;
    test.hub.push_many(0, 2);
    drained(&host).await;
    host.faults().hold_all();
    test.hub.push(0, "{}");
    host.faults().redeliver_from("0", 0);
    host.reached(PATIENCE, |status| status.partitions[0].position == 0).await.unwrap();
    host.faults().release_all();
    drained(&host).await;
    assert_eq!(batches(&test).last().unwrap(), &[0, 1, 2]);
    host.stop().await;
}

#[tokio::test]
async fn metadata_and_system_properties_can_be_left_out() {
    let (test, host) = retrying().await;
    host.faults().omit_metadata(["OffsetStringArray", "PartitionContext"]);
    host.faults().omit_system_properties(["iothub-connection-device-id", "OffsetString"]);
    test.hub.push(0, "{}");
    drained(&host).await;
    let metadata = &test.director.requests("/F")[0].json()["Metadata"];
    assert_eq!((&metadata["OffsetStringArray"], &metadata["PartitionContext"]), (&Value::Null, &Value::Null));
    assert!(metadata["OffsetArray"].is_string() && metadata["TriggerPartitionContext"].is_object());
    let properties = metadata["SystemPropertiesArray"].as_str().unwrap();
    assert!(!properties.contains("dev-1") && !properties.contains("OffsetString"), "{properties}");
    host.stop().await;
}

#[tokio::test]
async fn a_lost_reply_means_done_work_and_a_second_delivery() {
    let (test, host) = retrying().await;
    host.faults().kill_during_next_batch(KillMoment::ReplyLost);
    test.hub.push(0, "{}");
    drained(&host).await;
    assert!(test.log_text().contains("no reply from the handler: the reply was lost"), "{}", test.log_text());
    // A retry that comes before the restart is noticed may be used up with or without reaching the handler.
    let last = test.director.requests("/F").pop().unwrap();
    assert!(last.json()["Metadata"]["RetryContext"]["RetryCount"].as_u64().unwrap() >= 1);
    assert_eq!(last.sequence_numbers(), [0]);
    assert_eq!(host.status().handler_starts, 2);
    host.stop().await;
}

#[tokio::test]
async fn a_kill_after_sending_strikes_a_handler_that_has_the_batch() {
    let (test, host) = retrying().await;
    let pid = host.handler_pid().unwrap();
    test.director.hold("/F");
    host.faults().kill_during_next_batch(KillMoment::AfterSending(Duration::from_millis(300)));
    test.hub.push(0, "{}");
    test.director.received("/F", 1).await;
    host.reached(PATIENCE, |status| status.handler_starts == 2).await.unwrap();
    test.director.release("/F");
    drained(&host).await;
    assert_ne!(host.handler_pid().unwrap(), pid);
    assert!(host.status().failures >= 1);
    host.stop().await;
}

#[tokio::test]
async fn delivery_can_be_delayed() {
    let (test, host) = retrying().await;
    host.faults().delay_delivery(Duration::from_millis(300));
    let begun = Instant::now();
    test.hub.push(0, "{}");
    drained(&host).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    host.stop().await;
}
