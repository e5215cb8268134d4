//! The pipeline over the in-memory store: what is counted, kept, refused and announced, and what a failure does.

use bytes::Bytes;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use serde_json::json;

use super::*;
use crate::devices::state::DeviceState;
use crate::primitives::ids::{Partition, Position};
use crate::screens::publish::RecordedPublisher;
use crate::store::{
    CommitError, LARGEST_COMMIT, Loaded, MemoryStore, Moment, Page, RefusalQuery, Reply, Revision, Write,
};
use crate::telemetry::calibration::Calibrations;

/// What the next commits do instead of simply succeeding.
#[derive(Clone, Copy, PartialEq)]
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

/// A store whose commits meet mishaps, in order.
struct Mishaps {
    store: MemoryStore,
    next: Mutex<Vec<Mishap>>,
    /// How many rows each commit had.
    commits: Mutex<Vec<usize>>,
    loads: AtomicUsize,
    /// Calls of `refuse` that fail before they keep anything.
    failing_refuse: AtomicUsize,
}

impl Mishaps {
    fn new(mishaps: &[Mishap]) -> Mishaps {
        Mishaps {
            store: MemoryStore::new(),
            next: Mutex::new(mishaps.to_vec()),
            commits: Mutex::default(),
            loads: AtomicUsize::new(0),
            failing_refuse: AtomicUsize::new(0),
        }
    }

    async fn meddle(&self, shard: Shard, write: &Write, deadline: Instant) {
        let mut other = write.clone();
        other.state.write_id = "other".to_owned();
        other.state.marks.clear();
        other.state.count = 100;
        self.store.commit(shard, &[other], deadline).await.unwrap();
    }
}

impl StateStore for Mishaps {
    fn load<'a>(
        &'a self,
        shard: Shard,
        devices: &'a [DeviceId],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Loaded>, StoreError>> {
        self.loads.fetch_add(1, Relaxed);
        self.store.load(shard, devices, deadline)
    }

    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>> {
        Box::pin(async move {
            self.commits.lock().unwrap().push(writes.len());
            if writes.iter().any(|write| write.state.device.as_str() == "unstorable") {
                return Err(CommitError::Refused("a column is too long".to_owned()));
            }
            let mishap = self.next.lock().unwrap().pop();
            match mishap {
                Some(Mishap::LostAnswer) => {
                    self.store.commit(shard, writes, deadline).await?;
                    Err(CommitError::Unknown("the answer was lost".to_owned()))
                }
                Some(Mishap::LostRequest) => Err(CommitError::Unknown("no answer".to_owned())),
                Some(Mishap::Unavailable) => Err(StoreError::Unavailable("busy".to_owned()).into()),
                Some(Mishap::OtherWriter) => {
                    self.meddle(shard, &writes[0], deadline).await;
                    self.store.commit(shard, writes, deadline).await
                }
                None => self.store.commit(shard, writes, deadline).await,
            }
        })
    }

    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        after: Option<String>,
        deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>> {
        self.store.scan(shard, since, after, deadline)
    }

    fn calibrations(&self, deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>> {
        self.store.calibrations(deadline)
    }

    fn refuse<'a>(&'a self, refusals: &'a [Refusal], deadline: Instant) -> Reply<'a, Result<(), StoreError>> {
        match self.failing_refuse.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)) {
            Ok(_) => Box::pin(async { Err(StoreError::Unavailable("busy".to_owned())) }),
            Err(_) => self.store.refuse(refusals, deadline),
        }
    }

    fn refusing_partitions(&self, deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>> {
        self.store.refusing_partitions(deadline)
    }

    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>> {
        self.store.refused(query, deadline)
    }
}

struct Bench {
    store: Arc<Mishaps>,
    publisher: Arc<RecordedPublisher>,
    ingest: Ingest,
    seed: u64,
}

impl Bench {
    fn new(mishaps: &[Mishap]) -> Bench {
        Bench::with_catalogue(mishaps, Catalogue::environment())
    }

    fn with_catalogue(mishaps: &[Mishap], catalogue: Catalogue) -> Bench {
        let (store, publisher) = (Arc::new(Mishaps::new(mishaps)), Arc::new(RecordedPublisher::new()));
        let ingest = Ingest {
            store: Arc::clone(&store) as Arc<dyn StateStore>,
            publisher: Arc::clone(&publisher) as Arc<dyn Publisher>,
            catalogue: Arc::new(catalogue),
            calibrations: CalibrationCache::new(Duration::ZERO),
            shards: Shards::new("Sydney", 1),
            known: Known::default(),
        };
        Bench { store, publisher, ingest, seed: 7 }
    }

    async fn run(&self, events: Vec<Event>) -> Result<Summary, StoreError> {
        let batch = Batch { partition: Partition::new("hub", "0"), events };
        self.ingest.run(batch, Invocation { now: Millis(1_000), seed: self.seed }).await
    }

    async fn state(&self, device: &str) -> Option<DeviceState> {
        let device = DeviceId::parse(device).unwrap();
        match self.store.load(Shard(0), &[device], Instant::now()).await.unwrap().remove(0) {
            Loaded::Found(stored) => Some(stored.state),
            _ => None,
        }
    }
}

fn event(sequence: impl Into<Option<i64>>, device: &str, body: &str) -> Event {
    Event {
        position: Position { partition: Partition::new("hub", "0"), sequence: sequence.into() },
        enqueued_at: Some(Millis(500)),
        stamped_device: Some(device.to_owned()),
        message_id: None,
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
        let_go_of_request(&mut events);
        assert_eq!(events.each_ref().map(|event| &event.body[..]).concat(), request);
        assert_eq!(request.is_unique(), lets_go, "bodies of {length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_counted_kept_and_announced_once() {
    let bench = Bench::new(&[]);
    let events = || vec![warm(1, "a"), warm(2, "b"), warm(3, "a"), event(4, "a", "nonsense")];
    let summary = bench.run(events()).await.unwrap();
    assert_eq!((summary.accepted, summary.refused, summary.devices, summary.push), (3, 1, 2, Ok(())));
    let again = bench.run(events()).await.unwrap();
    assert_eq!((again.accepted, again.skipped, again.refused), (0, 3, 1));
    let state = bench.state("a").await.unwrap();
    assert_eq!((state.count, state.version), (2, 1));
    assert_eq!(bench.store.store.refusals().len(), 1);
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
    assert_eq!((summary.accepted, summary.refused), (1, 2));
    bench.run(events()).await.unwrap();
    let refusals = bench.store.store.refusals();
    let kept: Vec<_> =
        refusals.iter().map(|one| (one.body.as_slice(), one.fault.device.as_deref())).collect();
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
    assert!(error.to_string().contains("gave up after"), "{error}");
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
    assert_eq!(bench.store.loads.load(Relaxed), 1);
    bench.run(vec![warm(3, "b"), warm(4, "a")]).await.unwrap();
    assert_eq!(bench.store.loads.load(Relaxed), 1);
    bench.run(vec![warm(5, "a"), warm(6, "c")]).await.unwrap();
    assert_eq!(bench.store.loads.load(Relaxed), 2, "only the new device is loaded");
    assert_eq!(bench.state("a").await.unwrap().count, 3);
}

#[tokio::test(start_paused = true)]
async fn a_known_row_that_another_process_changed_is_loaded_again() {
    let (bench, mut elsewhere) = (Bench::new(&[]), Bench::new(&[]));
    elsewhere.ingest.store = Arc::clone(&bench.store) as Arc<dyn StateStore>;
    elsewhere.seed = 8;
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
    let commits = bench.store.commits.lock().unwrap().clone();
    // The fourth conflict is met by the first device alone, the fifth by the 99 others.
    assert_eq!(commits, [100, 100, 100, 1, 99, 1, 1, 98]);
    assert_eq!(bench.state("device-000").await.unwrap().count, 101);
}

#[tokio::test(start_paused = true)]
async fn a_row_that_the_store_does_not_take_is_refused_and_the_others_are_kept() {
    let bench = Bench::new(&[]);
    let events = many(0..70).into_iter().chain([warm(70, "unstorable"), warm(71, "unstorable")]).collect();
    let summary = bench.run(events).await.unwrap();
    assert_eq!((summary.accepted, summary.refused), (70, 2));
    let refusals = bench.store.store.refusals();
    assert_eq!(refusals.iter().map(|one| one.fault.reason.code()).collect::<Vec<_>>(), ["not_stored"; 2]);
    assert_eq!(
        refusals[0].fault.detail,
        "the store does not take the row of this device: a column is too long"
    );
}

#[tokio::test(start_paused = true)]
async fn rows_that_do_not_fit_one_transaction_are_written_in_parts() {
    let column = |n: usize| format!("{}{n:03}", "x".repeat(240));
    let measurement =
        |n| json!({"name": format!("m{n}"), "spellings": [format!("m{n}")], "column": column(n)});
    let catalogue = json!({ "measurements": (0..200).map(measurement).collect::<Vec<_>>() });
    let bench = Bench::with_catalogue(&[], Catalogue::parse(&catalogue.to_string()).unwrap());
    let events = (0_i64..100).map(|n| event(n, &format!("device-{n}"), r#"{"m0":1}"#)).collect();
    assert_eq!(bench.run(events).await.unwrap().accepted, 100);
    let commits = bench.store.commits.lock().unwrap().clone();
    assert_eq!(commits.iter().sum::<usize>(), 100);
    assert!(commits.iter().all(|rows| rows * 200 * 3 * 243 <= LARGEST_COMMIT), "{commits:?}");
}

/// The invocation fails after the row was written and before the refusal was kept; in the meantime a person corrects
/// the calibration, by which the reading would be valid.
#[tokio::test(start_paused = true)]
async fn a_reading_that_was_refused_is_not_counted_by_a_later_calibration() {
    let bench = Bench::new(&[]);
    bench.store.failing_refuse.store(1, Relaxed);
    let events = || vec![event(1, "a", r#"[{"temperature":20}, {"temperature":999}]"#), warm(2, "b")];
    assert!(bench.run(events()).await.is_err());
    assert!(bench.store.store.refusals().is_empty());
    let factor = |name: &str| Some(if name.ends_with("Slope") { 0.01 } else { 0.0 });
    let calibration =
        crate::telemetry::calibration::Calibration::from_columns(&bench.ingest.catalogue, factor);
    bench.store.store.calibrate(DeviceId::parse("a").unwrap(), calibration);
    let summary = bench.run(events()).await.unwrap();
    assert_eq!((summary.accepted, summary.skipped, summary.refused), (0, 2, 1));
    assert_eq!(bench.state("a").await.unwrap().count, 1);
    assert_eq!(bench.store.store.refusals().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_device_of_which_everything_was_refused_is_not_announced() {
    let bench = Bench::new(&[]);
    bench.run(vec![event(1, "a", r#"{"temperature":999}"#)]).await.unwrap();
    assert!(bench.publisher.announced().is_empty());
    let summary = bench.run(vec![warm(2, "a")]).await.unwrap();
    assert_eq!((summary.accepted, bench.publisher.announced()[0].states[0]["count"].clone()), (1, json!(1)));
}
