//! The rows of device states and of rejected readings, over every store: read as they were written, written under their
//! conditions, found by scans. What the stores promise themselves is the suite of `fieldcast-tables`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fieldcast::devices::rows::{
    CommitError, DeviceRows, Expect, Loaded, MOST_WRITES, Revision, StatePage, StoredState, Write,
};
use fieldcast::devices::state::{DeviceState, Latest, Stamp, Watermark};
use fieldcast::primitives::chain::chain;
use fieldcast::primitives::ids::{DeviceId, HubPartition, Position};
use fieldcast::primitives::instant::Millis;
use fieldcast::rejected::reading::{Reason, RejectedReading, Rejection};
use fieldcast::rejected::rows::{RejectedQuery, RejectedRows};
use fieldcast::store::Store;
use fieldcast::store::shard::{Shard, Shards};
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_tables::{EmbeddedStore, Entity, MemoryStore, Moment, TableStore};
use tokio::time::Instant;

use crate::stack::Account;

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

fn state(name: &str, count: i64) -> DeviceState {
    let mut state = DeviceState::new(device(name), &Catalogue::environment());
    let stamp = Stamp { at: Millis(1_732_150_631_123), partition: HubPartition::new("hub", "0") };
    state.values[0] = Some(Latest { value: (-9.538_485_327_531_745).into(), stamp: stamp.clone() });
    state.geo = Some(Latest { value: "Zürich's \"hill\" 100%".to_owned(), stamp: stamp.clone() });
    state.watermarks = [(
        HubPartition::new("hub", "0"),
        Watermark { sequence: i64::MAX, enqueued_at: Some(stamp.at), at: stamp.at },
    )]
    .into_iter()
    .collect();
    state.reported = Some(stamp);
    (state.count, state.version) = (count, count);
    state
}

fn insert(name: &str, count: i64) -> Write {
    Write { state: state(name, count), expect: Expect::Absent }
}

fn update(name: &str, count: i64, revision: &Revision) -> Write {
    Write { state: state(name, count), expect: Expect::At(revision.clone()) }
}

async fn found(store: &DeviceRows, name: &str) -> StoredState {
    match store.load(Shard(0), &[device(name)], soon()).await.unwrap().remove(0) {
        Loaded::Found(stored) => *stored,
        other => panic!("{name}: {other:?}"),
    }
}

async fn commit(store: &DeviceRows, writes: &[Write]) -> Result<Vec<Revision>, CommitError> {
    store.commit(Shard(0), writes, soon()).await
}

async fn everything_is_read_as_it_was_written(store: &DeviceRows) {
    assert_eq!(store.load(Shard(0), &[device("nobody")], soon()).await.unwrap(), [Loaded::Absent]);
    let odd = ["sensor-1", "O'Brien", "100%", "ü +&(a)", "a.b:c_d@e=f,g;h", "$x!*"];
    let writes: Vec<Write> = odd.iter().map(|name| insert(name, i64::MAX)).collect();
    let revisions = commit(store, &writes).await.unwrap();
    for (name, revision) in odd.iter().zip(&revisions) {
        assert_eq!(
            found(store, name).await,
            StoredState { state: state(name, i64::MAX), revision: revision.clone() }
        );
    }
    let asked = [device("100%"), device("nobody"), device("sensor-1")];
    let loaded = store.load(Shard(0), &asked, soon()).await.unwrap();
    assert!(
        matches!(&loaded[..], [Loaded::Found(_), Loaded::Absent, Loaded::Found(_)]),
        "in the order asked"
    );
}

async fn a_write_needs_its_condition(store: &DeviceRows) {
    let first = commit(store, &[insert("cond", 1)]).await.unwrap().remove(0);
    assert!(matches!(commit(store, &[insert("cond", 2)]).await, Err(CommitError::Conflict)));
    let second = commit(store, &[update("cond", 2, &first)]).await.unwrap().remove(0);
    assert_ne!(first, second);
    assert!(matches!(commit(store, &[update("cond", 3, &first)]).await, Err(CommitError::Conflict)));
    assert_eq!(found(store, "cond").await, StoredState { state: state("cond", 2), revision: second.clone() });
    assert!(matches!(commit(store, &[update("cond-gone", 3, &second)]).await, Err(CommitError::Conflict)));
}

/// Each step changes something that was not changed by the step before, and the last one changes it back.
async fn whatever_changes_is_stored(store: &DeviceRows) {
    let steps: [fn(&mut DeviceState); 6] = [
        |state| state.count += 1,
        |state| state.geo.as_mut().unwrap().value = "Perth".to_owned(),
        |state| state.verdicts.reject(&HubPartition::new("hub", "0"), i64::MAX, 0),
        |state| (state.count, state.calibration) = (9, "2".to_owned()),
        |state| state.geo.as_mut().unwrap().stamp.at = Millis(1),
        |state| *state = self::state("steps", 2),
    ];
    let mut state = state("steps", 1);
    let mut revision = commit(store, &[insert("steps", 1)]).await.unwrap().remove(0);
    for step in steps {
        step(&mut state);
        let write = Write { state: state.clone(), expect: Expect::At(revision) };
        revision = commit(store, &[write]).await.unwrap().remove(0);
        let stored = found(store, "steps").await;
        assert_eq!(stored, StoredState { state: state.clone(), revision: revision.clone() });
        revision = stored.revision;
    }
}

async fn a_commit_is_all_or_nothing(store: &DeviceRows) {
    let stale = commit(store, &[insert("all-0", 1)]).await.unwrap().remove(0);
    commit(store, &[update("all-0", 2, &stale)]).await.unwrap();
    let mut writes: Vec<Write> = (1..MOST_WRITES).map(|n| insert(&format!("all-{n}"), 1)).collect();
    writes.insert(50, update("all-0", 9, &stale));
    assert_eq!(writes.len(), MOST_WRITES);
    assert!(matches!(commit(store, &writes).await, Err(CommitError::Conflict)));
    let asked: Vec<DeviceId> = (1..MOST_WRITES).map(|n| device(&format!("all-{n}"))).collect();
    let loaded = store.load(Shard(0), &asked, soon()).await.unwrap();
    assert!(loaded.iter().all(|row| *row == Loaded::Absent), "nothing of the failed commit is there");
    writes.remove(50);
    assert_eq!(commit(store, &writes).await.unwrap().len(), MOST_WRITES - 1);
    let loaded = store.load(Shard(0), &asked, soon()).await.unwrap();
    assert!(loaded.iter().all(|row| matches!(row, Loaded::Found(_))));
}

async fn scans_find_every_row_of_the_shard_and_no_other(store: &DeviceRows) {
    let names: Vec<String> = (0..1_250).map(|n| format!("scan-{n:04}")).collect();
    for group in names.chunks(MOST_WRITES) {
        let writes: Vec<Write> = group.iter().map(|name| insert(name, 1)).collect();
        store.commit(Shard(1), &writes, soon()).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page: StatePage = store.scan(Shard(1), None, after.as_ref(), soon()).await.unwrap();
        seen.extend(page.states.iter().map(|state| state.device.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, names);
}

/// The ids of the rows of a shard that a scan finds, and the moment of its first page.
async fn scanned(store: &DeviceRows, since: Option<Moment>) -> (BTreeSet<String>, Moment) {
    let first = store.scan(Shard(1), since.as_ref(), None, soon()).await.unwrap();
    let (as_of, mut states, mut next) = (first.as_of, first.states, first.next);
    while next.is_some() {
        let page = store.scan(Shard(1), since.as_ref(), next.as_ref(), soon()).await.unwrap();
        states.extend(page.states);
        next = page.next;
    }
    (states.iter().map(|state| state.device.to_string()).collect(), as_of)
}

async fn a_scan_since_a_moment_finds_what_was_written_after_it(store: &DeviceRows) {
    let (before, moment) = scanned(store, None).await;
    assert!(before.len() > 1_000, "several pages");
    let names: Vec<String> = (0..MOST_WRITES).map(|n| format!("since-{n:03}")).collect();
    let writes: Vec<Write> = names.iter().map(|name| insert(name, 1)).collect();
    let revisions = store.commit(Shard(1), &writes, soon()).await.unwrap();
    let (found, later) = scanned(store, Some(moment.clone())).await;
    assert!(names.iter().all(|name| found.contains(name)));
    store.commit(Shard(1), &[update("since-007", 2, &revisions[7])], soon()).await.unwrap();
    assert!(scanned(store, Some(later)).await.0.contains("since-007"));
    assert!(scanned(store, Some(moment)).await.0.contains("since-007"), "a moment can be used again");
    let (everything, _) = scanned(store, Some(Moment::from_text("of another store"))).await;
    assert_eq!(everything.len(), before.len() + names.len());
}

/// The largest rows: a hundred of them must fit one transaction.
fn reading(sequence: i64, index: usize) -> RejectedReading {
    RejectedReading {
        rejection: Rejection::new(Reason::Unreadable, "the body is empty"),
        body: vec![255; RejectedReading::MOST_BYTES],
        body_length: RejectedReading::MOST_BYTES,
        position: Position { partition: HubPartition::new("hub", "0"), sequence: Some(sequence) },
        index,
        enqueued_at: Some(Millis(1_732_150_631_123)),
        rejected_at: Millis(1_732_150_631_999),
    }
}

async fn rejected_readings_may_be_kept_again(rejected: &RejectedRows) {
    let some: Vec<RejectedReading> = (0..150).map(|n| reading(n, 0)).collect();
    rejected.keep(&some, 7, soon()).await.unwrap();
    let overlapping: Vec<RejectedReading> =
        (100..260).map(|n| reading(n, 0)).chain([reading(259, 1), reading(259, 1)]).collect();
    rejected.keep(&overlapping, 8, soon()).await.unwrap();
    rejected.keep(&overlapping, 9, soon()).await.unwrap();
    let query = RejectedQuery { partition: "hub-0".to_owned(), device: None, after: None, limit: 1_000 };
    assert_eq!(read(rejected, query).await.len(), 261);
}

async fn read(rejected: &RejectedRows, query: RejectedQuery) -> Vec<RejectedReading> {
    rejected.read(&query, soon()).await.unwrap()
}

async fn rejected_readings_are_found_newest_first(rejected: &RejectedRows) {
    let small = |partition: &str, sequence: Option<i64>, device: Option<&str>| RejectedReading {
        rejection: Rejection {
            device: device.map(str::to_owned),
            ..Rejection::new(Reason::OutOfRange, "'quoted' & <odd>")
        },
        body: b"\xff\0 {}".to_vec(),
        body_length: 70_000,
        position: Position { partition: HubPartition::new("found", partition), sequence },
        enqueued_at: None,
        ..reading(0, 3)
    };
    let kept: Vec<RejectedReading> =
        (0..12).map(|n| small("7", Some(n), (n % 2 == 0).then_some("it's"))).collect();
    rejected.keep(&kept, 7, soon()).await.unwrap();
    rejected.keep(&[small("31", None, None)], 7, soon()).await.unwrap();

    let partitions = rejected.partitions(soon()).await.unwrap();
    let found: Vec<_> = partitions.iter().filter(|key| key.starts_with("found")).collect();
    assert_eq!(found, ["found-31", "found-7"], "each once, in key order, of {partitions:?}");

    let query = RejectedQuery { partition: "found-7".to_owned(), device: None, after: None, limit: 5 };
    let newest: Vec<RejectedReading> = kept.iter().rev().cloned().collect();
    assert_eq!(read(rejected, query.clone()).await, newest[..5]);
    let after = Some(newest[4].row_key());
    assert_eq!(read(rejected, RejectedQuery { after, limit: 50, ..query.clone() }).await, newest[5..]);
    let of_device = RejectedQuery { device: Some("it's".to_owned()), ..query.clone() };
    let of_device = read(rejected, of_device).await;
    let sequences: Vec<_> = of_device.iter().map(|one| one.position.sequence).collect();
    assert_eq!(sequences, [10, 8, 6, 4, 2].map(Some));
    let other = RejectedQuery { partition: "found-31".to_owned(), ..query.clone() };
    assert_eq!(read(rejected, other).await, [small("31", None, None)]);
    let none = RejectedQuery { partition: "found-3".to_owned(), ..query };
    assert!(read(rejected, none).await.is_empty());
}

async fn run_contract(rows: Arc<dyn TableStore>) {
    let store = Arc::new(Store::new(rows, Shards::new("Contract", 2)));
    let devices = DeviceRows::new(Arc::clone(&store), Arc::new(Catalogue::environment()));
    everything_is_read_as_it_was_written(&devices).await;
    whatever_changes_is_stored(&devices).await;
    a_write_needs_its_condition(&devices).await;
    a_commit_is_all_or_nothing(&devices).await;
    scans_find_every_row_of_the_shard_and_no_other(&devices).await;
    a_scan_since_a_moment_finds_what_was_written_after_it(&devices).await;
    let rejected = RejectedRows::new(store);
    rejected_readings_may_be_kept_again(&rejected).await;
    rejected_readings_are_found_newest_first(&rejected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_rows() {
    run_contract(Arc::new(MemoryStore::new())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_keeps_the_rows() {
    let directory = tempfile::tempdir().unwrap();
    run_contract(Arc::new(EmbeddedStore::new(directory.path()))).await;
    let again = embedded(directory.path(), Shards::new("Contract", 2));
    assert_eq!(found(&again, "cond").await.state.count, 2, "kept over a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn table_storage_keeps_the_rows() {
    run_contract(Account::start().tables()).await;
}

fn embedded(directory: &Path, shards: Shards) -> DeviceRows {
    let store = Store::new(Arc::new(EmbeddedStore::new(directory)), shards);
    DeviceRows::new(Arc::new(store), Arc::new(Catalogue::environment()))
}

/// A row as version 0.1.0 wrote it is counted on, written anew, and keeps what others added.
#[tokio::test]
async fn a_row_of_version_0_1_0_is_upgraded_in_place() {
    let account = Account::start();
    let table = account.table("DeviceState").await;
    let old = Entity::new("Sydney", "sensor-1")
        .with("DeviceId", "sensor-1")
        .with("Celsius", 21.5)
        .with("Count", 41_i64)
        .with("Version", 9_i64)
        .with("Schema", 2_i64)
        .with("Watermarks", r#"{"hub/0":[7,200]}"#)
        .with("WriteId", "000000000000002a-0")
        .with("Location", "roof");
    let deadline = || fieldcast_tables::Deadline::after(Duration::from_secs(30));
    table.insert(&old, deadline()).await.unwrap();
    let devices = account.devices(Shards::new("Sydney", 1));
    let stored = found(&devices, "sensor-1").await;
    let mut state = stored.state;
    assert_eq!(
        (state.count, state.version, state.watermarks[&HubPartition::new("hub", "0")].sequence),
        (41, 9, 7)
    );
    (state.count, state.version) = (42, 10);
    let write = Write { state: state.clone(), expect: Expect::At(stored.revision) };
    commit(&devices, &[write]).await.unwrap();
    assert_eq!(found(&devices, "sensor-1").await.state, state);
    let row = table.get("Sydney", "sensor-1", deadline()).await.unwrap().unwrap().entity;
    let names: BTreeSet<&str> = row.properties().map(|(name, _)| name).collect();
    assert!(names.contains("Ledger") && names.contains("Location"), "{names:?}");
    assert!(!names.contains("WriteId") && !names.contains("Version"), "nothing outdated stays: {names:?}");
}

#[tokio::test]
async fn rows_of_the_predecessor_count_as_one_shard() {
    let account = Account::start();
    let row = Entity::new("Sydney", "sensor-1").with("Count", 41_i64).with("Schema", 1_i32);
    let deadline = fieldcast_tables::Deadline::after(Duration::from_secs(30));
    account.table("DeviceState").await.insert(&row, deadline).await.unwrap();
    let sharded = account.devices(Shards::new("Sydney", 4));
    let error = chain(&sharded.load(Shard(0), &[device("sensor-1")], soon()).await.unwrap_err());
    assert!(error.contains("PartitionShards is 4") && error.contains("spread over 1"), "{error}");
    let plain = account.devices(Shards::new("Sydney", 1));
    assert_eq!(found(&plain, "sensor-1").await.state.count, 41);
}

#[tokio::test]
async fn another_shard_count_is_a_configuration_error_that_names_both() {
    let directory = tempfile::tempdir().unwrap();
    let account = Account::start();
    let embedded = |count| embedded(directory.path(), Shards::new("Sydney", count));
    let table = |count| account.devices(Shards::new("Sydney", count));
    for kind in ["embedded", "table"] {
        let open = |count| if kind == "embedded" { embedded(count) } else { table(count) };
        let first = open(4);
        first.load(Shard(0), &[device("a")], soon()).await.unwrap();
        drop(first);
        let error = chain(&open(2).load(Shard(0), &[device("a")], soon()).await.unwrap_err());
        assert!(error.contains("PartitionShards is 2") && error.contains("spread over 4"), "{kind}: {error}");
    }
}
