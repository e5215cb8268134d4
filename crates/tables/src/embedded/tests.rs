//! What only a store with a file can do wrong: opening, reopening, other processes, full disks.

mod disk;

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use redb::{ReadableDatabase, ReadableTableMetadata};

use self::disk::Disk;
use super::*;
use crate::{Entity, Failure, Moment, Table};

fn soon() -> Deadline {
    Deadline::after(Duration::from_secs(60))
}

fn table(store: impl TableStore + 'static) -> Table {
    Table::new(Arc::new(store), TableName::new("Devices").unwrap())
}

async fn created(store: impl TableStore + 'static) -> Table {
    let table = table(store);
    table.create(soon()).await.unwrap();
    table
}

fn row(key: &str) -> Entity {
    Entity::new("p", key).with("Count", 1_i64)
}

fn refusal<T: fmt::Debug>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Refused { code, .. }) => code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn nothing_is_opened_before_the_first_call_and_the_files_are_for_their_owner_only() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path().join("a").join("b");
    let table = table(EmbeddedStore::new(&folder));
    assert!(!folder.exists());
    table.create(soon()).await.unwrap();
    #[cfg(unix)]
    for (path, mode) in [(folder.clone(), 0o700), (folder.join("rows.redb"), 0o600)] {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
}

#[tokio::test]
async fn rows_and_numbers_survive_being_closed() {
    let place = tempfile::tempdir().unwrap();
    let first = created(EmbeddedStore::new(place.path())).await;
    let old = first.insert(&row("a"), soon()).await.unwrap();
    let moment = first.query(&Query::partition("p"), None, soon()).await.unwrap().as_of;
    first.delete("p", "a", &old, soon()).await.unwrap();
    drop(first);
    let again = table(EmbeddedStore::new(place.path()));
    let new = again.insert(&row("a"), soon()).await.unwrap();
    assert_ne!(new, old, "an etag names one version for ever");
    let changed = again.query_all(&Query::partition("p").changed_since(&moment), soon()).await.unwrap();
    assert_eq!(changed.len(), 1);
}

#[tokio::test]
async fn a_moment_of_an_earlier_store_in_the_folder_finds_everything() {
    let moment = async || {
        let place = tempfile::tempdir().unwrap();
        let table = created(EmbeddedStore::new(place.path())).await;
        table.insert(&row("a"), soon()).await.unwrap();
        let as_of = table.query(&Query::partition("p"), None, soon()).await.unwrap().as_of;
        (place, table, as_of)
    };
    let (_old, _, as_of) = moment().await;
    let (_new, table, own) = moment().await;
    let since = async |moment: &Moment| {
        table.query_all(&Query::partition("p").changed_since(moment), soon()).await.unwrap().len()
    };
    assert_eq!((since(&as_of).await, since(&own).await), (1, 0));
}

#[tokio::test]
async fn the_list_of_changes_has_one_entry_for_each_row() {
    let place = tempfile::tempdir().unwrap();
    let table = created(EmbeddedStore::new(place.path())).await;
    for key in ["a", "b", "c"] {
        let etag = table.insert(&row(key), soon()).await.unwrap();
        let etag = table.merge(&row(key), &etag, soon()).await.unwrap();
        if key == "c" {
            table.delete("p", key, &etag, soon()).await.unwrap();
        }
    }
    drop(table);
    let database = file::open(place.path()).unwrap();
    let transaction = database.begin_read().unwrap();
    assert_eq!(transaction.open_table(layout::CHANGES).unwrap().len().unwrap(), 2);
    assert_eq!(transaction.open_table(layout::ROWS).unwrap().len().unwrap(), 2);
}

#[tokio::test]
async fn a_store_that_another_process_has_open_is_refused_until_it_is_closed() {
    let place = tempfile::tempdir().unwrap();
    let first = created(EmbeddedStore::new(place.path())).await;
    let second = table(EmbeddedStore::new(place.path()));
    assert_eq!(refusal(second.get("p", "a", soon()).await), "StoreInUse");
    let text = second.insert(&row("a"), soon()).await.unwrap_err().to_string();
    assert!(text.contains("another process has it open"), "{text}");
    drop(first);
    second.insert(&row("a"), soon()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_a_store_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let occupied = place.path().join("file");
    std::fs::write(&occupied, "text").unwrap();
    let table = table(EmbeddedStore::new(&occupied));
    assert_eq!(refusal(table.get("p", "a", soon()).await), "StoreNotAccessible");

    std::fs::write(place.path().join("rows.redb"), "x".repeat(100_000)).unwrap();
    let foreign = self::table(EmbeddedStore::new(place.path()));
    assert_eq!(refusal(foreign.create(soon()).await), "StoreDamaged");
}

/// Changes a number of a closed store.
fn set_number(folder: &Path, name: &str, number: u64) {
    let database = file::open(folder).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(layout::NUMBERS).unwrap().insert(name, number).unwrap();
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_store_of_another_version_is_refused() {
    let place = tempfile::tempdir().unwrap();
    drop(created(EmbeddedStore::new(place.path())).await);
    set_number(place.path(), "version", 2);
    let table = table(EmbeddedStore::new(place.path()));
    assert_eq!(refusal(table.get("p", "a", soon()).await), "StoreDamaged");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_refused_and_not_taken_for_absent() {
    let place = tempfile::tempdir().unwrap();
    drop(created(EmbeddedStore::new(place.path())).await);
    let database = file::open(place.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    let key = [layout::table_prefix(&TableName::new("Devices").unwrap()), b"p\0a".to_vec()].concat();
    transaction.open_table(layout::ROWS).unwrap().insert(key.as_slice(), &[9][..]).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let table = table(EmbeddedStore::new(place.path()));
    assert_eq!(refusal(table.get("p", "a", soon()).await), "StoreDamaged");
    assert_eq!(refusal(table.insert(&row("a"), soon()).await), "StoreDamaged");
    assert_eq!(refusal(table.query_all(&Query::partition("p"), soon()).await), "StoreDamaged");
}

#[tokio::test]
async fn the_clock_does_not_run_backwards_when_the_machines_does() {
    let place = tempfile::tempdir().unwrap();
    drop(created(EmbeddedStore::new(place.path())).await);
    let future = 4_107_542_400_000_i64;
    set_number(place.path(), layout::LATEST, future.cast_unsigned());
    let table = table(EmbeddedStore::new(place.path()));
    let answered = table.store().get(table.name(), "p", "a", soon()).await.unwrap();
    assert_eq!(answered.clock, Some(StoreTime::exactly(future)));
    table.insert(&row("a"), soon()).await.unwrap();
    let stored = table.get("p", "a", soon()).await.unwrap().unwrap();
    assert_eq!(stored.timestamp.as_deref(), Some("2100-03-01T00:00:00.000Z"));
}

#[tokio::test]
async fn opening_is_bounded_by_the_deadline() {
    let (release, released) = mpsc::channel::<()>();
    let (disk, released) = (Disk::default(), std::sync::Mutex::new(released));
    let table = table(EmbeddedStore::on(move || {
        // Until the test lets go of the other end.
        let _ = released.lock().unwrap().recv();
        disk.open()
    }));
    let brief = || Deadline::after(Duration::from_millis(50));
    let read = table.get("p", "a", brief()).await.unwrap_err();
    assert!(matches!(read, Error::Unavailable { last: Failure::TimedOut, .. }), "{read:?}");
    let write = table.insert(&row("a"), brief()).await.unwrap_err();
    assert!(matches!(write, Error::Unknown { last: Failure::TimedOut, .. }), "{write:?}");
    drop(release);
    table.create(soon()).await.unwrap();
    assert_eq!(table.get("p", "a", soon()).await.unwrap(), None, "what began too late is not done");
}

/// A row that takes several pages of the file.
fn large(key: &str) -> Entity {
    Entity::new("p", key).with("Text", "x".repeat(30_000))
}

#[tokio::test]
async fn a_full_disk_fails_honestly_and_works_again_when_there_is_room() {
    let disk = Disk::default();
    let table = created(disk.store()).await;
    table.insert(&large("a"), soon()).await.unwrap();
    disk.fill();
    let failed = table.insert(&large("b"), soon()).await.unwrap_err();
    assert!(
        matches!(
            &failed,
            Error::Unknown { last: Failure::Disk, source: Some(_) }
                | Error::Unavailable { last: Failure::Disk, source: Some(_), .. }
        ),
        "{failed:?}"
    );
    // However often it is tried.
    for _ in 0..3 {
        let failed = table.insert(&large("b"), soon()).await.unwrap_err();
        assert!(matches!(failed, Error::Unknown { .. } | Error::Unavailable { .. }), "{failed:?}");
    }
    disk.make_room();
    let held = table.get("p", "b", soon()).await.unwrap();
    if held.is_none() {
        table.insert(&large("b"), soon()).await.unwrap();
    }
    let rows = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    assert_eq!(rows.iter().map(|row| &row.entity).collect::<Vec<_>>(), [&large("a"), &large("b")]);
}

#[tokio::test]
async fn a_disk_that_fails_anywhere_in_a_write_leaves_all_of_it_or_nothing() {
    for writes in 0..40 {
        let disk = Disk::default();
        let table = created(disk.store()).await;
        let etag = table.insert(&large("a"), soon()).await.unwrap();
        disk.fill_after(writes);
        let both = || {
            let change = Entity::new("p", "a").with("Count", 1_i64);
            vec![Operation::Merge(change, etag.clone()), Operation::Insert(large("b"))]
        };
        let outcome = table.transact(both(), soon()).await;
        disk.make_room();
        let rows = table.query_all(&Query::partition("p"), soon()).await.unwrap();
        let is_applied = rows.len() == 2 && rows[0].entity.get("Count").is_some();
        let is_untouched = rows.len() == 1 && rows[0].entity == large("a");
        assert!(is_applied || is_untouched, "after {writes} writes: {} rows", rows.len());
        match outcome {
            Ok(_) => assert!(is_applied, "after {writes} writes: acknowledged and lost"),
            Err(Error::Unavailable { .. }) => assert!(is_untouched, "after {writes} writes: denied and done"),
            Err(Error::Unknown { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
        if is_untouched {
            table.transact(both(), soon()).await.unwrap();
        }
    }
}
