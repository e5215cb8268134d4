//! The contract of the state store, run over every implementation, ending in a race of counters.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fieldcast::devices::state::{DeviceState, Latest, Mark, Stamp};
use fieldcast::primitives::ids::{DeviceId, Partition, Position};
use fieldcast::primitives::instant::Millis;
use fieldcast::rejected::refusal::{Fault, Reason, Refusal};
use fieldcast::store::shard::{Shard, Shards};
use fieldcast::store::{
    CommitError, EmbeddedStore, Expect, Loaded, MOST_WRITES, MemoryStore, Moment, RefusalQuery, Revision,
    StateStore, Stored, Write,
};
use fieldcast::telemetry::catalogue::Catalogue;
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
    let stamp = Stamp { at: Millis(1_732_150_631_123), partition: Partition::new("hub", "0") };
    state.values[0] = Some(Latest { value: -9.538_485_327_531_745, stamp: stamp.clone() });
    state.geo = Some(Latest { value: "Zürich's \"hill\" 100%".to_owned(), stamp: stamp.clone() });
    state.marks =
        [(Partition::new("hub", "0"), Mark { sequence: i64::MAX, at: stamp.at })].into_iter().collect();
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

async fn found(store: &dyn StateStore, name: &str) -> Stored {
    match store.load(Shard(0), &[device(name)], soon()).await.unwrap().remove(0) {
        Loaded::Found(stored) => *stored,
        other => panic!("{name}: {other:?}"),
    }
}

async fn commit(store: &dyn StateStore, writes: &[Write]) -> Result<Vec<Revision>, CommitError> {
    store.commit(Shard(0), writes, soon()).await
}

async fn everything_is_read_as_it_was_written(store: &dyn StateStore) {
    assert_eq!(store.load(Shard(0), &[device("nobody")], soon()).await.unwrap(), [Loaded::Absent]);
    let odd = ["sensor-1", "O'Brien", "100%", "ü +&(a)", "a.b:c_d@e=f,g;h", "$x!*"];
    let writes: Vec<Write> = odd.iter().map(|name| insert(name, i64::MAX)).collect();
    let revisions = commit(store, &writes).await.unwrap();
    for (name, revision) in odd.iter().zip(&revisions) {
        assert_eq!(
            found(store, name).await,
            Stored { state: state(name, i64::MAX), revision: revision.clone() }
        );
    }
    let asked = [device("100%"), device("nobody"), device("sensor-1")];
    let loaded = store.load(Shard(0), &asked, soon()).await.unwrap();
    assert!(
        matches!(&loaded[..], [Loaded::Found(_), Loaded::Absent, Loaded::Found(_)]),
        "in the order asked"
    );
}

async fn a_write_needs_its_condition(store: &dyn StateStore) {
    let first = commit(store, &[insert("cond", 1)]).await.unwrap().remove(0);
    assert_eq!(commit(store, &[insert("cond", 2)]).await, Err(CommitError::Conflict));
    let second = commit(store, &[update("cond", 2, &first)]).await.unwrap().remove(0);
    assert_ne!(first, second);
    assert_eq!(commit(store, &[update("cond", 3, &first)]).await, Err(CommitError::Conflict));
    assert_eq!(found(store, "cond").await, Stored { state: state("cond", 2), revision: second.clone() });
    assert_eq!(commit(store, &[update("cond-gone", 3, &second)]).await, Err(CommitError::Conflict));
}

/// Each step changes something that was not changed by the step before, and the last one changes it back.
async fn whatever_changes_is_stored(store: &dyn StateStore) {
    let steps: [fn(&mut DeviceState); 6] = [
        |state| state.count += 1,
        |state| state.geo.as_mut().unwrap().value = "Perth".to_owned(),
        |state| state.verdicts.refuse(&Partition::new("hub", "0"), i64::MAX, 0),
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
        assert_eq!(stored, Stored { state: state.clone(), revision: revision.clone() });
        revision = stored.revision;
    }
}

async fn a_commit_is_all_or_nothing(store: &dyn StateStore) {
    let stale = commit(store, &[insert("all-0", 1)]).await.unwrap().remove(0);
    commit(store, &[update("all-0", 2, &stale)]).await.unwrap();
    let mut writes: Vec<Write> = (1..MOST_WRITES).map(|n| insert(&format!("all-{n}"), 1)).collect();
    writes.insert(50, update("all-0", 9, &stale));
    assert_eq!(writes.len(), MOST_WRITES);
    assert_eq!(commit(store, &writes).await, Err(CommitError::Conflict));
    let asked: Vec<DeviceId> = (1..MOST_WRITES).map(|n| device(&format!("all-{n}"))).collect();
    let loaded = store.load(Shard(0), &asked, soon()).await.unwrap();
    assert!(loaded.iter().all(|row| *row == Loaded::Absent), "nothing of the failed commit is there");
    writes.remove(50);
    assert_eq!(commit(store, &writes).await.unwrap().len(), MOST_WRITES - 1);
    let loaded = store.load(Shard(0), &asked, soon()).await.unwrap();
    assert!(loaded.iter().all(|row| matches!(row, Loaded::Found(_))));
}

async fn scans_find_every_row_of_the_shard_and_no_other(store: &dyn StateStore) {
    let names: Vec<String> = (0..1_250).map(|n| format!("scan-{n:04}")).collect();
    for group in names.chunks(MOST_WRITES) {
        let writes: Vec<Write> = group.iter().map(|name| insert(name, 1)).collect();
        store.commit(Shard(1), &writes, soon()).await.unwrap();
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.scan(Shard(1), None, after, soon()).await.unwrap();
        seen.extend(page.rows.iter().map(|state| state.device.to_string()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, names);
}

/// The ids of the rows of a shard that a scan finds, and the moment of its first page.
async fn scanned(store: &dyn StateStore, since: Option<Moment>) -> (BTreeSet<String>, Moment) {
    let first = store.scan(Shard(1), since.clone(), None, soon()).await.unwrap();
    let (read_at, mut rows, mut next) = (first.read_at, first.rows, first.next);
    while next.is_some() {
        let page = store.scan(Shard(1), since.clone(), next, soon()).await.unwrap();
        rows.extend(page.rows);
        next = page.next;
    }
    (rows.iter().map(|state| state.device.to_string()).collect(), read_at)
}

async fn a_scan_since_a_moment_finds_what_was_written_after_it(store: &dyn StateStore) {
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
    let (everything, _) = scanned(store, Some(Moment("of another store".to_owned()))).await;
    assert_eq!(everything.len(), before.len() + names.len());
}

/// The largest rows: a hundred of them must fit one transaction.
fn refusal(sequence: i64, index: usize) -> Refusal {
    Refusal {
        fault: Fault::new(Reason::Unreadable, "the body is empty"),
        body: vec![255; Refusal::MOST_BYTES],
        body_length: Refusal::MOST_BYTES,
        position: Position { partition: Partition::new("hub", "0"), sequence: Some(sequence) },
        index,
        enqueued_at: Some(Millis(1_732_150_631_123)),
        refused_at: Millis(1_732_150_631_999),
    }
}

async fn refusals_may_be_kept_again(store: &dyn StateStore) {
    let some: Vec<Refusal> = (0..150).map(|n| refusal(n, 0)).collect();
    store.refuse(&some, soon()).await.unwrap();
    let overlapping: Vec<Refusal> =
        (100..260).map(|n| refusal(n, 0)).chain([refusal(259, 1), refusal(259, 1)]).collect();
    store.refuse(&overlapping, soon()).await.unwrap();
    store.refuse(&overlapping, soon()).await.unwrap();
}

async fn refused(store: &dyn StateStore, query: RefusalQuery) -> Vec<Refusal> {
    store.refused(&query, soon()).await.unwrap()
}

async fn refusals_are_found_newest_first(store: &dyn StateStore) {
    let small = |partition: &str, sequence: Option<i64>, device: Option<&str>| Refusal {
        fault: Fault {
            device: device.map(str::to_owned),
            ..Fault::new(Reason::OutOfRange, "'quoted' & <odd>")
        },
        body: b"\xff\0 {}".to_vec(),
        body_length: 70_000,
        position: Position { partition: Partition::new("found", partition), sequence },
        enqueued_at: None,
        ..refusal(0, 3)
    };
    let kept: Vec<Refusal> = (0..12).map(|n| small("7", Some(n), (n % 2 == 0).then_some("it's"))).collect();
    store.refuse(&kept, soon()).await.unwrap();
    store.refuse(&[small("31", None, None)], soon()).await.unwrap();

    let partitions = store.refusing_partitions(soon()).await.unwrap();
    let found: Vec<_> = partitions.iter().filter(|key| key.starts_with("found")).collect();
    assert_eq!(found, ["found-31", "found-7"], "each once, in key order, of {partitions:?}");

    let query = RefusalQuery { partition: "found-7".to_owned(), device: None, after: None, limit: 5 };
    let newest: Vec<Refusal> = kept.iter().rev().cloned().collect();
    assert_eq!(refused(store, query.clone()).await, newest[..5]);
    let after = Some(newest[4].row_key());
    assert_eq!(refused(store, RefusalQuery { after, limit: 50, ..query.clone() }).await, newest[5..]);
    let of_device = refused(store, RefusalQuery { device: Some("it's".to_owned()), ..query.clone() }).await;
    assert_eq!(
        of_device.iter().map(|one| one.position.sequence).collect::<Vec<_>>(),
        [10, 8, 6, 4, 2].map(Some)
    );
    let other = RefusalQuery { partition: "found-31".to_owned(), ..query.clone() };
    assert_eq!(refused(store, other).await, [small("31", None, None)]);
    assert!(refused(store, RefusalQuery { partition: "found-3".to_owned(), ..query }).await.is_empty());
}

/// Four tasks, each adding one to the same two rows until it has done so 25 times: the counters must end at 100, and
/// whoever is told "conflict" must not have changed anything.
async fn racing_counters_lose_nothing(store: Arc<dyn StateStore>) {
    commit(&*store, &[insert("race-a", 0), insert("race-b", 0)]).await.unwrap();
    let racers = (0..4).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            let mut done = 0;
            while done < 25 {
                let (a, b) = (found(&*store, "race-a").await, found(&*store, "race-b").await);
                let next_a = update("race-a", a.state.count + 1, &a.revision);
                let next_b = update("race-b", b.state.count + 1, &b.revision);
                match commit(&*store, &[next_a, next_b]).await {
                    Ok(_) => done += 1,
                    Err(CommitError::Conflict) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.unwrap();
    }
    assert_eq!(
        (found(&*store, "race-a").await.state.count, found(&*store, "race-b").await.state.count),
        (100, 100)
    );
}

async fn run_contract(store: Arc<dyn StateStore>) {
    everything_is_read_as_it_was_written(&*store).await;
    whatever_changes_is_stored(&*store).await;
    a_write_needs_its_condition(&*store).await;
    a_commit_is_all_or_nothing(&*store).await;
    scans_find_every_row_of_the_shard_and_no_other(&*store).await;
    a_scan_since_a_moment_finds_what_was_written_after_it(&*store).await;
    refusals_may_be_kept_again(&*store).await;
    refusals_are_found_newest_first(&*store).await;
    racing_counters_lose_nothing(store).await;
}

fn shards() -> Shards {
    Shards::new("Contract", 2)
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_keeps_the_contract() {
    let store = Arc::new(MemoryStore::new());
    run_contract(Arc::clone(&store) as Arc<dyn StateStore>).await;
    assert_eq!(store.refusals().len(), 261 + 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_keeps_the_contract() {
    let directory = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::new(directory.path(), Arc::new(Catalogue::environment()), shards());
    run_contract(Arc::new(store)).await;
    let again = EmbeddedStore::new(directory.path(), Arc::new(Catalogue::environment()), shards());
    assert_eq!(found(&again, "race-a").await.state.count, 100, "kept over a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn table_storage_keeps_the_contract() {
    let account = Account::start();
    let store = account.store(shards());
    run_contract(Arc::new(store)).await;
    assert_eq!(account.rows("RejectedTelemetry", "hub-0").await.len(), 261);
}

#[tokio::test]
async fn rows_of_the_predecessor_count_as_one_shard() {
    let account = Account::start();
    let row = fieldcast_tables::Entity::new("Sydney", "sensor-1").with("Count", 41_i64).with("Schema", 1_i32);
    let deadline = fieldcast_tables::Deadline::after(Duration::from_secs(30));
    account.table("DeviceState").await.insert(&row, deadline).await.unwrap();
    let sharded = account.store(Shards::new("Sydney", 4));
    let error = sharded.load(Shard(0), &[device("sensor-1")], soon()).await.unwrap_err().to_string();
    assert!(error.contains("PartitionShards is 4") && error.contains("spread over 1"), "{error}");
    let plain = account.store(Shards::new("Sydney", 1));
    assert_eq!(found(&plain, "sensor-1").await.state.count, 41);
}

#[tokio::test]
async fn another_shard_count_is_a_configuration_error_that_names_both() {
    let directory = tempfile::tempdir().unwrap();
    let account = Account::start();
    let catalogue = || Arc::new(Catalogue::environment());
    let embedded = |count| EmbeddedStore::new(directory.path(), catalogue(), Shards::new("Sydney", count));
    let table = |count| account.store(Shards::new("Sydney", count));
    let pairs: [(Box<dyn StateStore>, Box<dyn StateStore>); 2] =
        [(Box::new(embedded(4)), Box::new(embedded(2))), (Box::new(table(4)), Box::new(table(2)))];
    for (first, other) in pairs {
        first.load(Shard(0), &[device("a")], soon()).await.unwrap();
        drop(first);
        let error = other.load(Shard(0), &[device("a")], soon()).await.unwrap_err().to_string();
        assert!(error.contains("PartitionShards is 2") && error.contains("spread over 4"), "{error}");
    }
}
