//! Batches on the wire, their order, their retries and their checkpoints.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use fieldcast_functions_host::HostStatus;
use serde_json::{Value, json};

use crate::{
    deadline::{PATIENCE, within},
    director::Order,
    test_app::{TestApp, drained},
};

const MANY_BINARY: &str = include_str!("../samples/eventhub-many-binary.json");

#[tokio::test]
async fn a_batch_arrives_with_the_headers_and_the_bytes_of_the_real_host() {
    let test = TestApp::with_events(1, json!({})).await;
    test.hub.push_with(
        0,
        r#"{"temp":21.50}"#,
        json!({"iothub-connection-device-id": "dev-1", "content-type": "a/é"}),
    );
    test.hub.push_with(0, b"\xff\x00not json", json!({}));
    let host = test.start().await;
    drained(&host).await;
    let request = test.director.requests("/F").remove(0);
    assert_eq!((request.method.as_str(), request.url.as_str()), ("POST", "/F"));
    assert_eq!(request.header("transfer-encoding"), ["chunked"]);
    assert!(request.header("content-length").is_empty());
    assert_eq!(request.header("content-type"), ["application/json; charset=utf-8"]);
    assert_eq!(request.header("user-agent"), ["Azure-Functions-Host/4.1037.0.23568"]);
    assert_eq!(request.header("x-azure-functions-hostversion"), ["4.1037.0.23568"]);
    let port = &test.director.starts()[0].environment["FUNCTIONS_CUSTOMHANDLER_PORT"];
    assert_eq!(request.header("host"), [format!("127.0.0.1:{port}")]);
    let id = request.header("x-azure-functions-invocationid")[0];
    assert!(id.len() == 36 && id == id.to_ascii_lowercase(), "{id}");
    let body = String::from_utf8(request.body.to_vec()).unwrap();
    let (fixed, _) = body.split_once(r#","sys":{"#).unwrap();
    let expected = concat!(
        r#"{"Data":{"events":"[\"eyJ0ZW1wIjoyMS41MH0=\",\"/wBub3QganNvbg==\"]"},"Metadata":{"#,
        r#""TriggerPartitionContext":{"IsCheckpointingAfterInvocation":true,"FullyQualifiedNamespace":"fake.local","EventHubName":"telemetry","ConsumerGroup":"$Default","PartitionId":"0"},"#,
        r#""PartitionContext":{"IsCheckpointingAfterInvocation":true,"FullyQualifiedNamespace":"fake.local","EventHubName":"telemetry","ConsumerGroup":"$Default","PartitionId":"0"},"#,
        r#""PartitionKeyArray":"[null,null]","OffsetArray":"[\"0\",\"504\"]","OffsetStringArray":"[\"0\",\"504\"]","SequenceNumberArray":"[0,1]","#,
        r#""EnqueuedTimeUtcArray":"[\"2024-11-21T00:57:11.123\",\"2024-11-21T00:57:11.123\"]","PropertiesArray":"[{\"sensor\":\"a\"},{\"sensor\":\"a\"}]","#,
        r#""SystemPropertiesArray":"[{\"x-opt-sequence-number\":0,\"x-opt-offset\":\"0\",\"x-opt-enqueued-time\":\"2024-11-21T00:57:11.123+00:00\",\"content-type\":\"a/é\",\"iothub-connection-device-id\":\"dev-1\",\"SequenceNumber\":0,\"Offset\":0,\"OffsetString\":\"0\",\"PartitionKey\":null,\"EnqueuedTimeUtc\":\"2024-11-21T00:57:11.123\"},{\"x-opt-sequence-number\":1,\"x-opt-offset\":\"504\",\"x-opt-enqueued-time\":\"2024-11-21T00:57:11.123+00:00\",\"SequenceNumber\":1,\"Offset\":504,\"OffsetString\":\"504\",\"PartitionKey\":null,\"EnqueuedTimeUtc\":\"2024-11-21T00:57:11.123\"}]""#,
    );
    assert_eq!(fixed, expected);
    assert_eq!(request.json()["Metadata"]["sys"]["MethodName"], "F");
    let sample: Value = serde_json::from_str(MANY_BINARY).unwrap();
    let keys = |value: &Value| value["Metadata"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&request.json()), keys(&sample));
    host.stop().await;
}

#[tokio::test]
async fn a_batch_of_34_megabytes_arrives_whole() {
    let test = TestApp::with_events(1, json!({})).await;
    let body = vec![b'x'; 256 * 1024];
    (0..100).for_each(|_| test.hub.push(0, &body));
    let host = test.start().await;
    drained(&host).await;
    let request = test.director.requests("/F").remove(0);
    assert!(request.body.len() > 34_000_000, "{}", request.body.len());
    let events: Vec<String> =
        serde_json::from_str(request.json()["Data"]["events"].as_str().unwrap()).unwrap();
    assert_eq!(events.len(), 100);
    assert!(events.iter().all(|event| STANDARD.decode(event).unwrap() == body));
    assert_eq!(host.status().failures, 0);
    host.stop().await;
}

#[tokio::test]
async fn a_partition_is_read_in_order_by_batches_of_the_configured_size() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["extensions"] = json!({"eventHubs": {"maxEventBatchSize": 4}});
    test.hub.push_many(0, 10);
    let host = test.start().await;
    drained(&host).await;
    let batches: Vec<_> =
        test.director.requests("/F").iter().map(|request| request.sequence_numbers()).collect();
    assert_eq!(batches, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
    assert_eq!(host.status().partition("0").unwrap().batches, 3);
    host.stop().await;
}

#[tokio::test]
async fn with_cardinality_one_every_event_comes_alone() {
    let test = TestApp::with_events(1, json!({"cardinality": "one", "dataType": "string"})).await;
    test.hub.push_many(0, 3);
    let host = test.start().await;
    drained(&host).await;
    let data: Vec<_> =
        test.director.requests("/F").iter().map(|request| request.json()["Data"]["events"].clone()).collect();
    assert_eq!(data, [r#""{\"n\":0}""#, r#""{\"n\":1}""#, r#""{\"n\":2}""#]);
    host.stop().await;
}

#[tokio::test]
async fn a_small_batch_is_held_until_the_minimum_or_the_longest_wait() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["extensions"] =
        json!({"eventHubs": {"minEventBatchSize": 3, "maxEventBatchSize": 9, "maxWaitTime": "00:00:01"}});
    let host = test.start().await;
    let begun = Instant::now();
    test.hub.push_many(0, 2);
    assert_eq!(test.director.received("/F", 1).await[0].sequence_numbers(), [0, 1]);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    test.hub.push_many(0, 3);
    assert_eq!(test.director.received("/F", 2).await[1].sequence_numbers(), [2, 3, 4]);
    host.stop().await;
}

#[tokio::test]
async fn partitions_are_delivered_at_the_same_time_and_one_batch_each() {
    let mut test = TestApp::with_events(4, json!({})).await;
    test.host_json["extensions"] = json!({"eventHubs": {"maxEventBatchSize": 1}});
    (0..4).for_each(|partition| test.hub.push_many(partition, 2));
    test.director.hold("/F");
    let host = test.start().await;
    let requests = test.director.received("/F", 4).await;
    let mut partitions: Vec<_> = requests.iter().map(crate::director::Recorded::partition).collect();
    partitions.sort();
    assert_eq!(partitions, ["0", "1", "2", "3"]);
    test.director.release("/F");
    drained(&host).await;
    let requests = test.director.requests("/F");
    let first_answers =
        requests.iter().map(|request| request.answered_before).filter(|answers| *answers == 0);
    assert_eq!((requests.len(), first_answers.count()), (8, 4), "a partition waits for its own batch");
    host.stop().await;
}

#[tokio::test]
async fn a_retry_sends_the_same_batch_under_a_new_id_and_says_which_it_is() {
    let test = TestApp::new().await;
    let retry = json!({"strategy": "fixedDelay", "maxRetryCount": 5, "delayInterval": "00:00:00.05"});
    test.add_events("F", json!({}), retry);
    test.director.order("/F", [Order::empty(500), Order::json("[]")]);
    let host = test.start().await;
    test.hub.push(0, "{}");
    drained(&host).await;
    let requests = test.director.requests("/F");
    let contexts: Vec<_> =
        requests.iter().map(|request| request.json()["Metadata"]["RetryContext"].clone()).collect();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        contexts[0],
        json!({"RetryCount": 0, "MaxRetryCount": 5, "Exception": null, "Instance": null, "State": {}})
    );
    assert_eq!((&contexts[1]["RetryCount"], &contexts[2]["RetryCount"]), (&json!(1), &json!(2)));
    assert_eq!(contexts[1]["Exception"]["Message"], "the handler answered 500 Internal Server Error");
    let mut ids: Vec<_> =
        requests.iter().map(|request| request.header("x-azure-functions-invocationid")[0]).collect();
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert!(requests.iter().all(|request| request.json()["Data"] == requests[0].json()["Data"]));
    let status = host.status();
    assert_eq!((status.invocations, status.failures, status.retries), (3, 2, 2));
    assert_eq!(status.partitions[0].checkpoint, Some(1));
    host.stop().await;
}

#[tokio::test]
async fn without_a_policy_there_is_neither_a_retry_nor_a_retry_context() {
    let test = TestApp::with_events(1, json!({})).await;
    test.director.order("/F", [Order::empty(500)]);
    let host = test.start().await;
    test.hub.push(0, "{}");
    drained(&host).await;
    let requests = test.director.requests("/F");
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].json()["Metadata"]["RetryContext"], Value::Null);
    assert_eq!(host.status().partitions[0].checkpoint, Some(1), "the events are lost");
    host.stop().await;
}

#[tokio::test]
async fn retries_that_run_out_lose_the_batch_and_the_partition_goes_on() {
    let mut test = TestApp::new().await;
    test.add_events("F", json!({}), Value::Null);
    test.host_json["retry"] =
        json!({"strategy": "fixedDelay", "maxRetryCount": 1, "delayInterval": "00:00:00"});
    test.director.order("/F", [Order::empty(500), Order::empty(500)]);
    let host = test.start().await;
    test.hub.push(0, "{}");
    drained(&host).await;
    test.hub.push(0, "{}");
    drained(&host).await;
    let batches: Vec<_> =
        test.director.requests("/F").iter().map(|request| request.sequence_numbers()).collect();
    assert_eq!(batches, [vec![0], vec![0], vec![1]]);
    host.stop().await;
}

#[tokio::test]
async fn an_unlimited_retry_outlives_a_crash_and_blocks_only_its_partition() {
    let test = TestApp::with_partitions(2).await;
    let retry = json!({
        "strategy": "exponentialBackoff", "maxRetryCount": -1,
        "minimumInterval": "00:00:00.02", "maximumInterval": "00:00:00.1"
    });
    test.add_events("F", json!({}), retry);
    let host = test.start().await;
    host.restart_without_limit();
    test.director.order("/F", [Order::abort(), Order::empty(503), Order::abort()]);
    test.hub.push(0, "{}");
    drained(&host).await;
    assert_eq!(host.status().partition("0").unwrap().checkpoint, Some(1));
    let last = test.director.requests("/F").pop().unwrap();
    assert!(last.json()["Metadata"]["RetryContext"]["RetryCount"].as_u64().unwrap() >= 3);
    test.director.always("/F", Order::empty(500));
    test.hub.push(0, "{}");
    test.director.received("/F", 7).await;
    assert_eq!(host.status().partition("0").unwrap().checkpoint, Some(1), "stuck until it succeeds");
    test.director.always("/F", Order::success());
    test.hub.push(1, "{}");
    drained(&host).await;
    host.stop().await;
}

#[tokio::test]
async fn a_poison_body_fails_the_whole_batch_before_the_handler_when_bodies_are_parsed() {
    let test = TestApp::with_events(1, json!({"dataType": null})).await;
    test.hub.push(0, r#"{"a":1}"#);
    test.hub.push(0, "\u{fffd}not json");
    let host = test.start().await;
    drained(&host).await;
    assert!(test.director.requests("/F").is_empty());
    let status = host.status();
    assert_eq!((status.invocations, status.failures, status.partitions[0].checkpoint), (1, 1, Some(2)));
    assert!(test.log_text().contains("the body of event 1 is not JSON at line 1"), "{}", test.log_text());
    test.hub.push(0, r#"{"t":21.50}"#);
    drained(&host).await;
    assert_eq!(test.director.requests("/F")[0].json()["Data"]["events"], r#"[{"t":21.5}]"#);
    host.stop().await;
}

#[tokio::test]
async fn a_restarted_host_goes_on_at_its_checkpoint() {
    let mut test = TestApp::with_events(2, json!({"consumerGroup": "functions"})).await;
    test.config.data_dir = Some(test.folder("data"));
    let host = test.start().await;
    test.hub.push_many(1, 3);
    drained(&host).await;
    host.stop().await;
    test.hub.push_many(1, 2);
    let host = test.start().await;
    drained(&host).await;
    let batches: Vec<_> =
        test.director.requests("/F").iter().flat_map(|request| request.sequence_numbers()).collect();
    assert_eq!(batches, [0, 1, 2, 3, 4]);
    assert_eq!(host.status().partition("1").unwrap().checkpoint, Some(5));
    host.stop().await;
}

#[tokio::test]
async fn a_batch_in_flight_at_a_stop_is_not_checkpointed_and_comes_again() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.config.data_dir = Some(test.folder("data"));
    let host = test.start().await;
    test.hub.push(0, "first");
    drained(&host).await;
    test.director.hold("/F");
    test.hub.push(0, "second");
    test.director.received("/F", 2).await;
    host.stop().await;
    test.director.release("/F");
    let host = test.start().await;
    drained(&host).await;
    let batches: Vec<_> =
        test.director.requests("/F").iter().map(|request| request.sequence_numbers()).collect();
    assert_eq!(batches, [[0], [1], [1]]);
    host.stop().await;
}

#[tokio::test]
async fn a_batch_in_flight_at_a_drop_is_not_checkpointed_and_comes_again() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.config.data_dir = Some(test.folder("data"));
    let host = test.start().await;
    test.director.hold("/F");
    test.hub.push(0, "only");
    test.director.received("/F", 1).await;
    drop(host);
    test.director.release("/F");
    let host = test.start().await;
    drained(&host).await;
    assert_eq!(test.director.requests("/F").len(), 2);
    host.stop().await;
}

#[tokio::test]
async fn a_host_that_gives_up_leaves_its_batch_to_the_next_one() {
    let mut test = TestApp::new().await;
    let retry = json!({"strategy": "fixedDelay", "maxRetryCount": -1, "delayInterval": "00:00:00.05"});
    test.add_events("F", json!({}), retry);
    test.config.data_dir = Some(test.folder("data"));
    test.director.always("/F", Order::abort());
    test.hub.push(0, "{}");
    let host = test.start().await;
    within("the end of the host", PATIENCE, host.stopped()).await;
    let moved = |status: &HostStatus| status.partitions[0].checkpoint.is_some();
    let waited = host.reached(Duration::from_millis(300), moved).await;
    assert!(waited.is_err(), "{waited:?}");
    drop(host);
    test.director.always("/F", Order::success());
    let host = test.start().await;
    drained(&host).await;
    assert_eq!(test.director.requests("/F").pop().unwrap().sequence_numbers(), [0]);
    host.stop().await;
}

#[tokio::test]
async fn a_checkpoint_is_stored_only_every_so_many_batches_when_configured() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["extensions"] =
        json!({"eventHubs": {"maxEventBatchSize": 1, "batchCheckpointFrequency": 2}});
    test.hub.push_many(0, 3);
    let host = test.start().await;
    drained(&host).await;
    let status = host.status();
    assert_eq!((status.partitions[0].checkpoint, status.partitions[0].position), (Some(2), 3));
    host.stop().await;
}

#[tokio::test]
async fn a_partition_without_a_checkpoint_can_begin_at_its_end() {
    let mut test = TestApp::with_events(1, json!({})).await;
    test.host_json["extensions"] = json!({"eventHubs": {"initialOffsetOptions": {"type": "fromEnd"}}});
    test.hub.push_many(0, 2);
    let host = test.start().await;
    host.reached(PATIENCE, |status| status.partition("0").is_some_and(|entry| entry.position == 2))
        .await
        .unwrap();
    test.hub.push(0, "new");
    drained(&host).await;
    assert_eq!(test.director.requests("/F")[0].sequence_numbers(), [2]);
    host.stop().await;
}

#[tokio::test]
async fn a_hub_that_comes_late_or_goes_away_is_waited_for() {
    let test = TestApp::with_events(1, json!({})).await;
    test.hub.fail(true);
    let host = test.start().await;
    test.logged("the event source cannot be read").await;
    test.hub.push(0, "{}");
    test.hub.fail(false);
    drained(&host).await;
    test.hub.fail(true);
    test.logged_times("the event source cannot be read", 2).await;
    assert!(host.drained(Duration::from_millis(200)).await.is_err(), "an unreadable hub is not drained");
    test.hub.fail(false);
    test.hub.push(0, "{}");
    drained(&host).await;
    assert_eq!(test.director.requests("/F").len(), 2);
    host.stop().await;
}

#[tokio::test]
async fn a_hub_that_lost_its_events_is_read_from_its_start() {
    let test = TestApp::with_events(1, json!({})).await;
    let host = test.start().await;
    test.hub.push_many(0, 3);
    drained(&host).await;
    test.hub.clear();
    test.hub.push(0, "{}");
    drained(&host).await;
    assert_eq!(test.director.requests("/F").pop().unwrap().sequence_numbers(), [0]);
    host.stop().await;
}
