//! Table Storage, undisturbed: every row keeps every value, and the app counts on from where it was.

use fieldcast::devices::rows::{Expect, Loaded, Write};
use fieldcast::primitives::chain::chain;
use fieldcast::primitives::ids::DeviceId;
use fieldcast::store::reshard::{Outcome, ReshardError};
use fieldcast_tables::{Deadline, Entity};

use super::rows::{device, everything, expected, of_predecessor, with_columns_of_others, write};
use super::{reshard, shards, soon, start};
use crate::stack::{Account, Options, PATIENCE, Stack};

fn mixed(count: usize) -> Vec<Entity> {
    let row = |number| if number % 3 == 0 { with_columns_of_others(number) } else { of_predecessor(number) };
    (0..count).map(row).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_row_keeps_every_value_from_count_to_count() {
    let account = Account::start();
    write(&account, &mixed(1_200)).await;
    let total: i128 = (0..1_200).sum();
    for to in [4, 3, 1] {
        let before = everything(&account).await;
        let expected = expected(&account, &shards(to)).await;
        let moving = expected.iter().filter(|(row, (partition, _))| before[*row].0 != *partition).count();
        let outcome = reshard(&account, to).await.unwrap();
        assert!(everything(&account).await == expected, "a row differs after moving to {to}");
        let Outcome::Done { moved, totals, .. } = outcome else { panic!("{outcome:?}") };
        assert_eq!((moved, totals.rows, totals.readings), (moving as u64, 1_200, total));
        assert!(matches!(reshard(&account, to).await, Ok(Outcome::Already)));
    }
}

#[tokio::test]
async fn rows_that_stand_where_they_belong_are_not_touched() {
    let account = Account::start();
    write(&account, &mixed(200)).await;
    reshard(&account, 4).await.unwrap();
    let table = account.table("DeviceState").await;
    let all = || async {
        table.query_all(&fieldcast_tables::Query::everything(), Deadline::after(PATIENCE)).await.unwrap()
    };
    let before = all().await;
    let Outcome::Done { moved, .. } = reshard(&account, 8).await.unwrap() else { panic!("nothing was done") };
    let after = all().await;
    let stayed = before.iter().filter(|row| after.contains(row)).count();
    assert_eq!(stayed as u64, 200 - moved);
    assert!(stayed > 50, "half of the rows stay when the count is doubled: {stayed}");
}

/// A hundred of the largest rows are far more than one transaction takes.
#[tokio::test]
async fn large_rows_are_moved_in_transactions_that_the_service_takes() {
    let account = Account::start();
    let table = account.table("DeviceState").await;
    for number in 0..30 {
        let fat = (0..8).fold(of_predecessor(number), |row, column| {
            row.with(format!("Fat{column}"), "\u{1}".repeat(8_000))
                .with(format!("Raw{column}"), vec![7; 20_000])
        });
        table.insert(&fat, Deadline::after(PATIENCE)).await.unwrap();
    }
    let expected = expected(&account, &shards(2)).await;
    reshard(&account, 2).await.unwrap();
    assert!(everything(&account).await == expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_counts_on_with_the_new_count_and_refuses_the_old_one() {
    let account = Account::start();
    // Without those ids that IoT Hub does not have.
    let numbers = 2..22;
    write(&account, &numbers.clone().map(of_predecessor).collect::<Vec<_>>()).await;
    reshard(&account, 4).await.unwrap();
    let error = start(&account.devices(shards(1))).await.unwrap_err();
    assert!(chain(&error).contains("`cargo dev reshard --to 1`"), "{error}");

    let settings = vec![("PartitionShards", "4".to_owned())];
    let stack = Stack::start(&account.connection_string(), Options { settings, ..Options::default() }).await;
    for number in numbers.clone() {
        stack.send(&device(number), r#"{"temperature":21.5}"#).await;
    }
    stack.drained().await;
    drop(stack);
    let all = everything(&account).await;
    assert_eq!(all.len(), 20, "no device began anew");
    for number in numbers {
        let (_, properties) = &all[&device(number)];
        assert_eq!(
            properties["Count"].as_i64(),
            Some(i64::try_from(number).unwrap() + 1),
            "{}",
            device(number)
        );
    }
}

/// The state that a store makes of a row is the same before and after, the predecessor's time of writing included.
#[tokio::test]
async fn the_state_of_a_predecessors_row_is_the_same_where_it_was_moved() {
    let account = Account::start();
    write(&account, &[of_predecessor(7)]).await;
    let id = DeviceId::parse(&device(7)).unwrap();
    let load = async |count| {
        let (store, shards) = (account.devices(shards(count)), shards(count));
        let loaded = store.load(shards.of(&id), std::slice::from_ref(&id), soon()).await.unwrap().remove(0);
        let Loaded::Found(stored) = loaded else { panic!("{loaded:?}") };
        (store, *stored)
    };
    let (_, before) = load(1).await;
    reshard(&account, 4).await.unwrap();
    let (store, after) = load(4).await;
    assert_eq!(before.state, after.state);
    let write = Write { state: after.state, expect: Expect::At(after.revision) };
    store.commit(shards(4).of(&id), &[write], soon()).await.unwrap();
}

#[tokio::test]
async fn without_rows_and_without_a_record_there_is_nothing_to_move() {
    let account = Account::start();
    account.table("DeviceState").await;
    let error = reshard(&account, 4).await.unwrap_err();
    assert!(matches!(&error, ReshardError::NothingStored(_)), "{error}");
    start(&account.devices(shards(2))).await.unwrap();
    assert!(matches!(reshard(&account, 4).await, Ok(Outcome::Done { from: 2, moved: 0, .. })));
}
