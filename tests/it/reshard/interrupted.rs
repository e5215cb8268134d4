//! Interrupted at each request in turn, and run again: the rows end exactly where and as they should.

use fieldcast_tables::Entity;

use super::line::{Break, Line};
use super::rows::{Everything, everything, expected, of_predecessor, with_columns_of_others, write};
use super::{reshard, reshard_through, shards, wanted};
use crate::stack::Account;

/// Enough for several transactions from and to each partition.
const ROWS: usize = 24;

async fn few_rows() -> (Account, Everything) {
    let account = Account::start();
    let rows: Vec<Entity> = (0..ROWS)
        .map(|number| if number % 2 == 0 { of_predecessor(number) } else { with_columns_of_others(number) })
        .collect();
    write(&account, &rows).await;
    // From now on rows are compared with what was moved first.
    reshard(&account, 2).await.unwrap();
    let expected = expected(&account, &shards(3)).await;
    (account, expected)
}

/// Everything back to two partitions, so that the next interruption meets the same.
async fn rewind(account: &Account) {
    reshard(account, 2).await.unwrap();
}

/// Breaks the line at each request of a move from 2 to 3 partitions, until the move needs no more requests.
async fn interrupt_everywhere(kind: Break) {
    let (account, mut expected) = few_rows().await;
    let (mut at, mut interrupted) = (0, 0);
    loop {
        let line = Line::start(&account, at, kind).await;
        let connection = line.connection_string(&account);
        let wanted = wanted(3);
        // What is dropped here ends as a killed process does: wherever it waits.
        let ended = tokio::select! {
            outcome = reshard_through(&connection, &wanted) => Some(outcome),
            () = line.broken() => None,
        };
        let reached = line.requests() > at;
        drop(line);
        interrupted += usize::from(!matches!(ended, Some(Ok(_))));
        let again = reshard(&account, 3).await;
        assert!(again.is_ok(), "{kind:?} at {at}: {again:?} after {ended:?}");
        // The first move pins the time of rows that were written by the predecessor; after that nothing changes.
        assert!(everything(&account).await == expected, "{kind:?} at {at}: a row differs, after {ended:?}");
        if !reached {
            assert_eq!(interrupted, if kind == Break::Answer { interrupted } else { at });
            return;
        }
        rewind(&account).await;
        expected = self::expected(&account, &shards(3)).await;
        at += 1;
        assert!(at < 200, "it never ends");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_never_arrives() {
    interrupt_everywhere(Break::Before).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_was_carried_out_unheard() {
    interrupt_everywhere(Break::After).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_lost() {
    interrupt_everywhere(Break::Answer).await;
}
