//! The read side: partitions, numbering, long polls, several readers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fieldcast_iot_hub::{HubConfig, StatusCode};
use serde_json::{Value, json};

use crate::support::{DEADLINE, TestHub, config, events, numbers, refusal, texts};

/// `sensor-1` belongs to partition 3 of 4.
const PARTITION: usize = 3;

async fn sent(count: usize) -> TestHub {
    let test = TestHub::new().await;
    for index in 0..count {
        test.send("sensor-1", index.to_string()).await;
    }
    test
}

#[tokio::test]
async fn partitions_are_listed() {
    let test = TestHub::new().await;
    for name in ["fieldcast", "FieldCast"] {
        let url = test.url(&format!("/$events/{name}/partitions"));
        let answer = test.http.get(url).send().await.expect("an answer").bytes().await.expect("a body");
        let expected = json!({"namespace": "fieldcast.local", "entity": "fieldcast", "partitions": ["0", "1", "2", "3"]});
        assert_eq!(serde_json::from_slice::<Value>(&answer).expect("JSON"), expected);
    }
}

#[tokio::test]
async fn unknown_entities_and_partitions_are_404() {
    let test = TestHub::new().await;
    for path in ["other/partitions", "other/partitions/0", "fieldcast/partitions/4", "fieldcast/partitions/x"]
    {
        let answer = test.http.get(test.url(&format!("/$events/{path}"))).send().await.expect("an answer");
        assert_eq!(refusal(answer).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn numbers_that_are_none_are_400() {
    let test = TestHub::new().await;
    for query in ["from=x", "from=-1", "max=0", "max=1e3", "wait=soon"] {
        let url = test.url(&format!("/$events/fieldcast/partitions/0?{query}"));
        let answer = test.http.get(url).send().await.expect("an answer");
        assert_eq!(refusal(answer).await.0, StatusCode::BAD_REQUEST, "{query}");
    }
}

#[tokio::test]
async fn a_reader_gets_what_it_asks_for() {
    let test = sent(10).await;
    let numbers_of = async |query: &str| numbers(&events(&test.read(PARTITION, query).await));
    assert_eq!(numbers_of("").await, (0..10).collect::<Vec<_>>());
    assert_eq!(numbers_of("from=3&max=4").await, [3, 4, 5, 6]);
    assert_eq!(numbers_of("from=9").await, [9]);
    assert_eq!(numbers_of("from=10").await, [0_u64; 0]);
    let answer = test.read(PARTITION, "from=3&max=1").await;
    assert_eq!((&answer["first"], &answer["last"]), (&json!(0), &json!(9)));
}

#[tokio::test]
async fn an_empty_partition_has_no_last_number() {
    let test = TestHub::new().await;
    assert_eq!(test.read(0, "").await, json!({"events": [], "first": null, "last": null}));
}

#[tokio::test]
async fn a_wait_without_events_ends_with_none() {
    let test = sent(1).await;
    let start = Instant::now();
    let answer = test.read(PARTITION, "from=1&wait=200").await;
    assert!(events(&answer).is_empty() && answer["last"] == 0);
    assert!(start.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn an_event_wakes_the_readers_that_wait_for_it() {
    let test = Arc::new(sent(1).await);
    let waiting = |from: u64| {
        let test = Arc::clone(&test);
        tokio::spawn(async move { test.read(PARTITION, &format!("from={from}&wait=60000")).await })
    };
    let (first, second, later) = (waiting(1), waiting(1), waiting(2));
    // The readers get the event whether they wait already or not; a wait of a minute would miss the deadline.
    test.send("sensor-1", "awaited").await;
    for reader in [first, second] {
        let answer = tokio::time::timeout(DEADLINE, reader).await.expect("woken").expect("read");
        assert_eq!(texts(&events(&answer)), ["awaited"]);
    }
    assert!(!later.is_finished());
    test.send("sensor-1", "second").await;
    let answer = tokio::time::timeout(DEADLINE, later).await.expect("woken").expect("read");
    assert_eq!(numbers(&events(&answer)), [2]);
}

#[tokio::test]
async fn an_event_in_another_partition_wakes_nobody() {
    let test = TestHub::new().await;
    let (answer, ()) = tokio::join!(test.read(0, "from=0&wait=300"), test.send("sensor-1", "elsewhere"));
    assert!(events(&answer).is_empty());
}

#[tokio::test]
async fn two_readers_do_not_disturb_each_other() {
    let test = sent(6).await;
    let mut seen = [Vec::new(), Vec::new()];
    for (from, max) in [(0, 2), (2, 2), (4, 2)] {
        for (reader, seen) in seen.iter_mut().enumerate() {
            let max = max + reader;
            seen.extend(numbers(&events(&test.read(PARTITION, &format!("from={from}&max={max}")).await)));
        }
    }
    assert_eq!(seen[0], [0, 1, 2, 3, 4, 5]);
    assert_eq!(seen[1], [0, 1, 2, 2, 3, 4, 4, 5]);
}

#[tokio::test]
async fn stopping_ends_long_polls_and_frees_the_port() {
    let test = sent(1).await;
    let address = test.hub.address();
    let poll = test.http.get(test.url("/$events/fieldcast/partitions/0?from=0&wait=60000"));
    let reader = tokio::spawn(poll.send());
    test.send("sensor-1", "meanwhile").await;
    tokio::time::timeout(DEADLINE, test.hub.stop()).await.expect("stopped");
    // A poll that the hub has read is answered; a later one finds the connection closed.
    let ended = tokio::time::timeout(DEADLINE, reader).await.expect("ended before its minute was over");
    if let Ok(answer) = ended.expect("joined") {
        assert_eq!(answer.status(), StatusCode::OK);
    }
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    TestHub::with(HubConfig { listen: address, ..config() }).await.hub.stop().await;
}
