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
use fieldcast::rejected::body::{RejectedBody, RejectedElements};
use fieldcast::rejected::reading::{Reason, Rejection};
use fieldcast::rejected::row::MOST_BYTES;
use fieldcast::rejected::rows::{Deleted, ListQuery, RejectedRows};
use fieldcast::store::Store;
use fieldcast::store::shard::{Shard, Shards};
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_tables::{EmbeddedStore, Entity, MemoryStore, Moment, Sparse, Table, TableName, TableStore};
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
        Watermark { sequence: i64::MAX, enqueued_at: Some(stamp.at), began: None, at: stamp.at },
    )]
    .into_iter()
    .collect();
    (state.reported, state.measured) = (Some(stamp.clone()), Some(stamp));
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

/// The largest rows.
fn rejected_body(sequence: i64, elements: std::ops::Range<usize>) -> RejectedBody {
    let mut rejected = RejectedElements::default();
    for index in elements {
        let rejection = Rejection {
            device: Some("it's".to_owned()),
            ..Rejection::new(Reason::OutOfRange, "'quoted' & <odd>")
        };
        rejected.reject(index, rejection, || b"\xff\0 {}".to_vec());
    }
    RejectedBody {
        position: Position { partition: HubPartition::new("hub", "0"), sequence: Some(sequence) },
        enqueued_at: Some(Millis(1_732_150_631_123 + sequence)),
        rejected_at: Millis(1_732_150_631_999),
        body: vec![255; MOST_BYTES].into(),
        body_length: MOST_BYTES,
        rejected,
    }
}

fn small(sequence: i64, enqueued_at: Option<Millis>) -> RejectedBody {
    let body = b"\xff\0 {}".as_slice();
    RejectedBody { body: body.into(), body_length: body.len(), enqueued_at, ..rejected_body(sequence, 3..4) }
}

async fn rejected_bodies_may_be_kept_again_and_grow(rejected: &RejectedRows, again: &RejectedRows) {
    let some = || (0..30).map(|n| rejected_body(n, 0..20_000)).collect::<Vec<_>>();
    rejected.keep(some(), 7, soon()).await.unwrap();
    again.keep(some(), 8, soon()).await.unwrap();
    again.keep((20..40).map(|n| rejected_body(n, 19_990..20_010)).collect(), 9, soon()).await.unwrap();
    let listed = list(rejected, None, 1_000).await;
    let counts: Vec<usize> = listed.iter().rev().map(|body| body.rejected.count()).collect();
    assert_eq!(counts, [vec![20_000; 20], vec![20_010; 10], vec![20; 10]].concat());
    assert!(listed.iter().all(|body| body.body == vec![255; MOST_BYTES]), "the bytes stay");
    assert!(listed[10..].iter().all(|body| body.rejected.first().unwrap().index == 0));
}

/// Page by page.
async fn list(rejected: &RejectedRows, device: Option<&str>, limit: usize) -> Vec<RejectedBody> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let device = device.map(str::to_owned);
        let query = ListQuery { device, after, limit, enough_bytes: 1024 * 1024 };
        let listed = rejected.list(&query, soon()).await.unwrap();
        all.extend(listed.bodies);
        match listed.next {
            Some(_) => after = listed.next,
            None => return all,
        }
    }
}

async fn rejected_bodies_are_found_newest_first(rejected: &RejectedRows) {
    let minutes = |n: i64| Some(Millis(1_742_150_631_123 + n * 60_000));
    let kept: Vec<RejectedBody> =
        (0..50).map(|n| small(n, minutes(n * n))).chain([small(99, None)]).collect();
    rejected.keep(kept.clone(), 7, soon()).await.unwrap();
    let newest: Vec<RejectedBody> = kept[..50].iter().rev().cloned().collect();
    for limit in [7, 1_000] {
        let all = list(rejected, None, limit).await;
        assert_eq!(all[..50], newest);
        assert_eq!((all.len(), &all[90]), (91, &kept[50]), "one without a time is the last");
    }
    assert_eq!(list(rejected, Some("it's"), 10).await.len(), 91);
    assert!(list(rejected, Some("nobody"), 10).await.is_empty());
}

async fn old_rejected_bodies_are_deleted(rejected: &RejectedRows) {
    let before = Millis(1_742_150_631_123 - 24 * 60 * 60 * 1_000);
    let deleted = rejected.delete_before(before, soon()).await.unwrap();
    assert_eq!(
        deleted,
        Deleted { rows: 41, is_complete: true },
        "and the one without a time, rejected long ago"
    );
    assert_eq!(list(rejected, None, 100).await.len(), 50);
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
    let rejected = RejectedRows::new(Arc::clone(&store));
    rejected_bodies_may_be_kept_again_and_grow(&rejected, &RejectedRows::new(store)).await;
    rejected_bodies_are_found_newest_first(&rejected).await;
    old_rejected_bodies_are_deleted(&rejected).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_rows() {
    run_contract(Arc::new(MemoryStore::new())).await;
}

/// The service may end a page wherever it likes, also before its first row.
#[tokio::test(flavor = "multi_thread")]
async fn no_empty_page_is_taken_for_the_end() {
    run_contract(Arc::new(Sparse::new(Arc::new(MemoryStore::new())))).await;
    run_contract(Arc::new(Sparse::new(Arc::new(MemoryStore::new().with_page_size(3))))).await;
}

#[tokio::test]
async fn rows_behind_an_empty_page_are_not_passed_over_when_the_shard_count_is_recorded() {
    let rows: Arc<dyn TableStore> = Arc::new(Sparse::new(Arc::new(MemoryStore::new())));
    let table = Table::new(Arc::clone(&rows), TableName::new("DeviceState").unwrap());
    let deadline = fieldcast_tables::Deadline::after(Duration::from_secs(30));
    table.create(deadline).await.unwrap();
    let row = Entity::new("Sydney", "sensor-1").with("Count", 41_i64).with("Schema", 1_i32);
    table.insert(&row, deadline).await.unwrap();
    let open = |shards| {
        let store = Store::new(Arc::clone(&rows), Shards::new("Sydney", shards));
        DeviceRows::new(Arc::new(store), Arc::new(Catalogue::environment()))
    };
    let error = chain(&open(4).load(Shard(0), &[device("sensor-1")], soon()).await.unwrap_err());
    assert!(error.contains("PartitionShards is 4") && error.contains("spread over 1"), "{error}");
    assert_eq!(found(&open(1), "sensor-1").await.state.count, 41);
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
