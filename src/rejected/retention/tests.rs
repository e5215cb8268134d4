//! Ticks against a store: what they delete, what they leave, and what they say of it.

use fieldcast_tables::{
    Call, Deadline, Delayed, Entity, Fault, Faulty, MemoryStore, Pause, Query, Rule, Table, TableName,
    TableStore, Value,
};
use proptest::prelude::*;

use super::*;
use crate::primitives::ids::{HubPartition, Position};
use crate::rejected::body::{RejectedBody, RejectedElements};
use crate::rejected::reading::{Reason, Rejection};
use crate::store::Store;
use crate::store::shard::Shards;

const DAY: i64 = 86_400_000;
const NOW: Millis = Millis(1_790_000_000_000);

/// The store of an app, and its function on it.
struct Bench {
    faults: Arc<Faulty>,
    rows: Arc<RejectedRows>,
}

impl Bench {
    fn new() -> Bench {
        // Small pages, so that rows are deleted while they are read.
        let faults = Arc::new(Faulty::new(Arc::new(MemoryStore::new().with_page_size(3))));
        let rows: Arc<dyn TableStore> = Arc::clone(&faults) as _;
        let rows = Arc::new(RejectedRows::new(Arc::new(Store::new(rows, Shards::new("Sydney", 1)))));
        Bench { faults, rows }
    }

    /// Keeps a reading of a partition for each of these ages in days.
    async fn keep(&self, partition: &str, ages: &[i64]) {
        let bodies = (0..).zip(ages).map(|(n, age)| rejected(partition, n, *age)).collect();
        self.rows.keep(bodies, 7, Instant::now() + TIME).await.unwrap();
    }

    async fn tick(&self, retention: Retention) -> String {
        let function = RejectedRetention { rows: Arc::clone(&self.rows), retention, clock: Arc::new(|| NOW) };
        format!("{:?}", function.answer().await)
    }

    fn table(&self) -> Table {
        let name = TableName::new("RejectedTelemetry").unwrap();
        Table::new(Arc::clone(&self.faults) as Arc<dyn TableStore>, name)
    }

    /// The ages that are left, in days.
    async fn ages(&self) -> Vec<i64> {
        let rows = self.table().query_all(&Query::everything(), Deadline::after(TIME)).await.unwrap();
        let age = |entity: &Entity| {
            let at = entity.get("RejectedAt").or_else(|| entity.get("RefusedAt")).and_then(Value::as_str);
            (NOW.0 - Millis::parse(at.unwrap()).unwrap().0) / DAY
        };
        let mut ages: Vec<_> = rows.iter().map(|row| age(&row.entity)).collect();
        ages.sort_unstable();
        ages
    }
}

/// A body of which the host did not say when it was enqueued: when it was rejected counts.
fn rejected(partition: &str, sequence: i64, age: i64) -> RejectedBody {
    let mut rejected = RejectedElements::default();
    rejected.reject(0, Rejection::new(Reason::OutOfRange, "too hot"), Vec::new);
    RejectedBody {
        position: Position { partition: HubPartition::new("hub", partition), sequence: Some(sequence) },
        enqueued_at: None,
        rejected_at: Millis(NOW.0 - age * DAY),
        body: b"{}"[..].into(),
        body_length: 2,
        rejected,
    }
}

#[test]
fn the_end_is_so_many_days_ago() {
    assert_eq!(Retention::of_days(90).end(NOW), Some(Millis(NOW.0 - 90 * DAY)));
    assert_eq!(Retention::of_days(0).end(NOW), None);
    assert_eq!(Retention::of_days(u32::MAX).end(Millis(i64::MIN)), Some(Millis(i64::MIN)));
}

#[tokio::test]
async fn a_tick_deletes_what_is_too_old_and_another_finds_nothing() {
    let bench = Bench::new();
    bench.keep("0", &[200, 95, 91, 89, 1]).await;
    bench.keep("1", &[300, 90, 0]).await;
    let said = bench.tick(Retention::of_days(90)).await;
    assert!(said.contains("4 rows") && !said.contains("incomplete"), "{said}");
    assert_eq!(bench.ages().await, [0, 1, 89, 90]);
    let said = bench.tick(Retention::of_days(90)).await;
    assert!(said.contains("0 rows") && !said.contains("incomplete"), "{said}");
    assert_eq!(bench.ages().await, [0, 1, 89, 90]);
}

#[tokio::test]
async fn without_an_end_nothing_is_deleted() {
    let bench = Bench::new();
    bench.keep("0", &[10_000]).await;
    let said = bench.tick(Retention::Forever).await;
    assert!(said.contains("for ever"), "{said}");
    assert_eq!(bench.ages().await, [10_000]);
}

#[tokio::test]
async fn rows_of_the_version_before_are_deleted_too_and_those_without_a_moment_stay() {
    let bench = Bench::new();
    bench.keep("0", &[1]).await;
    let at = Value::DateTime(Millis(NOW.0 - 100 * DAY).to_text());
    for row in
        [Entity::new("hub 0", "old").with("RefusedAt", at), Entity::new("hub 0", "other").with("Reason", "x")]
    {
        bench.table().insert(&row, Deadline::after(TIME)).await.unwrap();
    }
    let said = bench.tick(Retention::of_days(90)).await;
    assert!(said.contains("1 rows"), "{said}");
    let left = Query::partition("hub 0");
    let left = bench.table().query_all(&left, Deadline::after(TIME)).await.unwrap();
    assert_eq!(left.iter().map(|row| row.entity.row.as_str()).collect::<Vec<_>>(), ["other"]);
}

#[tokio::test]
async fn a_row_that_was_changed_meanwhile_stays_and_the_others_go() {
    let bench = Bench::new();
    bench.keep("0", &[200, 201, 202]).await;
    bench.faults.fail(Rule::next(Fault::Conflict).of(Call::Transact));
    let said = bench.tick(Retention::of_days(90)).await;
    assert!(said.contains("incomplete"), "{said}");
    assert!(!bench.ages().await.is_empty());
    let said = bench.tick(Retention::of_days(90)).await;
    assert!(!said.contains("incomplete"), "{said}");
    assert!(bench.ages().await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_left_to_the_next_tick() {
    for fault in [Fault::AnswerLost, Fault::RequestLost] {
        let bench = Bench::new();
        bench.keep("0", &[200, 201, 202, 203]).await;
        bench.faults.fail(Rule::next(fault).of(Call::Transact));
        let said = bench.tick(Retention::of_days(90)).await;
        assert!(said.contains("incomplete"), "{fault:?}: {said}");
        let said = bench.tick(Retention::of_days(90)).await;
        assert!(!said.contains("incomplete"), "{fault:?}: {said}");
        assert!(bench.ages().await.is_empty());
    }
}

#[tokio::test]
async fn two_ticks_at_once_delete_each_row_once() {
    let bench = Bench::new();
    bench.keep("0", &[200; 40]).await;
    let retention = Retention::of_days(90);
    let said = tokio::join!(bench.tick(retention), bench.tick(retention), bench.tick(retention));
    assert!(bench.ages().await.is_empty(), "{said:?}");
}

#[tokio::test]
async fn a_store_that_is_busy_is_a_failure_that_says_nothing_to_strangers() {
    let bench = Bench::new();
    bench.keep("0", &[200]).await;
    bench.faults.fail(Rule::next(Fault::Busy).of(Call::Query));
    let said = bench.tick(Retention::of_days(90)).await;
    assert!(said.contains("503") && !said.contains("ServerBusy"), "{said}");
    assert_eq!(bench.ages().await, [200]);
}

#[tokio::test(start_paused = true)]
async fn a_tick_ends_in_time_and_says_that_more_is_left() {
    let bench = Bench::new();
    bench.keep("0", &[200; 90]).await;
    let way = Duration::from_millis(300);
    let slow = Delayed::new(Arc::clone(&bench.faults) as _, Pause { before: way, after: way });
    let store = Arc::new(Store::new(Arc::new(slow), Shards::new("Sydney", 1)));
    let rows = Arc::new(RejectedRows::new(store));
    let retention = Retention::of_days(90);
    let function = RejectedRetention { rows, retention, clock: Arc::new(|| NOW) };
    let begun = Instant::now();
    let said = format!("{:?}", function.answer().await);
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(said.contains("incomplete"), "{said}");
    let left = bench.ages().await.len();
    assert!(0 < left && left < 90, "{left} left");
    // Ticks go on until nothing is left.
    for _ in 0..20 {
        drop(function.answer().await);
    }
    assert!(bench.ages().await.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn exactly_what_is_too_old_goes(
        ages in prop::collection::vec((0..3_i64, 0..200_i64), 0..60),
        days in 1..200_u32,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bench = Bench::new();
            for partition in 0..3 {
                let own = ages.iter().filter(|(at, _)| *at == partition).map(|(_, age)| *age);
                bench.keep(&partition.to_string(), &own.collect::<Vec<_>>()).await;
            }
            bench.tick(Retention::of_days(days)).await;
            let mut expected: Vec<i64> =
                ages.iter().map(|(_, age)| *age).filter(|age| *age <= i64::from(days)).collect();
            expected.sort_unstable();
            prop_assert_eq!(bench.ages().await, expected);
            Ok(())
        })?;
    }
}
