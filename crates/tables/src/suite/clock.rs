//! Promises about time: deadlines, and the store's clock.

use std::sync::Arc;
use std::time::Duration;

use crate::suite::desk::{fresh, row, soon};
use crate::{Answered, Deadline, Error, Failure, Operation, Query, TableStore};

/// Nothing is begun for a caller whose time is up.
pub async fn a_deadline_that_has_passed_does_nothing(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let past = Deadline::after(Duration::ZERO);
    let errors = [
        table.insert(&row("a"), past).await.unwrap_err(),
        table.get("p", "a", past).await.unwrap_err(),
        table.query(&Query::everything(), None, past).await.unwrap_err(),
        table.create(past).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(!matches!(error, Error::Unavailable { last: Failure::Answered { .. }, .. }), "{error:?}");
    }
    assert_eq!(table.get("p", "a", soon()).await.unwrap(), None);
}

/// How far the clocks of a service's machines may lie apart.
const SPREAD: i64 = 1_000;

/// Reads and writes, and an empty page too, tell when they were answered, and later answers no earlier times.
pub async fn every_answer_carries_the_clock(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let name = table.name();
    let mut clocks = Vec::new();
    for key in ["a", "b"] {
        let insert = vec![Operation::Insert(row(key))];
        let Answered { clock, .. } = store.transact(name, insert, soon()).await.unwrap();
        clocks.push(clock);
        clocks.push(store.get(name, "p", key, soon()).await.unwrap().clock);
        clocks.push(store.get(name, "p", "missing", soon()).await.unwrap().clock);
        clocks.push(store.query(name, &Query::partition("q"), None, soon()).await.unwrap().clock);
        clocks.push(store.create_table(name, soon()).await.unwrap().clock);
    }
    let two = ["c", "d"].map(|key| Operation::Insert(row(key)));
    clocks.push(store.transact(name, two.into(), soon()).await.unwrap().clock);
    let clocks: Vec<_> = clocks.into_iter().map(Option::unwrap).collect();
    for pair in clocks.windows(2) {
        assert!(pair[0].earliest <= pair[0].latest, "{pair:?}");
        assert!(pair[0].earliest <= pair[1].latest + SPREAD, "the clock ran backwards: {pair:?}");
    }
}
