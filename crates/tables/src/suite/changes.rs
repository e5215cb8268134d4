//! Promises about what was written since a moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::suite::desk::{delete, fresh, keys, numbered, row, soon, write};
use crate::{Moment, Operation, Query, Table, TableStore};

async fn moment(table: &Table) -> Moment {
    table.query(&Query::partition("p").top(1), None, soon()).await.unwrap().as_of
}

async fn since(table: &Table, moment: &Moment) -> BTreeSet<String> {
    keys(table, &Query::partition("p").changed_since(moment)).await.into_iter().collect()
}

/// Inserted, merged and replaced rows are found, as they are now.
pub async fn what_was_written_since_a_moment_is_found(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etags = write(&table, numbered("p", 0..4)).await;
    let moment = moment(&table).await;
    let merge = Operation::Merge(row("0001").with("New", 1), etags[1].clone());
    let replace = Operation::Replace(row("0002").with("New", 2), etags[2].clone());
    write(&table, vec![merge, replace, Operation::Insert(row("0009").with("New", 9))]).await;
    write(&table, vec![Operation::Insert(crate::Entity::new("q", "elsewhere"))]).await;
    let found = since(&table, &moment).await;
    let written = ["0001", "0002", "0009"].map(str::to_owned);
    assert!(written.iter().all(|key| found.contains(key)), "{found:?}");
    assert!(!found.contains("elsewhere"), "{found:?}");
    let query = Query::partition("p").changed_since(&moment).rows("0001"..="0001").select(["New"]);
    let rows = table.query_all(&query, soon()).await.unwrap();
    assert_eq!(rows.last().unwrap().entity, row("0001").with("New", 1));
    let query = Query::partition("p").changed_since(&moment).rows("0000".."0003").top(1);
    let some = keys(&table, &query).await;
    assert!(some.contains(&written[0]) && some.contains(&written[1]), "{some:?}");
    assert!(some.iter().all(|key| **key < *"0003"), "{some:?}");
}

/// However small the pages, and though rows are written while they are read: the moment of the first page is enough.
pub async fn changes_come_in_pages_too(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let moment = moment(&table).await;
    let mut etags = write(&table, numbered("p", 0..20)).await;
    let query = Query::partition("p").changed_since(&moment).top(3);
    let (mut found, mut from, mut first, mut written) = (BTreeSet::new(), None, None, 0);
    loop {
        let page = table.query(&query, from.as_ref(), soon()).await.unwrap();
        first.get_or_insert(page.as_of);
        found.extend(page.rows.into_iter().map(|stored| stored.entity.row));
        if written < 4 {
            let etag = etags.remove(0);
            let key = format!("{written:04}");
            table.merge(&row(&key).with("Again", true), &etag, soon()).await.unwrap();
            written += 1;
        }
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found.len(), 20, "{found:?}");
    let later = since(&table, &first.unwrap()).await;
    assert!((0..4).all(|n| later.contains(&format!("{n:04}"))), "{later:?}");
}

/// Whoever does not know what was before gets everything, also in pages.
pub async fn an_unreadable_moment_finds_everything(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    write(&table, numbered("p", 0..5)).await;
    for text in ["", "x", "0.0", "ffffffff.1", "18446744073709551616", "-1", "now"] {
        let moment = Moment::from_text(text);
        assert_eq!(since(&table, &moment).await.len(), 5, "{text:?}");
        let paged = Query::partition("p").changed_since(&moment).top(2);
        assert_eq!(keys(&table, &paged).await.len(), 5, "{text:?}");
    }
}

/// A row that was changed and deleted is not told, and hides no other.
pub async fn rows_that_are_gone_do_not_disturb_what_changed(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etags = write(&table, numbered("p", 0..3)).await;
    let moment = moment(&table).await;
    write(&table, vec![delete("0001", &etags[1]), Operation::Merge(row("0002"), etags[2].clone())]).await;
    let found = since(&table, &moment).await;
    assert!(found.contains("0002") && !found.contains("0001"), "{found:?}");
    // The last change of all is a delete: its number must not be given again.
    let moment = self::moment(&table).await;
    let inserted = write(&table, vec![Operation::Insert(row("0005"))]).await;
    write(&table, vec![delete("0005", &inserted[0])]).await;
    write(&table, vec![Operation::Insert(row("0006"))]).await;
    assert!(since(&table, &moment).await.contains("0006"));
}
