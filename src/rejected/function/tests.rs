//! Pages of rejected readings: all of them, newest first, whatever the size of the pages.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::primitives::ids::{HubPartition, Position};
use crate::rejected::reading::{Reason, Rejection};
use crate::store::Store;
use crate::store::shard::Shards;

fn rejected(partition: &str, sequence: i64, at: i64, device: Option<&str>) -> RejectedReading {
    RejectedReading {
        rejection: Rejection {
            device: device.map(str::to_owned),
            ..Rejection::new(Reason::OutOfRange, "too hot")
        },
        body: b"{}".to_vec(),
        body_length: 2,
        position: Position { partition: HubPartition::new("hub", partition), sequence: Some(sequence) },
        index: 0,
        enqueued_at: Some(Millis(at)),
        rejected_at: Millis(at + 5),
    }
}

/// Reads page by page to the end.
async fn read_all(store: &RejectedRows, query: &str) -> Vec<RejectedReading> {
    let (mut all, mut next) = (Vec::new(), String::new());
    loop {
        let wanted = Wanted::parse(&format!("{query}{next}")).unwrap();
        let (readings, continuation) = read(store, &wanted).await.unwrap();
        assert!(readings.len() <= wanted.limit);
        all.extend(readings);
        match continuation {
            Some(continuation) => next = format!("&continuation={}", opaque::encode(&continuation)),
            None => return all,
        }
    }
}

async fn store_with(readings: &[RejectedReading]) -> RejectedRows {
    let store = Store::new(Arc::new(fieldcast_tables::MemoryStore::new()), Shards::new("Sydney", 1));
    let rows = RejectedRows::new(Arc::new(store));
    rows.keep(readings, 7, Instant::now() + PATIENCE).await.unwrap();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn pages_give_every_reading_once_and_newest_first(
        // Times run forward within each partition.
        steps in prop::collection::vec((0..3_usize, 0..4_i64), 0..120),
        limit in 1..40_usize,
    ) {
        let mut now = [0_i64; 3];
        let readings: Vec<RejectedReading> = (0..).zip(&steps).map(|(sequence, &(partition, step))| {
            now[partition] += step;
            rejected(&partition.to_string(), sequence, now[partition], None)
        }).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let read = runtime.block_on(async {
            read_all(&store_with(&readings).await, &format!("limit={limit}")).await
        });
        let places = |all: &[RejectedReading]| -> BTreeSet<_> {
            all.iter().map(|one| (one.partition_key(), one.row_key())).collect()
        };
        prop_assert_eq!(read.len(), readings.len());
        prop_assert_eq!(places(&read), places(&readings));
        prop_assert!(read.is_sorted_by_key(|one| std::cmp::Reverse(one.enqueued_at)));
    }
}

#[tokio::test]
async fn an_answer_ends_when_it_is_large_and_goes_on_where_it_ended() {
    let large =
        |n| RejectedReading { body: vec![b'x'; RejectedReading::MOST_BYTES], ..rejected("0", n, n, None) };
    let store = store_with(&(0..200).map(large).collect::<Vec<_>>()).await;
    let wanted = Wanted::parse("limit=1000").unwrap();
    let (first, continuation) = read(&store, &wanted).await.unwrap();
    assert!(
        (first.len() - 1) * RejectedReading::MOST_BYTES < ENOUGH_BYTES && first.len() < 200,
        "{}",
        first.len()
    );
    assert!(continuation.is_some());
    assert_eq!(read_all(&store, "limit=1000").await.len(), 200);
}

#[tokio::test]
async fn one_device_can_be_asked_for() {
    let device = |n: i64| (n % 3 == 0).then_some("a/b");
    let readings: Vec<_> = (0..90).map(|n| rejected("0", n, n, device(n))).collect();
    let store = store_with(&readings).await;
    assert_eq!(read_all(&store, "limit=7&deviceId=a%2Fb").await.len(), 30);
    assert!(read_all(&store, "deviceId=c").await.is_empty());
}

#[test]
fn a_body_is_text_where_it_was() {
    let mut rejected = rejected("0", 7, 1_000, None);
    let shown = |rejected: &RejectedReading| serde_json::to_value(Shown::from(rejected)).unwrap();
    assert_eq!(
        shown(&rejected),
        json!({
            "deviceId": null, "reason": "out_of_range", "detail": "too hot", "body": "{}", "bodyLength": 2,
            "partition": "hub/0", "sequenceNumber": 7, "reading": 0,
            "enqueuedAt": "1970-01-01T00:00:01.000Z", "rejectedAt": "1970-01-01T00:00:01.005Z",
        })
    );
    rejected.body = vec![0xff, 0];
    assert_eq!((&shown(&rejected)["body"], &shown(&rejected)["bodyBase64"]), (&json!(null), &json!("/wA=")));
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let code = |query: &str| Wanted::parse(query).err().map(|(code, _)| code);
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit="] {
        assert_eq!(code(query), Some("bad_limit"), "{query}");
    }
    assert_eq!(code("deviceId="), Some("bad_filter"));
    assert_eq!(code(&format!("deviceId={}", "d".repeat(256))), None);
    assert_eq!(code(&format!("deviceId={}", "d".repeat(257))), Some("bad_filter"));
    let forged = |partition: &str, after: &str| {
        let partitions = vec![(partition.to_owned(), Some(after.to_owned()))];
        opaque::encode(&Continuation { device: None, partitions })
    };
    let many = |count: usize, repeat: usize| {
        let partitions = (0..count).map(|number| (format!("hub-{:03}", number / repeat), None)).collect();
        opaque::encode(&Continuation { device: None, partitions })
    };
    assert_eq!(code(&format!("continuation={}", many(MOST_PARTITIONS, 1))), None);
    let long = "k".repeat(LONGEST_KEY + 1);
    for text in [
        "x",
        &URL_SAFE_NO_PAD.encode("{}"),
        &forged("a/b", "c"),
        &forged("a", "c?d"),
        &forged(&long, "c"),
        &forged("a", &long),
        &many(MOST_PARTITIONS + 1, 1),
        &many(2, 2),
    ] {
        assert_eq!(code(&format!("continuation={text}")), Some("bad_continuation"), "{text}");
    }
    let genuine = forged("hub-0", "7");
    assert_eq!(code(&format!("continuation={genuine}")), None);
    assert_eq!(code(&format!("deviceId=d&continuation={genuine}")), Some("bad_continuation"));
}
