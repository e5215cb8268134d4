//! Promises about single rows.

use std::collections::HashSet;
use std::sync::Arc;

use crate::suite::desk::{conflict, fresh, row, soon};
use crate::{Query, TableStore, Value};

/// A row that is not there is no error.
pub async fn a_missing_row_is_none(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    assert_eq!(table.get("p", "a", soon()).await.unwrap(), None);
    assert_eq!(table.query_all(&Query::partition("p"), soon()).await.unwrap(), []);
}

/// Types, the last bit of numbers and the order of properties survive, in a point read and in a query.
pub async fn every_type_of_value_comes_back_as_it_was(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let entity = row("a")
        .with("Text", "quote ' \" \\ \n\u{1} \u{1f600}")
        .with("Empty", "")
        .with("Whole", 25.0)
        .with("Tiny", 5e-324)
        .with("Huge", f64::MAX)
        .with("Small", -7)
        .with("Count", i64::MAX)
        .with("Least", i64::MIN)
        .with("On", true)
        .with("At", Value::DateTime("2026-11-21T03:00:00.1234567Z".to_owned()))
        .with("Raw", vec![0_u8, 1, 255])
        .with("Id", Value::Guid("c9da6455-213d-42c9-9a79-3e9149a57833".to_owned()));
    let etag = table.insert(&entity, soon()).await.unwrap();
    let stored = table.get("p", "a", soon()).await.unwrap().unwrap();
    assert_eq!((&stored.entity, &stored.etag), (&entity, &etag));
    assert!(stored.timestamp.as_ref().is_some_and(|time| time.ends_with('Z')), "{:?}", stored.timestamp);
    assert_eq!(table.query_all(&Query::partition("p"), soon()).await.unwrap(), [stored]);
}

/// An insert of a row that is there is a conflict and leaves it alone.
pub async fn an_insert_needs_absence(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etag = table.insert(&row("a").with("N", 1), soon()).await.unwrap();
    let again = conflict(table.insert(&row("a").with("N", 2), soon()).await);
    assert_eq!(again, (None, "EntityAlreadyExists".to_owned()));
    let stored = table.get("p", "a", soon()).await.unwrap().unwrap();
    assert_eq!((stored.etag, stored.entity), (etag, row("a").with("N", 1)));
}

/// A merge keeps the properties that it does not name; a replace removes them.
pub async fn a_merge_changes_what_it_names_and_a_replace_leaves_nothing_else(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let first = row("a").with("Celsius", 25.0).with("Geo", "Sydney");
    let etag = table.insert(&first, soon()).await.unwrap();
    let change = row("a").with("Celsius", 26.5).with("Count", 2_i64);
    let etag = table.merge(&change, &etag, soon()).await.unwrap();
    let merged = table.get("p", "a", soon()).await.unwrap().unwrap();
    assert_eq!(merged.etag, etag);
    assert_eq!(merged.entity, first.with("Celsius", 26.5).with("Count", 2_i64));
    let etag = table.replace(&row("a").with("Other", true), &etag, soon()).await.unwrap();
    let replaced = table.get("p", "a", soon()).await.unwrap().unwrap();
    assert_eq!((replaced.etag, replaced.entity), (etag, row("a").with("Other", true)));
}

/// Merge, replace and delete are conflicts for a row that was changed, and for one that is gone.
pub async fn every_write_needs_the_current_etag(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let stale = table.insert(&row("a").with("N", 1), soon()).await.unwrap();
    let fresh = table.merge(&row("a").with("N", 2), &stale, soon()).await.unwrap();
    let codes = async |etag| {
        [
            conflict(table.merge(&row("a"), etag, soon()).await).1,
            conflict(table.replace(&row("a"), etag, soon()).await).1,
            conflict(table.delete("p", "a", etag, soon()).await).1,
        ]
    };
    assert_eq!(codes(&stale).await, ["UpdateConditionNotSatisfied"; 3]);
    let stored = table.get("p", "a", soon()).await.unwrap().unwrap();
    assert_eq!((&stored.etag, stored.entity), (&fresh, row("a").with("N", 2)));
    table.delete("p", "a", &fresh, soon()).await.unwrap();
    assert_eq!(codes(&fresh).await, ["ResourceNotFound"; 3]);
    assert_eq!(table.get("p", "a", soon()).await.unwrap(), None);
}

/// Every write gives another etag, also after the row was deleted and inserted again, and also if nothing changed.
pub async fn an_etag_is_never_given_again(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let mut seen = HashSet::new();
    for _ in 0..5 {
        let inserted = table.insert(&row("a").with("N", 1), soon()).await.unwrap();
        let merged = table.merge(&row("a").with("N", 1), &inserted, soon()).await.unwrap();
        let replaced = table.replace(&row("a").with("N", 1), &merged, soon()).await.unwrap();
        table.delete("p", "a", &replaced, soon()).await.unwrap();
        for etag in [inserted, merged, replaced] {
            assert!(seen.insert(etag.clone()), "{etag} was given twice");
        }
    }
}
