//! Promises about tables.

use std::sync::Arc;

use crate::suite::desk::{fresh, row, soon, unused};
use crate::{Error, Etag, Operation, Query, TableStore};

/// Until a table is created, every other call says that it is missing.
pub async fn a_missing_table_is_said_by_every_call(store: Arc<dyn TableStore>) {
    let table = unused(&store);
    let etag = Etag::new("W/\"1\"").unwrap();
    let two = || vec![Operation::Insert(row("a")), Operation::Insert(row("b"))];
    let errors = [
        table.get("p", "a", soon()).await.unwrap_err(),
        table.query(&Query::everything(), None, soon()).await.unwrap_err(),
        table.insert(&row("a"), soon()).await.unwrap_err(),
        table.merge(&row("a"), &etag, soon()).await.unwrap_err(),
        table.replace(&row("a"), &etag, soon()).await.unwrap_err(),
        table.delete("p", "a", &etag, soon()).await.unwrap_err(),
        table.transact(two(), soon()).await.unwrap_err(),
    ];
    for error in errors {
        let Error::MissingTable { table: missing } = &error else { panic!("{error:?}") };
        assert_eq!(missing, table.name().as_str());
    }
    table.create(soon()).await.unwrap();
    table.transact(two(), soon()).await.unwrap();
}

/// Creating a table that is there is no error and leaves its rows alone.
pub async fn creating_a_table_again_changes_nothing(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etag = table.insert(&row("a"), soon()).await.unwrap();
    table.create(soon()).await.unwrap();
    assert_eq!(table.get("p", "a", soon()).await.unwrap().unwrap().etag, etag);
}
