//! A calibration table that fails or hangs holds up no batch while older calibrations are known.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use fieldcast_tables::{
    Continuation, Deadline, Entity, Etag, MemoryStore, Operation, Page, Query, Reply, Stored, TableName,
    TableStore,
};
use tokio::time::sleep_until;

use super::*;
use crate::primitives::ids::DeviceId;
use crate::store::Store;
use crate::store::shard::Shards;
use crate::telemetry::catalogue::Catalogue;

const TIME_TO_LIVE: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(30);

/// A store whose queries do not answer in time while it hangs, whatever their deadline is.
#[derive(Debug, Default)]
struct Hanging {
    store: MemoryStore,
    hangs: AtomicBool,
}

impl TableStore for Hanging {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.store.create_table(table, deadline)
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        self.store.get(table, partition, row, deadline)
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        Box::pin(async move {
            if self.hangs.load(Relaxed) {
                sleep_until(Instant::now() + deadline.remaining() * 2).await;
            }
            self.store.query(table, query, from, deadline).await
        })
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        self.store.transact(table, operations, deadline)
    }
}

struct Bench {
    rows: Arc<Hanging>,
    store: Arc<Store>,
    cache: CalibrationCache,
}

impl Bench {
    fn new() -> Bench {
        let rows = Arc::new(Hanging::default());
        let store = Arc::new(Store::new(Arc::clone(&rows) as Arc<dyn TableStore>, Shards::new("Sydney", 1)));
        let source = CalibrationSource::table(Arc::clone(&store), Arc::new(Catalogue::environment()));
        Bench { rows, store, cache: CalibrationCache::new(source, TIME_TO_LIVE) }
    }

    /// The calibrated value of 20 °C, and how long the cache took to say so.
    async fn twenty(&self) -> (f64, Duration) {
        let begun = Instant::now();
        let calibrations = self.cache.get(begun + PATIENCE).await.unwrap();
        let device = DeviceId::parse("a").unwrap();
        (
            calibrations.get(&device).map_or(20.0, |calibration| calibration.apply(0, 20.0).unwrap()),
            begun.elapsed(),
        )
    }

    async fn calibrate(&self, intercept: f64) {
        let row =
            Entity::new("Sydney", "a").with("TemperatureSlope", 1.0).with("TemperatureYIntercept", intercept);
        let table = self.store.table("Calibration", Instant::now() + PATIENCE).await.unwrap();
        table.insert(&row, Deadline::after(PATIENCE)).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_changed_row_takes_effect_when_the_old_one_has_lived() {
    let bench = Bench::new();
    assert_eq!(bench.twenty().await.0, 20.0);
    bench.calibrate(1.5).await;
    assert_eq!(bench.twenty().await.0, 20.0);
    tokio::time::advance(TIME_TO_LIVE).await;
    assert_eq!(bench.twenty().await.0, 21.5);
}

#[tokio::test(start_paused = true)]
async fn a_table_that_hangs_costs_a_share_of_the_time_and_changes_nothing() {
    let bench = Bench::new();
    bench.calibrate(1.5).await;
    assert_eq!(bench.twenty().await.0, 21.5);
    bench.rows.hangs.store(true, Relaxed);
    tokio::time::advance(TIME_TO_LIVE).await;
    let (reader, waiter) = tokio::join!(bench.twenty(), bench.twenty());
    assert_eq!((reader.0, waiter.0), (21.5, 21.5));
    assert!(reader.1 <= REFRESH + Duration::from_millis(10), "{:?}", reader.1);
    assert_eq!(waiter.1, Duration::ZERO, "nobody waits for another's question");
}

#[tokio::test(start_paused = true)]
async fn a_first_read_that_fails_is_an_error_and_not_the_absence_of_calibrations() {
    let bench = Bench::new();
    bench.rows.hangs.store(true, Relaxed);
    let begun = Instant::now();
    let error = bench.cache.get(begun + PATIENCE).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    assert!(begun.elapsed() <= PATIENCE + Duration::from_millis(10), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_broken_file_leaves_the_previous_calibrations_in_force() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("calibration.json");
    let source = CalibrationSource::file(path.clone(), Arc::new(Catalogue::environment()));
    let cache = CalibrationCache::new(source, TIME_TO_LIVE);
    let twenty = async || {
        let calibrations = cache.get(Instant::now() + PATIENCE).await.unwrap();
        calibrations[&DeviceId::parse("a").unwrap()].apply(0, 20.0).ok()
    };
    let entry = r#"{"a":{"TemperatureSlope":1,"TemperatureYIntercept":1.5}}"#;
    for (text, expected) in [
        (entry, Some(21.5)),
        ("{\"a\":{\"TemperatureSlope\"", Some(21.5)),
        (r#"{"a":{"TemperatureSlope":"one","TemperatureYIntercept":1.5}}"#, None),
        (entry, Some(21.5)),
    ] {
        std::fs::write(&path, text).unwrap();
        tokio::time::advance(TIME_TO_LIVE).await;
        assert_eq!(twenty().await, expected, "{text}");
    }
}
