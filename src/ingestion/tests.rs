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
use crate::rejected::body::RejectedBody;
use crate::rejected::rows::ListQuery;
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

    /// Kept bodies, newest first.
    async fn rejected(&self) -> Vec<RejectedBody> {
        let query = ListQuery { limit: 1_000, enough_bytes: usize::MAX, ..ListQuery::default() };
        self.ingest.rejected.list(&query, Instant::now() + PATIENCE).await.unwrap().bodies
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

/// Samples of a body are parts of its text, as a person can read them.
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
    let kept = bench.rejected().await;
    let samples: Vec<&str> = kept[0].rejected.samples().iter().map(|sample| sample.text.as_str()).collect();
    assert_eq!(samples, [r#"{"temperature":"ü"}"#, r#"{"temperature":999}"#]);
    assert_eq!((kept.len(), &kept[0].body[..]), (1, &wide(array)[..]));
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
    let body = bench.rejected().await.remove(0);
    let kept = body.rejected.first().unwrap();
    assert_eq!(kept.reason, "calibration");
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
async fn a_reading_out_of_range_is_kept_once_with_its_bytes_and_those_of_its_body() {
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
    let kept: Vec<_> = rejected
        .iter()
        .map(|one| (&one.body[..], one.rejected.first().unwrap()))
        .map(|(body, first)| (body, first.text.as_str(), first.device.as_deref()))
        .collect();
    let array = br#"[{"temperature":20}, {"temperature":999}]"#.as_slice();
    assert_eq!(
        kept,
        [
            (br#"{"humidity":-1}"#.as_slice(), r#"{"humidity":-1}"#, Some("b")),
            (array, r#"{"temperature":999}"#, Some("a")),
        ]
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
    let first = |one: &RejectedBody| one.rejected.first().unwrap().clone();
    assert_eq!(rejected.iter().map(|one| first(one).reason).collect::<Vec<_>>(), ["not_stored"; 2]);
    let detail = first(&rejected[0]).detail;
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

/// A body of some readings that cannot be read, some out of range, and one that is fine.
fn mixed(readings: usize) -> String {
    let reading = |n: usize| match n % 2 {
        _ if n == 0 => r#"{"temperature":20}"#,
        0 => r#"{"temperature":999}"#,
        _ => "5",
    };
    format!("[{}]", (0..readings).map(reading).collect::<Vec<_>>().join(","))
}

#[tokio::test(start_paused = true)]
async fn a_body_costs_one_row_whatever_is_rejected_of_it_and_by_which_stage() {
    let bench = Bench::new(&[]);
    let summary = bench.run(vec![event(1, "a", &mixed(20_000)), event(2, "a", &mixed(3))]).await.unwrap();
    assert_eq!((summary.accepted, summary.rejected), (2, 20_001));
    let [small, large] = bench.rejected().await.try_into().unwrap();
    let reasons = |body: &RejectedBody| {
        let mut reasons: Vec<_> = body
            .rejected
            .by_reason()
            .iter()
            .map(|(reason, elements)| (reason.to_string(), elements.count()))
            .collect();
        reasons.sort();
        reasons
    };
    assert_eq!(reasons(&large), [("out_of_range".to_owned(), 9_999), ("wrong_type".to_owned(), 10_000)]);
    assert_eq!(large.rejected.all().to_text(20), "1-19999");
    assert_eq!(&large.body[..], mixed(20_000).as_bytes());
    assert_eq!(small.rejected.count(), 2);
}

/// Three events of 20,000 readings each are two slices: what the first rejected is kept before the second is folded, which
/// forgets the verdicts.
#[tokio::test(start_paused = true)]
async fn slices_count_reject_and_announce_as_one_batch() {
    let bench = Bench::new(&[Mishap::LostAnswer, Mishap::LostRequest, Mishap::LostAnswer]);
    let body = |geo: &str| {
        let reading = |n: usize| match n % 1_000 {
            0 => r#"{"temperature":999}"#.to_owned(),
            _ => format!(r#"{{"temperature":20,"geo":"{geo}"}}"#),
        };
        format!("[{}]", (0..20_000).map(reading).collect::<Vec<_>>().join(","))
    };
    let events = || (1..).zip(["x", "y", "z"]).map(|(n, geo)| event(n, "a", &body(geo))).collect::<Vec<_>>();
    let summary = bench.run(events()).await.unwrap();
    let Summary { accepted, skipped, rejected, devices, .. } = summary;
    assert_eq!((accepted, skipped, rejected, devices), (3 * 19_980, 0, 60, 1));
    assert!(bench.store.commits.lock().unwrap().len() >= 2, "it was more than one slice");
    assert_eq!(bench.state("a").await.unwrap().count, 3 * 19_980);
    let kept: Vec<usize> = bench.rejected().await.iter().map(|body| body.rejected.count()).collect();
    assert_eq!(kept, [20; 3]);
    let announced = bench.publisher.announced();
    assert_eq!((announced.len(), announced[0].states.len()), (1, 1));
    assert_eq!(announced[0].states[0]["count"], json!(3 * 19_980));
    let again = bench.run(events()).await.unwrap();
    assert_eq!((again.accepted, again.skipped + again.rejected), (0, 60_000));
    assert_eq!(bench.rejected().await.len(), 3);
}

/// A slice that fails is the last one: the next would move the watermark past its readings.
#[tokio::test(start_paused = true)]
async fn nothing_is_folded_behind_a_slice_that_failed() {
    let full = format!("[{}]", vec![r#"{"temperature":20}"#; 20_000].join(","));
    let events = || (1..=3).map(|n| event(n, "a", &full)).collect::<Vec<_>>();
    let bench = Bench::new(&[Mishap::Unavailable]);
    assert!(bench.run(events()).await.is_err());
    assert_eq!(bench.state("a").await, None);
    assert_eq!(bench.run(events()).await.unwrap().accepted, 60_000);
    assert_eq!(bench.state("a").await.unwrap().count, 60_000);
}

/// The same when what a slice rejected is not kept: its verdicts would be forgotten.
#[tokio::test(start_paused = true)]
async fn what_a_slice_rejected_is_kept_before_the_next_one_is_folded() {
    let full = format!("[{}]", vec![r#"{"temperature":999}"#; 20_000].join(","));
    let events = || (1..=3).map(|n| event(n, "a", &full)).collect::<Vec<_>>();
    let bench = Bench::new(&[]);
    bench.store.failing_keep.store(1, Relaxed);
    assert!(bench.run(events()).await.is_err());
    bench.calibrate("a", 0.01).await;
    let summary = bench.run(events()).await.unwrap();
    let kept: usize = bench.rejected().await.iter().map(|body| body.rejected.count()).sum();
    let counted = bench.state("a").await.unwrap().count;
    assert_eq!((kept, counted, summary.accepted), (40_000, 20_000, 20_000), "each is in one place");
}

#[tokio::test(start_paused = true)]
async fn slices_follow_the_stream_also_where_a_batch_does_not() {
    let full = |n| event(n, "a", &format!("[{}]", vec![r#"{"temperature":20}"#; 20_000].join(",")));
    let bench = Bench::new(&[]);
    let summary = bench.run(vec![full(2), full(3), full(1)]).await.unwrap();
    assert_eq!((summary.accepted, summary.skipped), (60_000, 0));
}

#[tokio::test(start_paused = true)]
async fn devices_without_number_are_announced_in_parts_and_a_push_that_fails_is_the_last() {
    let body = |event: usize| {
        let reading = |n: usize| format!(r#"{{"deviceId":"d-{event}-{n}","light":1}}"#);
        format!("[{}]", (0..9_000).map(reading).collect::<Vec<_>>().join(","))
    };
    let events =
        || (0..5).map(|n| Event { stamped_device: None, ..event(None, "", &body(n)) }).collect::<Vec<_>>();
    let bench = Bench::new(&[]);
    assert_eq!(bench.run(events()).await.unwrap().devices, 45_000);
    let sizes: Vec<usize> = bench.publisher.announced().iter().map(|one| one.states.len()).collect();
    assert!(sizes.len() > 1 && sizes.iter().sum::<usize>() == 45_000, "{sizes:?}");
    let bench = Bench::new(&[]);
    bench.publisher.fail_next(1);
    assert!(bench.run(events()).await.unwrap().push.is_err());
    assert!(bench.publisher.announced().is_empty());
}
