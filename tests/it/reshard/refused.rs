//! What a move refuses, and what an app refuses while rows are on their way.

use fieldcast::store::StoreError;
use fieldcast::store::reshard::{Expected, Outcome, Reshard, ReshardError};
use fieldcast_tables::{Deadline, Entity, Query, Stored};

use super::line::{Break, Line};
use super::rows::{everything, of_predecessor, write};
use super::{SITE, reshard, reshard_through, shards, start, wanted};
use crate::stack::{Account, PATIENCE};

fn later() -> Deadline {
    Deadline::after(PATIENCE)
}

/// Forty rows on their way from 1 to 4 partitions, killed when the first copies were made and no row was deleted yet.
async fn half_moved() -> Account {
    /// Before it: the layout row, five partitions counted, the intent, one page read.
    const FIRST_COPY: usize = 8;
    let account = Account::start();
    write(&account, &(0..40).map(of_predecessor).collect::<Vec<_>>()).await;
    start(&account.devices(shards(1))).await.unwrap();
    let line = Line::start(&account, FIRST_COPY, Break::After).await;
    let (connection, wanted) = (line.connection_string(&account), wanted(4));
    tokio::select! {
        outcome = reshard_through(&connection, &wanted) => panic!("not interrupted: {outcome:?}"),
        () = line.broken() => {}
    }
    account
}

/// A row that is in two places: where it was, and its copy.
async fn twins(account: &Account) -> (Stored, Stored) {
    let table = account.table("DeviceState").await;
    let all = table.query_all(&Query::everything(), later()).await.unwrap();
    let (old, new): (Vec<Stored>, Vec<Stored>) =
        all.into_iter().partition(|row| row.entity.partition == SITE);
    let copy = new.into_iter().next().expect("a copy was made");
    let old = old.into_iter().find(|row| row.entity.row == copy.entity.row).expect("nothing was deleted");
    (old, copy)
}

async fn change(account: &Account, row: &Stored, column: &str, value: i64) {
    let change = Entity::new(&row.entity.partition, &row.entity.row).with(column, value);
    account.table("DeviceState").await.merge(&change, &row.etag, later()).await.unwrap();
}

async fn delete(account: &Account, row: &Stored) {
    let table = account.table("DeviceState").await;
    table.delete(&row.entity.partition, &row.entity.row, &row.etag, later()).await.unwrap();
}

async fn recount(account: &Account, to: u16) -> Result<Outcome, ReshardError> {
    let wanted = Reshard { expect: Expected::AsFound, ..wanted(to) };
    reshard_through(&account.connection_string(), &wanted).await
}

#[tokio::test]
async fn no_app_starts_and_no_other_move_begins_before_the_first_has_ended() {
    let account = half_moved().await;
    for count in [1, 2, 4] {
        let start = start(&account.devices(shards(count))).await;
        let Err(StoreError::Misconfigured(problem)) = start else { panic!("{count}: {start:?}") };
        assert!(problem.to_string().contains("`cargo dev reshard --to 4`"), "{problem}");
    }
    for other in [1, 2, 5] {
        assert!(matches!(reshard(&account, other).await, Err(ReshardError::OtherTarget(4))));
    }
    reshard(&account, 4).await.unwrap();
    start(&account.devices(shards(4))).await.unwrap();
    assert_eq!(everything(&account).await.len(), 40);
}

#[tokio::test]
async fn a_row_that_is_newer_than_its_copy_is_named_and_nothing_is_deleted() {
    for column in ["Count", "Version"] {
        let account = half_moved().await;
        let (old, copy) = twins(&account).await;
        change(&account, &old, column, 5_000).await;
        let error = reshard(&account, 4).await.unwrap_err();
        let ReshardError::Differ { old: named, copy: also } = &error else { panic!("{error}") };
        assert_eq!((named.partition.as_str(), &named.row), (SITE, &old.entity.row));
        assert_eq!((&also.partition, &also.row), (&copy.entity.partition, &copy.entity.row));

        delete(&account, &copy).await;
        if column == "Count" {
            let error = reshard(&account, 4).await.unwrap_err();
            assert!(matches!(error, ReshardError::Totals { .. }), "{error}");
        }
        recount(&account, 4).await.unwrap();
        let all = everything(&account).await;
        assert_eq!(all.len(), 40);
        assert_eq!(all[&old.entity.row].1[column].as_i64(), Some(5_000));
    }
}

#[tokio::test]
async fn a_row_that_changes_while_it_is_moved_is_named_and_not_deleted() {
    /// Before it: the layout row, three partitions counted, the intent, one page read, the copy.
    const DELETION: usize = 7;
    let account = Account::start();
    write(&account, &[of_predecessor(7)]).await;
    start(&account.devices(shards(1))).await.unwrap();
    let line = Line::start(&account, DELETION, Break::Hold).await;
    let (connection, wanted) = (line.connection_string(&account), wanted(2));
    let app = async {
        line.broken().await;
        let (old, _) = twins(&account).await;
        change(&account, &old, "Count", 8).await;
        line.mend();
    };
    let (outcome, ()) = tokio::join!(reshard_through(&connection, &wanted), app);
    let Err(ReshardError::Changed(named)) = outcome else { panic!("{outcome:?}") };
    assert_eq!((named.partition.as_str(), named.row.as_str()), (SITE, "sensor-7"));
    let (old, _) = twins(&account).await;
    assert_eq!(old.entity.get("Count").and_then(fieldcast_tables::Value::as_i64), Some(8));
}

#[tokio::test]
async fn a_row_that_is_missing_after_an_interruption_is_not_passed_over() {
    let account = half_moved().await;
    let (old, copy) = twins(&account).await;
    delete(&account, &old).await;
    delete(&account, &copy).await;
    let error = reshard(&account, 4).await.unwrap_err();
    let ReshardError::Totals { before, now } = error else { panic!("{error}") };
    assert_eq!((before.rows, now.rows), (40, 39));
    assert!(matches!(recount(&account, 4).await, Ok(Outcome::Done { .. })));
}

#[tokio::test]
async fn rows_of_somebody_else_in_a_new_partition_are_not_mixed_with_ours() {
    let account = Account::start();
    write(&account, &[of_predecessor(7)]).await;
    let theirs = Entity::new("Sydney-02", "their-pump").with("Count", 5_i64);
    account.table("DeviceState").await.insert(&theirs, later()).await.unwrap();
    let error = reshard(&account, 4).await.unwrap_err();
    let ReshardError::Stranger(named) = &error else { panic!("{error}") };
    assert_eq!((named.partition.as_str(), named.row.as_str()), ("Sydney-02", "their-pump"));
    assert_eq!(everything(&account).await["sensor-7"].0, SITE);
    // Nothing has begun: the app still starts.
    start(&account.devices(shards(1))).await.unwrap();
}
