//! The embedded store: the same promise, and the lock of the file proves that the app is stopped.

use std::path::Path;
use std::sync::Arc;

use fieldcast::devices::state::{DeviceState, Latest, Mark, Stamp};
use fieldcast::primitives::ids::{DeviceId, Partition};
use fieldcast::primitives::instant::Millis;
use fieldcast::store::reshard::{Outcome, ReshardError, in_directory};
use fieldcast::store::shard::Shards;
use fieldcast::store::{EmbeddedStore, Expect, Loaded, StateStore, Stored, Write};
use fieldcast::telemetry::catalogue::Catalogue;

use super::rows::device;
use super::{shards, soon, wanted};

const DEVICES: usize = 1_200;

fn open(directory: &Path, shards: Shards) -> EmbeddedStore {
    EmbeddedStore::new(directory, Arc::new(Catalogue::environment()), shards)
}

fn id(number: usize) -> DeviceId {
    DeviceId::parse(&device(number)).unwrap()
}

fn state(number: usize) -> DeviceState {
    let mut state = DeviceState::new(id(number), &Catalogue::environment());
    let stamp = Stamp { at: Millis(1_732_150_631_123), partition: Partition::new("hub", "0") };
    state.values[0] = Some(Latest { value: 24.100_000_000_000_026, stamp: stamp.clone() });
    state.marks =
        [(Partition::new("hub", "0"), Mark { sequence: i64::MAX, at: stamp.at })].into_iter().collect();
    state.count = i64::try_from(number).unwrap();
    state.reported = Some(stamp);
    state
}

async fn write_all(store: &EmbeddedStore, shards: &Shards) {
    for shard in shards.all() {
        let of_shard = |number: &usize| shards.of(&id(*number)) == shard;
        let writes: Vec<Write> = (0..DEVICES)
            .filter(of_shard)
            .map(|number| Write { state: state(number), expect: Expect::Absent })
            .collect();
        store.commit(shard, &writes, soon()).await.unwrap();
    }
}

async fn read_all(store: &EmbeddedStore, shards: &Shards) -> Vec<Stored> {
    let mut rows = Vec::new();
    for number in 0..DEVICES {
        match store.load(shards.of(&id(number)), &[id(number)], soon()).await.unwrap().remove(0) {
            Loaded::Found(stored) => rows.push(*stored),
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
        let outcome = in_directory(directory.path(), &wanted(to)).await.unwrap();
        let Outcome::Done { moved, totals, .. } = outcome else { panic!("{outcome:?}") };
        assert!(
            moved > 0 && totals.rows == 1_200 && totals.readings == (0..1_200).sum::<i128>(),
            "{outcome:?}"
        );
        let store = open(directory.path(), shards(to));
        assert!(read_all(&store, &shards(to)).await == before, "a row differs after moving to {to}");
        let mut scanned = 0;
        for shard in shards(to).all() {
            scanned += store.scan(shard, None, None, soon()).await.unwrap().rows.len();
        }
        assert!(scanned >= 1_000, "none is left behind where nobody looks: {scanned}");
        drop(store);
        assert_eq!(in_directory(directory.path(), &wanted(to)).await, Ok(Outcome::Already));
    }
}

#[tokio::test]
async fn the_store_goes_on_with_the_new_count_and_refuses_the_old_one() {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), shards(1));
    write_all(&store, &shards(1)).await;
    drop(store);
    in_directory(directory.path(), &wanted(4)).await.unwrap();

    let old = open(directory.path(), shards(1));
    let error = old.load(shards(1).of(&id(7)), &[id(7)], soon()).await.unwrap_err().to_string();
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

/// One count is recorded for the whole file, so the rows of all sites move together.
#[tokio::test]
async fn the_rows_of_every_site_are_moved() {
    let directory = tempfile::tempdir().unwrap();
    // The second site is named as the first one's new partition.
    let sites = |count| [Shards::new("Sydney", count), Shards::new("Sydney-00", count)];
    let mut before = Vec::new();
    for site in sites(1) {
        let store = open(directory.path(), site.clone());
        write_all(&store, &site).await;
        before.push(read_all(&store, &site).await);
    }
    in_directory(directory.path(), &wanted(4)).await.unwrap();
    in_directory(directory.path(), &wanted(2)).await.unwrap();
    for (site, before) in sites(2).iter().zip(before) {
        let store = open(directory.path(), site.clone());
        assert!(read_all(&store, site).await == before);
    }
}

#[tokio::test]
async fn a_file_that_is_in_use_or_missing_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let error = in_directory(directory.path(), &wanted(4)).await.unwrap_err();
    assert!(matches!(&error, ReshardError::NothingStored(_)), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "and nothing was made");

    let store = open(directory.path(), shards(1));
    write_all(&store, &shards(1)).await;
    let error = in_directory(directory.path(), &wanted(4)).await.unwrap_err();
    assert!(matches!(&error, ReshardError::InUse(_)), "{error}");
    assert_eq!(read_all(&store, &shards(1)).await.len(), DEVICES);
}
