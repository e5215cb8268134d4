//! The pipeline over the in-memory store: what is counted, kept, rejected and announced, and what a failure does.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use fieldcast_tables::{
    Continuation, Deadline, Entity, Error, Failure, MemoryStore, Operation, Page, Query, Reply,
    Stored as StoredRow, TableName, TableStore,
};
use serde_json::json;

use super::*;
use crate::devices::row;
use crate::devices::state::{DeviceState, WriteId};
use crate::primitives::chain::chain;
use crate::primitives::ids::{HubPartition, Position};
use crate::screens::publish::RecordedPublisher;
use crate::store::shard::Shards;
use crate::store::{Store, tables};
use crate::telemetry::calibration::CalibrationSource;
use crate::telemetry::catalogue::Catalogue;

/// What the next commits do instead of simply succeeding.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mishap {
    /// Applied, but the answer is lost.
    LostAnswer,
    /// Not applied, and nobody knows.
    LostRequest,
    /// Another writer was faster: its event is folded in first.
    OtherWriter,
    /// Refused for the moment.
    Unavailable,
}

/// A store whose commits of device rows meet mishaps, in order.
#[derive(Debug)]
struct Mishaps {
    store: MemoryStore,
    next: Mutex<Vec<Mishap>>,
    /// How many rows each commit had that the store took or met a mishap with.
    commits: Mutex<Vec<usize>>,
    /// Reads of device rows.
    reads: AtomicUsize,
    /// Rejected readings are not kept so many times.
    failing_keep: AtomicUsize,
}

fn unavailable() -> Error {
    let last = Failure::Answered { status: 503, code: "ServerBusy".to_owned() };
    Error::Unavailable { attempts: 1, last, source: None }
}

fn unknown() -> Error {
    Error::Unknown { last: Failure::TimedOut, source: None }
}

impl Mishaps {
    fn new(mishaps: &[Mishap]) -> Mishaps {
        Mishaps {
            store: MemoryStore::new(),
            next: Mutex::new(mishaps.to_vec()),
            commits: Mutex::default(),
            reads: AtomicUsize::new(0),
            failing_keep: AtomicUsize::new(0),
        }
    }

    /// Writes the first row under the same condition, as a writer that has counted a hundred other events.
    async fn meddle(&self, table: &TableName, operation: &Operation, deadline: Deadline) {
        let (Operation::Insert(entity) | Operation::Merge(entity, _)) = operation else {
            panic!("a device row is inserted or merged")
        };
        let catalogue = Catalogue::environment();
        let etag = fieldcast_tables::Etag::new("\"0\"").unwrap();
        let stored = StoredRow { etag, entity: entity.clone(), timestamp: None };
        let mut other = row::state(DeviceId::parse(&entity.row).unwrap(), &stored, &catalogue).unwrap();
        other.write_id = WriteId { invocation: 99, from: 0 };
        other.watermarks.clear();
        other.count = 100;
        let columns = row::columns(&other, &catalogue);
        let entity = Entity::of_distinct(entity.partition.as_str(), entity.row.as_str(), columns);
        let write = match operation {
            Operation::Merge(_, etag) => Operation::Merge(entity, etag.clone()),
            _ => Operation::Insert(entity),
        };
        self.store.transact(table, vec![write], deadline).await.unwrap();
    }

    fn is_devices(table: &TableName) -> bool {
        table.as_str() == tables::DEVICE_STATE
    }

    fn note_read(&self, table: &TableName) {
        if Mishaps::is_devices(table) {
            self.reads.fetch_add(1, Relaxed);
        }
    }

    fn note_commit(&self, operations: &[Operation]) {
        self.commits.lock().unwrap().push(operations.len());
    }
}

impl TableStore for Mishaps {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.store.create_table(table, deadline)
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<StoredRow>> {
        self.note_read(table);
        self.store.get(table, partition, row, deadline)
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        self.note_read(table);
        self.store.query(table, query, from, deadline)
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<fieldcast_tables::Etag>>> {
        Box::pin(async move {
            if table.as_str() == "RejectedTelemetry"
                && self.failing_keep.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                return Err(unavailable());
            }
            if !Mishaps::is_devices(table) {
                return self.store.transact(table, operations, deadline).await;
            }
            if let Some(index) = operations.iter().position(|operation| operation.keys().1 == "unstorable") {
                let message = "a column is too long".to_owned();
                let code = "PropertyValueTooLarge".to_owned();
                return Err(Error::Refused {
                    status: Some(400),
                    code,
                    index: Some(index),
                    message,
                    source: None,
                });
            }
            let mishap = self.next.lock().unwrap().pop();
            let rows = operations.clone();
            let result = match mishap {
                Some(Mishap::LostAnswer) => {
                    self.store.transact(table, operations, deadline).await?;
                    Err(unknown())
                }
                Some(Mishap::LostRequest) => Err(unknown()),
                Some(Mishap::Unavailable) => Err(unavailable()),
                Some(Mishap::OtherWriter) => {
                    self.meddle(table, &operations[0], deadline).await;
                    self.store.transact(table, operations, deadline).await
                }
                None => self.store.transact(table, operations, deadline).await,
            };
            if !matches!(result, Err(Error::Invalid { .. })) {
                self.note_commit(&rows);
            }
            result
        })
    }
}

struct Bench {
    store: Arc<Mishaps>,
    tables: Arc<Store>,
    publisher: Arc<RecordedPublisher>,
    ingest: Ingest,
    seed: u64,
}

impl Bench {
    fn new(mishaps: &[Mishap]) -> Bench {
        Bench::with_catalogue(mishaps, Catalogue::environment())
    }

    fn with_catalogue(mishaps: &[Mishap], catalogue: Catalogue) -> Bench {
        Bench::on(Arc::new(Mishaps::new(mishaps)), Arc::new(catalogue), 7)
    }

    /// A process of its own on this store.
    fn on(store: Arc<Mishaps>, catalogue: Arc<Catalogue>, seed: u64) -> Bench {
        let publisher = Arc::new(RecordedPublisher::new());
        let rows = Arc::clone(&store) as Arc<dyn TableStore>;
        let tables = Arc::new(Store::new(rows, Shards::new("Sydney", 1)));
        let source = CalibrationSource::table(Arc::clone(&tables), Arc::clone(&catalogue));
        let ingest = Ingest {
            devices: Arc::new(DeviceRows::new(Arc::clone(&tables), catalogue)),
            rejected: Arc::new(RejectedRows::new(Arc::clone(&tables))),
            calibrations: CalibrationCache::new(source, Duration::ZERO),
            sources: Sources::Apart,
            publisher: Arc::clone(&publisher) as Arc<dyn Publisher>,
            cache: RowCache::default(),
        };
        Bench { store, tables, publisher, ingest, seed }
    }

    async fn run(&self, events: Vec<Event>) -> Result<Summary, StoreError> {
        let batch = Batch { partition: HubPartition::new("hub", "0"), events };
        self.ingest.run(batch, Invocation { now: Millis(1_000), seed: self.seed }).await
    }

    async fn state(&self, device: &str) -> Option<DeviceState> {
        let device = DeviceId::parse(device).unwrap();
        let soon = Instant::now() + PATIENCE;
        match self.ingest.devices.load(Shard(0), &[device], soon).await.unwrap().remove(0) {
            Loaded::Found(stored) => Some(stored.state),
            _ => None,
        }
    }

    /// Kept rejected readings, newest first.
    async fn rejected(&self) -> Vec<RejectedReading> {
        let query = crate::rejected::rows::RejectedQuery {
            partition: "hub-0".to_owned(),
            device: None,
            after: None,
            limit: 1_000,
        };
        self.ingest.rejected.read(&query, Instant::now() + PATIENCE).await.unwrap()
    }

    /// Sets a device's temperature calibration, as a person edits its row.
    async fn calibrate(&self, device: &str, slope: f64) {
        let row =
            Entity::new("Sydney", device).with("TemperatureSlope", slope).with("TemperatureYIntercept", 0.0);
        let table = self.tables.table(tables::CALIBRATION, Instant::now() + PATIENCE).await.unwrap();
        table.insert(&row, Deadline::after(PATIENCE)).await.unwrap();
    }
}

fn event(sequence: impl Into<Option<i64>>, device: &str, body: &str) -> Event {
    Event {
        position: Position { partition: HubPartition::new("hub", "0"), sequence: sequence.into() },
        enqueued_at: Some(Millis(500)),
        is_telemetry: true,
        stamped_device: Some(device.to_owned()),
        module: None,
        component: None,
        creation_time: None,
        properties: None,
        message_id: None,
        content_encoding: None,
        body: body.as_bytes().to_vec().into(),
    }
}

fn warm(sequence: impl Into<Option<i64>>, device: &str) -> Event {
    event(sequence, device, r#"{"temperature":21.5}"#)
}

#[test]
fn small_bodies_let_go_of_the_request_and_large_ones_stay_where_they_are() {
    for (length, lets_go) in [(1, true), (512, true), (513, false)] {
        let request = Bytes::from(b"ab".repeat(length));
        let event = |part| Event { body: request.slice(part), ..warm(1, "a") };
        let mut events = [0..length, length..2 * length].map(event);
        copy_small_bodies(&mut events);
        assert_eq!(events.each_ref().map(|event| &event.body[..]).concat(), request);
        assert_eq!(request.is_unique(), lets_go, "bodies of {length}");
    }
}

/// What is kept of a reading is its part of the text, as a person can read it.
#[tokio::test(start_paused = true)]
async fn bodies_in_other_encodings_are_counted_and_kept_as_text() {
    let bench = Bench::new(&[]);
    let wide = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let with = |sequence, body: Vec<u8>, encoding: Option<&str>| Event {
        body: body.into(),
        content_encoding: encoding.map(str::to_owned),
        ..warm(sequence, "a")
    };
    let array = r#"[{"temperature":20},{"temperature":"ü"},{"temperature":999}]"#;
    let events = vec![
        with(1, wide(array), Some("utf-16")),
        with(2, b"{\"temperature\":20}\0\0".to_vec(), None),
        with(3, b"{\"temperature\":20}\r\n{\"temperature\":21}\r\n".to_vec(), None),
    ];
    let summary = bench.run(events).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected), (4, 2));
    let kept: Vec<String> =
        bench.rejected().await.iter().map(|one| String::from_utf8(one.body.clone()).unwrap()).collect();
    assert_eq!(kept, [r#"{"temperature":"ü"}"#, r#"{"temperature":999}"#]);
}

#[tokio::test(start_paused = true)]
async fn readings_whose_calibration_cannot_be_read_are_kept_until_it_is_mended() {
    let bench = Bench::new(&[]);
    let row = Entity::new("Sydney", "a").with("TemperatureSlope", "1,02").with("TemperatureYIntercept", 0.0);
    let table = bench.tables.table(tables::CALIBRATION, Instant::now() + PATIENCE).await.unwrap();
    table.insert(&row, Deadline::after(PATIENCE)).await.unwrap();
    let dry = event(2, "a", r#"{"humidity":40}"#);
    let summary = bench.run(vec![warm(1, "a"), dry, warm(3, "b")]).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected), (2, 1));
    let kept = bench.rejected().await.remove(0).rejection;
    assert_eq!(kept.reason.code(), "calibration");
    assert!(kept.detail.contains("temperature") && kept.detail.contains("mend"), "{}", kept.detail);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_counted_kept_and_announced_once() {
    let bench = Bench::new(&[]);
    let events = || vec![warm(1, "a"), warm(2, "b"), warm(3, "a"), event(4, "a", "nonsense")];
    let summary = bench.run(events()).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected, summary.devices, summary.push), (3, 1, 2, Ok(())));
    let again = bench.run(events()).await.unwrap();
    assert_eq!((again.accepted, again.skipped, again.rejected), (0, 3, 1));
    let state = bench.state("a").await.unwrap();
    assert_eq!((state.count, state.version), (2, 1));
    assert_eq!(bench.rejected().await.len(), 1);
    let announced = bench.publisher.announced();
    assert_eq!(announced.len(), 2, "the redelivery announces the current state again");
    assert_eq!(announced[0], announced[1]);
    assert_eq!(announced[0].states[0]["deviceId"], json!("a"));
}

#[tokio::test(start_paused = true)]
async fn a_reading_out_of_range_is_kept_once_with_its_own_bytes() {
    let bench = Bench::new(&[Mishap::LostRequest]);
    let events = || {
        vec![
            event(1, "a", r#"[{"temperature":20}, {"temperature":999}]"#),
            event(2, "b", r#"{"humidity":-1}"#),
        ]
    };
    let summary = bench.run(events()).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected), (1, 2));
    bench.run(events()).await.unwrap();
    let rejected = bench.rejected().await;
    let kept: Vec<_> =
        rejected.iter().map(|one| (one.body.as_slice(), one.rejection.device.as_deref())).collect();
    assert_eq!(
        kept,
        [(br#"{"humidity":-1}"#.as_slice(), Some("b")), (br#"{"temperature":999}"#.as_slice(), Some("a")),]
    );
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_recognised_by_its_write_id() {
    let bench = Bench::new(&[Mishap::LostAnswer]);
    // Without a sequence number no watermark can help.
    assert_eq!(bench.run(vec![warm(None, "a")]).await.unwrap().accepted, 1);
    assert_eq!(bench.state("a").await.unwrap().count, 1);
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_is_sent_again() {
    let bench = Bench::new(&[Mishap::LostRequest]);
    assert_eq!(bench.run(vec![warm(None, "a"), warm(None, "a")]).await.unwrap().accepted, 2);
    assert_eq!(bench.state("a").await.unwrap().count, 2);
}

#[tokio::test(start_paused = true)]
async fn a_conflict_folds_into_what_the_other_writer_stored() {
    let bench = Bench::new(&[Mishap::OtherWriter]);
    assert_eq!(bench.run(vec![warm(1, "a")]).await.unwrap().accepted, 1);
    let state = bench.state("a").await.unwrap();
    assert_eq!((state.count, state.version), (101, 2));
}

#[tokio::test(start_paused = true)]
async fn conflicts_without_end_fail_the_batch_at_its_deadline() {
    let bench = Bench::new(&[Mishap::LostRequest; 1_000]);
    let started = Instant::now();
    let error = bench.run(vec![warm(1, "a")]).await.unwrap_err();
    assert!(chain(&error).contains("gave up after"), "{error}");
    assert!(started.elapsed() <= PATIENCE);
    assert!(started.elapsed() > PATIENCE / 2);
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_store_fails_the_batch_and_nothing_is_lost() {
    let bench = Bench::new(&[Mishap::Unavailable]);
    assert!(matches!(bench.run(vec![warm(1, "a")]).await, Err(StoreError::Unavailable(_))));
    assert_eq!(bench.run(vec![warm(1, "a")]).await.unwrap().accepted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_group_that_fails_does_not_take_the_others_with_it() {
    let bench = Bench::new(&[Mishap::Unavailable]);
    let events = || (0_i64..150).map(|n| warm(n, &format!("device-{n:03}"))).collect::<Vec<_>>();
    assert!(bench.run(events()).await.is_err());
    let announced = bench.publisher.announced();
    assert_eq!(announced.iter().map(|one| one.states.len()).sum::<usize>(), 50, "what was kept is announced");
    let summary = bench.run(events()).await.unwrap();
    assert_eq!((summary.accepted, summary.skipped), (100, 50));
}

#[tokio::test(start_paused = true)]
async fn a_failed_push_is_reported_and_does_not_fail_the_batch() {
    let bench = Bench::new(&[]);
    bench.publisher.fail_next(1);
    let summary = bench.run(vec![warm(1, "a")]).await.unwrap();
    assert!(summary.push.is_err());
    assert_eq!(bench.state("a").await.unwrap().count, 1);
}

fn many(sequences: std::ops::Range<i64>) -> Vec<Event> {
    sequences.map(|n| warm(n, &format!("device-{n:03}"))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_warm_batch_reads_nothing() {
    let bench = Bench::new(&[]);
    bench.run(vec![warm(1, "a"), warm(2, "b")]).await.unwrap();
    let cold = bench.store.reads.load(Relaxed);
    bench.run(vec![warm(3, "b"), warm(4, "a")]).await.unwrap();
    assert_eq!(bench.store.reads.load(Relaxed), cold);
    bench.run(vec![warm(5, "a"), warm(6, "c")]).await.unwrap();
    assert_eq!(bench.store.reads.load(Relaxed), cold + 1, "only the new device is loaded");
    assert_eq!(bench.state("a").await.unwrap().count, 3);
}

#[tokio::test(start_paused = true)]
async fn a_known_row_that_another_process_changed_is_loaded_again() {
    let bench = Bench::new(&[]);
    let elsewhere = Bench::on(Arc::clone(&bench.store), Arc::new(Catalogue::environment()), 8);
    bench.run(vec![warm(1, "a")]).await.unwrap();
    elsewhere.run(vec![warm(1, "a"), warm(2, "a")]).await.unwrap();
    let summary = bench.run(vec![warm(2, "a"), warm(3, "a")]).await.unwrap();
    assert_eq!((summary.accepted, summary.skipped), (1, 1));
    assert_eq!(bench.state("a").await.unwrap().count, 3);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_others_keep_writing_holds_the_group_up_three_times_at_most() {
    let bench = Bench::new(&[Mishap::OtherWriter; 5]);
    bench.run(many(0..100)).await.unwrap();
    let mut commits = bench.store.commits.lock().unwrap().clone();
    assert_eq!(commits[..3], [100; 3]);
    // The fourth conflict is met by the first device alone, the fifth by the 99 others.
    commits[3..].sort_unstable();
    assert_eq!(commits[3..], [1, 1, 1, 98, 99]);
    assert_eq!(bench.state("device-000").await.unwrap().count, 101);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_the_store_does_not_take_is_rejected_and_the_others_are_kept() {
    let bench = Bench::new(&[]);
    let events = many(0..70).into_iter().chain([warm(70, "unstorable"), warm(71, "unstorable")]).collect();
    let summary = bench.run(events).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected), (70, 2));
    let rejected = bench.rejected().await;
    assert_eq!(rejected.iter().map(|one| one.rejection.reason.code()).collect::<Vec<_>>(), ["not_stored"; 2]);
    let detail = &rejected[0].rejection.detail;
    assert!(detail.starts_with("the store does not take the row of this device: "), "{detail}");
    assert!(detail.ends_with("a column is too long"), "{detail}");
}

#[tokio::test(start_paused = true)]
async fn rows_that_do_not_fit_one_transaction_are_written_in_parts() {
    let column = |n: usize| format!("{}{n:03}", "x".repeat(240));
    let measurement =
        |n| json!({"name": format!("m{n}"), "spellings": [format!("m{n}")], "column": column(n)});
    let catalogue = json!({ "measurements": (0..200).map(measurement).collect::<Vec<_>>() });
    let bench = Bench::with_catalogue(&[], Catalogue::parse(&catalogue.to_string()).unwrap());
    let values: serde_json::Map<String, serde_json::Value> =
        (0..200).map(|n| (format!("m{n}"), json!(1))).collect();
    let body = json!(values).to_string();
    let events = (0_i64..100).map(|n| event(n, &format!("device-{n}"), &body)).collect();
    assert_eq!(bench.run(events).await.unwrap().accepted, 100);
    let commits = bench.store.commits.lock().unwrap().clone();
    assert_eq!(commits.iter().sum::<usize>(), 100);
    let bytes = |rows: &usize| rows * 200 * 2 * 243;
    assert!(commits.iter().all(|rows| bytes(rows) <= 4 * 1024 * 1024), "{commits:?}");
}

/// The invocation fails after the row was written and before the rejected reading was kept; in the meantime a person corrects
/// the calibration, by which the reading would be valid.
#[tokio::test(start_paused = true)]
async fn a_reading_that_was_rejected_is_not_counted_by_a_later_calibration() {
    let bench = Bench::new(&[]);
    bench.store.failing_keep.store(1, Relaxed);
    let events = || vec![event(1, "a", r#"[{"temperature":20}, {"temperature":999}]"#), warm(2, "b")];
    assert!(bench.run(events()).await.is_err());
    assert!(bench.rejected().await.is_empty());
    bench.calibrate("a", 0.01).await;
    let summary = bench.run(events()).await.unwrap();
    assert_eq!((summary.accepted, summary.skipped, summary.rejected), (0, 2, 1));
    assert_eq!(bench.state("a").await.unwrap().count, 1);
    assert_eq!(bench.rejected().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_of_which_everything_was_rejected_is_not_announced() {
    let bench = Bench::new(&[]);
    bench.run(vec![event(1, "a", r#"{"temperature":999}"#)]).await.unwrap();
    assert!(bench.publisher.announced().is_empty());
    let summary = bench.run(vec![warm(2, "a")]).await.unwrap();
    assert_eq!((summary.accepted, bench.publisher.announced()[0].states[0]["count"].clone()), (1, json!(1)));
}
