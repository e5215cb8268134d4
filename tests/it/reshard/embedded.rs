//! The embedded store: the same promise, and the lock of its file proves that the app is stopped.

use std::path::Path;
use std::sync::Arc;

use fieldcast::devices::rows::{DeviceRows, Expect, Loaded, MOST_WRITES, Write};
use fieldcast::devices::state::{DeviceState, Latest, Stamp, Watermark};
use fieldcast::primitives::chain::chain;
use fieldcast::primitives::ids::{DeviceId, HubPartition};
use fieldcast::primitives::instant::Millis;
use fieldcast::store::Store;
use fieldcast::store::reshard::{Outcome, ReshardError, reshard};
use fieldcast::store::shard::Shards;
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_tables::{EmbeddedStore, MemoryStore, Sparse, TableStore};

use super::rows::device;
use super::{SITE, shards, soon, wanted};

const DEVICES: usize = 1_200;

fn open(directory: &Path, shards: Shards) -> DeviceRows {
    let store = Store::new(Arc::new(EmbeddedStore::new(directory)), shards);
    DeviceRows::new(Arc::new(store), Arc::new(Catalogue::environment()))
}

/// Where pages end early, also before their first row, all rows are counted and moved all the same.
#[tokio::test(flavor = "multi_thread")]
async fn rows_behind_empty_pages_are_moved_too() {
    let rows: Arc<dyn TableStore> = Arc::new(Sparse::new(Arc::new(MemoryStore::new().with_page_size(7))));
    let open = |count| {
        let store = Store::new(Arc::clone(&rows), shards(count));
        DeviceRows::new(Arc::new(store), Arc::new(Catalogue::environment()))
    };
    let devices: Vec<DeviceId> = (1..=60).map(id).collect();
    let write = |number| Write { state: state(number), expect: Expect::Absent };
    let writes: Vec<Write> = (1..=60).map(write).collect();
    let first = open(1);
    first.commit(first.shards().of(&devices[0]), &writes, soon()).await.unwrap();
    let outcome = reshard(Arc::clone(&rows), SITE, &wanted(4), &|_| {}).await.unwrap();
    let Outcome::Done { totals, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!(totals.rows, 60);
    let moved = open(4);
    for (number, device) in (1..).zip(&devices) {
        let row = moved.load(moved.shards().of(device), std::slice::from_ref(device), soon()).await.unwrap();
        assert!(
            matches!(&row[..], [Loaded::Found(found)] if found.state == state(number)),
            "{device}: {row:?}"
        );
    }
}

async fn reshard_embedded(directory: &Path, to: u16) -> Result<Outcome, ReshardError> {
    reshard(Arc::new(EmbeddedStore::new(directory)), SITE, &wanted(to), &|_| {}).await
}

fn id(number: usize) -> DeviceId {
    DeviceId::parse(&device(number)).unwrap()
}

fn state(number: usize) -> DeviceState {
    let mut state = DeviceState::new(id(number), &Catalogue::environment());
    let stamp = Stamp { at: Millis(1_732_150_631_123), partition: HubPartition::new("hub", "0") };
    state.values[0] = Some(Latest { value: 24.100_000_000_000_026.into(), stamp: stamp.clone() });
    state.watermarks = [(
        HubPartition::new("hub", "0"),
        Watermark { sequence: i64::MAX, enqueued_at: Some(stamp.at), began: None, at: stamp.at },
    )]
    .into_iter()
    .collect();
    state.count = i64::try_from(number).unwrap();
    (state.reported, state.measured) = (Some(stamp.clone()), Some(stamp));
    state
}

async fn write_all(store: &DeviceRows, shards: &Shards) {
    for shard in shards.all() {
        let of_shard = |number: &usize| shards.of(&id(*number)) == shard;
        let writes: Vec<Write> = (0..DEVICES)
            .filter(of_shard)
            .map(|number| Write { state: state(number), expect: Expect::Absent })
            .collect();
        for writes in writes.chunks(MOST_WRITES) {
            store.commit(shard, writes, soon()).await.unwrap();
        }
    }
}

async fn read_all(store: &DeviceRows, shards: &Shards) -> Vec<DeviceState> {
    let mut rows = Vec::new();
    for number in 0..DEVICES {
        match store.load(shards.of(&id(number)), &[id(number)], soon()).await.unwrap().remove(0) {
            Loaded::Found(stored) => rows.push(stored.state),
            other => panic!("{}: {other:?}", device(number)),
        }
    }
    rows
}

#[tokio::test]
async fn every_row_is_the_same_from_count_to_count() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), shards(1));
    write_all(&store, &shards(1)).await;
    let before = read_all(&store, &shards(1)).await;
    drop(store);
    for to in [4, 3, 1] {
        let outcome = reshard_embedded(directory.path(), to).await.unwrap();
        let Outcome::Done { moved, totals, .. } = outcome else { panic!("{outcome:?}") };
        assert!(
            moved > 0 && totals.rows == 1_200 && totals.readings == (0..1_200).sum::<i128>(),
            "{outcome:?}"
        );
        let store = open(directory.path(), shards(to));
        assert!(read_all(&store, &shards(to)).await == before, "a row differs after moving to {to}");
        let mut scanned = 0;
        for shard in shards(to).all() {
            scanned += store.scan(shard, None, None, soon()).await.unwrap().states.len();
        }
        assert!(scanned >= 1_000, "none is left behind where nobody looks: {scanned}");
        drop(store);
        assert!(matches!(reshard_embedded(directory.path(), to).await, Ok(Outcome::Already)));
    }
}

#[tokio::test]
async fn the_store_goes_on_with_the_new_count_and_refuses_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), shards(1));
    write_all(&store, &shards(1)).await;
    drop(store);
    reshard_embedded(directory.path(), 4).await.unwrap();

    let old = open(directory.path(), shards(1));
    let error = old.load(shards(1).of(&id(7)), &[id(7)], soon()).await.unwrap_err();
    let error = chain(&error);
    assert!(error.contains("`cargo dev reshard --to 1`"), "{error}");
    drop(old);

    let store = open(directory.path(), shards(4));
    let Loaded::Found(stored) = store.load(shards(4).of(&id(7)), &[id(7)], soon()).await.unwrap().remove(0)
    else {
        panic!("it has gone")
    };
    let mut next = stored.state;
    next.count += 1;
    let write = Write { state: next, expect: Expect::At(stored.revision) };
    store.commit(shards(4).of(&id(7)), &[write], soon()).await.unwrap();
}

/// Each site has a layout of its own, so the rows of another one stay where they are.
#[tokio::test]
async fn the_rows_of_another_site_are_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let other = Shards::new("Perth", 1);
    let (sydney, perth) = (open(directory.path(), shards(1)), open(directory.path(), other.clone()));
    write_all(&perth, &other).await;
    let before = read_all(&perth, &other).await;
    drop(perth);
    write_all(&sydney, &shards(1)).await;
    drop(sydney);
    reshard_embedded(directory.path(), 4).await.unwrap();
    let perth = open(directory.path(), other.clone());
    assert!(read_all(&perth, &other).await == before);
}

#[tokio::test]
async fn a_file_that_is_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), shards(1));
    write_all(&store, &shards(1)).await;
    let error = reshard_embedded(directory.path(), 4).await.unwrap_err();
    assert!(error.to_string().contains("another process has it open"), "{error}");
    assert_eq!(read_all(&store, &shards(1)).await.len(), DEVICES);
}
