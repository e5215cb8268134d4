//! Rows are kept once whatever happens on the way, listed to the last, and deleted when they are old.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use fieldcast_tables::{
    Call, Entity, Fault, Faulty, MemoryStore, Recorded, Rule, TableName, TableStore, Value,
};
use proptest::prelude::*;

use super::*;
use crate::primitives::ids::{HubPartition, Position};
use crate::rejected::body::RejectedElements;
use crate::rejected::reading::{Reason, Rejection};
use crate::store::shard::Shards;

const DAY: i64 = 24 * 60 * 60 * 1_000;
const NOW: i64 = 20_000 * DAY;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

/// Rejected rows over a store that fails as told and remembers its calls.
struct Bench {
    memory: Arc<MemoryStore>,
    faulty: Arc<Faulty>,
    recorded: Arc<Recorded>,
    rows: RejectedRows,
}

impl Bench {
    fn new() -> Bench {
        Bench::on(Arc::new(MemoryStore::new()))
    }

    /// A process of its own on this store.
    fn on(memory: Arc<MemoryStore>) -> Bench {
        let faulty = Arc::new(Faulty::new(Arc::clone(&memory) as Arc<dyn TableStore>));
        let recorded = Arc::new(Recorded::new(Arc::clone(&faulty) as Arc<dyn TableStore>));
        let store = Store::new(Arc::clone(&recorded) as Arc<dyn TableStore>, Shards::new("Sydney", 1));
        Bench { memory, faulty, recorded, rows: RejectedRows::new(Arc::new(store)) }
    }

    async fn keep(&self, bodies: Vec<RejectedBody>) {
        self.rows.keep(bodies, 7, soon()).await.unwrap();
    }

    /// Everything that is stored, whatever its keys.
    fn stored(&self) -> Vec<RejectedBody> {
        let table = TableName::new(tables::REJECTED_TELEMETRY).unwrap();
        self.memory.rows_by_hand(&table).iter().map(|stored| row::body(&stored.entity).unwrap()).collect()
    }

    fn set_by_hand(&self, entity: Entity) {
        self.memory.set_by_hand(&TableName::new(tables::REJECTED_TELEMETRY).unwrap(), entity);
    }

    /// Page by page to the end; no page is longer than wanted.
    async fn list(&self, device: Option<&str>, limit: usize) -> Vec<RejectedBody> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let device = device.map(str::to_owned);
            let query = ListQuery { device, after, limit, enough_bytes: 1_000_000 };
            let Listed { bodies, next } = self.rows.list(&query, soon()).await.unwrap();
            assert!(bodies.len() <= limit);
            all.extend(bodies);
            match next {
                Some(_) => after = next,
                None => return all,
            }
        }
    }
}

fn rejected(elements: &[(usize, Reason)], device: &str) -> RejectedElements {
    let mut rejected = RejectedElements::default();
    for &(index, reason) in elements {
        let rejection = Rejection { device: Some(device.to_owned()), ..Rejection::new(reason, "too hot") };
        rejected.reject(index, rejection, || b"{}".to_vec());
    }
    rejected
}

fn body(partition: &str, sequence: i64, at: i64) -> RejectedBody {
    RejectedBody {
        position: Position { partition: HubPartition::new("hub", partition), sequence: Some(sequence) },
        enqueued_at: Some(Millis(at)),
        rejected_at: Millis(at + 5),
        body: Bytes::from_static(b"[{},{}]"),
        body_length: 7,
        rejected: rejected(&[(0, Reason::OutOfRange)], "a"),
    }
}

fn with(elements: &[(usize, Reason)], sequence: i64) -> RejectedBody {
    RejectedBody { rejected: rejected(elements, "a"), ..body("0", sequence, NOW) }
}

#[tokio::test(start_paused = true)]
async fn parts_of_a_body_are_one_row_in_which_an_element_keeps_its_reason() {
    let bench = Bench::new();
    bench.keep(vec![with(&[(3, Reason::WrongType)], 1), with(&[(4, Reason::WrongType)], 1)]).await;
    let part = with(&[(0, Reason::OutOfRange), (3, Reason::OutOfRange)], 1);
    bench.keep(vec![part.clone(), with(&[(9, Reason::WrongType)], 2)]).await;
    Bench::on(Arc::clone(&bench.memory)).keep(vec![part]).await;
    let mut stored = bench.stored();
    stored.sort_by_key(|body| body.position.sequence);
    let [one, two] = stored.try_into().unwrap();
    assert_eq!(one.rejected.count(), 3);
    let of_reason =
        |code| one.rejected.by_reason().iter().find(|(reason, _)| reason == code).unwrap().1.to_text(99);
    assert_eq!((of_reason("wrong_type"), of_reason("out_of_range")), ("3-4".to_owned(), "0".to_owned()));
    assert_eq!(one.rejected.samples().iter().map(|one| one.index).collect::<Vec<_>>(), [0, 3, 4]);
    assert_eq!(two.rejected.count(), 1);
}

/// Each way in which a write can fail, at each step.
#[tokio::test(start_paused = true)]
async fn a_body_is_kept_once_whatever_happens_to_the_writes() {
    for fault in [Fault::Conflict, Fault::RequestLost, Fault::AnswerLost] {
        for times in 1..4 {
            let bench = Bench::new();
            bench.keep(vec![with(&[(0, Reason::WrongType)], 1)]).await;
            bench.faulty.fail(Rule::next(fault).of(Call::Transact).times(times));
            let part = with(&[(0, Reason::OutOfRange), (1, Reason::OutOfRange)], 1);
            bench.keep(vec![part, with(&[(5, Reason::OutOfRange)], 2)]).await;
            let mut counts: Vec<usize> = bench.stored().iter().map(|body| body.rejected.count()).collect();
            counts.sort_unstable();
            assert_eq!(counts, [1, 2], "{fault:?} {times} times");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_stays_in_trouble_ends_at_the_deadline() {
    let bench = Bench::new();
    bench.keep(vec![with(&[(0, Reason::WrongType)], 1)]).await;
    bench.faulty.fail(Rule::next(Fault::RequestLost).of(Call::Transact).times(1_000));
    let began = Instant::now();
    let error = bench.rows.keep(vec![with(&[(0, Reason::WrongType)], 2)], 7, soon()).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(began.elapsed() <= Duration::from_secs(30) && began.elapsed() > Duration::from_secs(15));
}

fn many(count: i64) -> Vec<RejectedBody> {
    (0..count).map(|n| body("0", n, NOW + n)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_was_kept_is_not_asked_for_again() {
    let bench = Bench::new();
    bench.keep(many(1_000)).await;
    let mut calls = bench.recorded.take();
    calls.retain(|call| call.table.as_str() == tables::REJECTED_TELEMETRY);
    let written: usize = calls.iter().map(|call| call.operations).sum();
    assert!(written == 1_000 && calls.len() < 40, "{} calls", calls.len());
    bench.keep(many(1_000)).await;
    assert!(bench.recorded.take().is_empty(), "this process knows");
    let other = Bench::on(Arc::clone(&bench.memory));
    other.keep(many(1_000)).await;
    let reads = other.recorded.count(Call::Query);
    assert!(reads <= 18, "another one asks once a partition: {reads} queries");
    assert_eq!(bench.stored().len(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn large_bodies_are_spread_over_transactions() {
    let bench = Bench::new();
    let large = |body: RejectedBody| RejectedBody {
        body: vec![b'"'; 256 * 1024].into(),
        body_length: 256 * 1024,
        ..body
    };
    bench.keep(many(100).into_iter().map(large).collect()).await;
    assert!(bench.stored().iter().all(|body| body.body.len() == 256 * 1024));
    assert_eq!(bench.stored().len(), 100);
    assert!(bench.recorded.take().iter().all(|call| call.operations <= 11));
}

/// The hub partition, the step of time, and whether it is of the device.
fn steps() -> impl Strategy<Value = Vec<(usize, i64, bool)>> {
    let time = prop_oneof![0..4_i64, 0..DAY, 0..40 * DAY];
    prop::collection::vec((0..3_usize, time, any::<bool>()), 0..160)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn the_list_gives_every_body_once_and_newest_first(
        steps in steps(), limit in 1..40_usize, page in prop_oneof![1..8_usize, Just(1_000)], only_a: bool,
    ) {
        let mut at = NOW;
        let bodies: Vec<RejectedBody> = (0..).zip(&steps).map(|(sequence, &(partition, step, is_a))| {
            at += step;
            let rejected = rejected(&[(0, Reason::WrongType)], if is_a { "a" } else { "b" });
            RejectedBody { rejected, ..body(&partition.to_string(), sequence, at) }
        }).collect();
        let wanted = bodies.iter().filter(|body| !only_a || body.device() == Some("a"));
        let wanted: BTreeSet<Key> = wanted.map(RejectedBody::key).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let listed = runtime.block_on(async {
            let bench = Bench::on(Arc::new(MemoryStore::new().with_page_size(page)));
            bench.keep(bodies).await;
            bench.list(only_a.then_some("a"), limit).await
        });
        prop_assert_eq!(listed.len(), wanted.len());
        prop_assert_eq!(listed.iter().map(RejectedBody::key).collect::<BTreeSet<_>>(), wanted);
        prop_assert!(listed.is_sorted_by_key(|one| std::cmp::Reverse(one.enqueued_at)));
    }
}

/// A row as earlier versions wrote it.
fn earlier(partition: &str, sequence: i64, at: i64) -> Entity {
    let row = format!("{:019}-{:06}", i64::MAX - sequence, 0);
    Entity::new(format!("hub-{partition}"), row)
        .with("Reason", "out_of_range")
        .with("Detail", "too hot")
        .with("DeviceId", "a")
        .with("Body", b"{}".to_vec())
        .with("BodyLength", 2_i64)
        .with("HubPartition", format!("hub/{partition}"))
        .with("SequenceNumber", sequence)
        .with("ReadingIndex", 0_i64)
        .with("RejectedAt", Value::DateTime(Millis(at).to_text()))
}

#[tokio::test(start_paused = true)]
async fn rows_of_earlier_versions_are_listed_behind_the_others_of_every_partition() {
    let bench = Bench::on(Arc::new(MemoryStore::new().with_page_size(7)));
    bench.keep(many(20)).await;
    for partition in 1..=100 {
        for sequence in 0..3 {
            bench.set_by_hand(earlier(&partition.to_string(), sequence, NOW));
        }
    }
    for device in [None, Some("a")] {
        let listed = bench.list(device, 9).await;
        let new = listed.iter().take(20).filter(|body| body.enqueued_at.is_some()).count();
        assert_eq!((listed.len(), new), (320, 20));
        let places: BTreeSet<String> = listed.iter().map(|body| format!("{:?}", body.position)).collect();
        assert_eq!(places.len(), 320);
    }
    assert!(bench.list(Some("nobody"), 9).await.is_empty());
}

/// One device among very many rows of others: the call ends with a place to go on from.
#[tokio::test(start_paused = true)]
async fn a_call_reads_a_bounded_number_of_rows_however_rare_the_wanted_ones_are() {
    let bench = Bench::on(Arc::new(MemoryStore::new().with_page_size(2)));
    bench.keep(many(2_000)).await;
    bench.recorded.take();
    let query = ListQuery { device: Some("nobody".to_owned()), after: None, limit: 10, enough_bytes: 1 };
    let listed = bench.rows.list(&query, soon()).await.unwrap();
    let reads = bench.recorded.count(Call::Query);
    assert!(listed.bodies.is_empty() && listed.next.is_some() && reads < 130, "{reads} reads");
    assert!(bench.list(Some("nobody"), 10).await.is_empty(), "it ends");
}

#[tokio::test(start_paused = true)]
async fn months_of_few_rows_cost_few_reads() {
    let bench = Bench::new();
    bench.keep((0..90).map(|n| body("0", n, NOW + n * DAY)).collect()).await;
    bench.recorded.take();
    assert_eq!(bench.list(None, 100).await.len(), 90);
    let reads = bench.recorded.count(Call::Query);
    assert!(reads <= 100, "{reads} reads");
}

#[tokio::test(start_paused = true)]
async fn a_list_ends_when_it_is_large_and_goes_on_where_it_ended() {
    let bench = Bench::new();
    let large =
        |body: RejectedBody| RejectedBody { body_length: 200_000, body: vec![0; 200_000].into(), ..body };
    bench.keep(many(30).into_iter().map(large).collect()).await;
    let query = ListQuery { limit: 1_000, enough_bytes: 1_000_000, ..ListQuery::default() };
    let listed = bench.rows.list(&query, soon()).await.unwrap();
    assert!(listed.bodies.len() == 5 && listed.next.is_some(), "{}", listed.bodies.len());
    assert_eq!(bench.list(None, 1_000).await.len(), 30);
}

#[tokio::test(start_paused = true)]
async fn old_rows_are_deleted_and_no_others() {
    let bench = Bench::on(Arc::new(MemoryStore::new().with_page_size(90)));
    bench.keep((0..500).map(|n| body("0", n, NOW - n * DAY / 10)).collect()).await;
    let undated = |n, at| RejectedBody { enqueued_at: None, rejected_at: Millis(at), ..body("0", n, at) };
    bench.keep(vec![undated(1, NOW - 20 * DAY), undated(2, NOW - DAY)]).await;
    bench.set_by_hand(earlier("1", 1, NOW - 20 * DAY));
    bench.set_by_hand(earlier("2", 1, NOW - DAY));
    let before = Millis(NOW - 10 * DAY);
    bench.faulty.fail(Rule::next(Fault::Conflict).of(Call::Transact));
    let first = bench.rows.delete_before(before, soon()).await.unwrap();
    assert!(!first.is_complete && first.rows > 300, "{first:?}");
    let second = bench.rows.delete_before(before, soon()).await.unwrap();
    assert_eq!((second.is_complete, first.rows + second.rows), (true, 401));
    let left = bench.stored();
    assert!(left.iter().all(|body| body.enqueued_at.unwrap_or(body.rejected_at) >= before));
    assert_eq!(left.len(), 103, "the day of that moment stays as a whole");
    let nothing = bench.rows.delete_before(before, soon()).await.unwrap();
    assert_eq!(nothing, Deleted { rows: 0, is_complete: true });
}

#[tokio::test(start_paused = true)]
async fn a_call_deletes_as_much_as_its_time_allows() {
    let bench = Bench::new();
    bench.keep(many(25_000)).await;
    let far = Millis(NOW + 100 * DAY);
    let deleted = bench.rows.delete_before(far, soon()).await.unwrap();
    assert_eq!(deleted, Deleted { rows: 25_000, is_complete: true });
}
