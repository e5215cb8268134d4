//! Promises about transactions.

use std::sync::Arc;

use crate::suite::desk::{conflict, delete, fresh, numbered, row, soon, write};
use crate::{Entity, Operation, Query, TableStore};

/// A hundred operations of every kind at once; the etags are those of the rows, in order, with none for a delete.
pub async fn a_transaction_applies_every_kind_of_operation(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etags = write(&table, numbered("p", 0..75)).await;
    let mut operations = numbered("p", 75..100);
    for (n, etag) in etags.iter().enumerate() {
        let key = format!("{n:04}");
        operations.push(match n {
            0..25 => Operation::Merge(row(&key).with("New", true), etag.clone()),
            25..50 => Operation::Replace(row(&key).with("Only", true), etag.clone()),
            _ => delete(&key, etag),
        });
    }
    let etags = table.transact(operations.clone(), soon()).await.unwrap();
    let rows = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    assert_eq!((etags.len(), rows.len()), (100, 75));
    for (operation, etag) in operations.iter().zip(&etags) {
        let stored = rows.iter().find(|stored| stored.entity.row == operation.keys().1);
        assert_eq!(stored.map(|stored| &stored.etag), etag.as_ref());
        let entity = stored.map(|stored| stored.entity.clone());
        let old = |key: &str| row(key).with("N", key.parse::<f64>().unwrap());
        assert_eq!(
            entity,
            match operation {
                Operation::Insert(entity) | Operation::Replace(entity, _) => Some(entity.clone()),
                Operation::Merge(entity, _) => Some(old(&entity.row).with("New", true)),
                Operation::Delete { .. } => None,
            }
        );
    }
}

/// One stale condition among good ones: nothing is applied, and the error says which it was.
pub async fn a_failed_transaction_names_the_operation_and_changes_nothing(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etags = write(&table, numbered("p", 0..5)).await;
    let changed = table.merge(&row("0003").with("Changed", true), &etags[3], soon()).await.unwrap();
    let before = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    let merge = |(n, etag): (usize, &_)| {
        Operation::Merge(row(&format!("{n:04}")).with("N", 100.0), Clone::clone(etag))
    };
    let merges = || etags.iter().enumerate().map(merge);
    let stale = || (Some(3), "UpdateConditionNotSatisfied".to_owned());
    assert_eq!(conflict(table.transact(merges().collect(), soon()).await), stale());
    let with_delete = merges().take(3).chain([delete("0003", &etags[3])]).collect();
    assert_eq!(conflict(table.transact(with_delete, soon()).await), stale());
    let exists = conflict(table.transact(numbered("p", 4..8), soon()).await);
    assert_eq!(exists, (Some(0), "EntityAlreadyExists".to_owned()));
    let gone =
        vec![Operation::Insert(Entity::new("p", "new")), Operation::Merge(row("gone"), changed.clone())];
    assert_eq!(conflict(table.transact(gone, soon()).await), (Some(1), "ResourceNotFound".to_owned()));
    let alone = conflict(table.transact(vec![delete("0003", &etags[3])], soon()).await);
    assert_eq!(alone, (Some(0), "UpdateConditionNotSatisfied".to_owned()));
    assert_eq!(table.query_all(&Query::partition("p"), soon()).await.unwrap(), before);
}

/// A transaction of nothing is done.
pub async fn no_operations_are_no_error(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    assert_eq!(table.transact(Vec::new(), soon()).await.unwrap(), []);
}
