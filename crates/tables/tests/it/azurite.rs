//! The suite on the real Azurite, and what only it can show.

use std::sync::{Arc, LazyLock};

use fieldcast_azurite::Azurite;
use fieldcast_tables::{
    AzureTables, ConnectionString, Entity, Error, Moment, Query, Table, TableName, TableStore, suite,
};

use crate::script::{http, quick, soon};

/// One process for all tests. It ends with the test process.
static AZURITE: LazyLock<Azurite> = LazyLock::new(|| Azurite::start(None).unwrap_or_else(|e| panic!("{e}")));

fn store_at(connection: &str) -> Arc<dyn TableStore> {
    let connection = ConnectionString::parse(connection).unwrap();
    Arc::new(AzureTables::new(connection, http()).with_retry(quick()))
}

fn table_at(connection: &str, name: &str) -> Table {
    Table::new(store_at(connection), TableName::new(name).unwrap())
}

/// Azurite takes whatever a merge leads to; the service does not.
const NOT_KEPT: [&str; 2] = ["a_merged_row_has_at_most_252_properties", "a_merged_row_has_at_most_1_mib"];

#[tokio::test]
async fn azurite_keeps_the_contract() {
    suite::all_but(store_at(&AZURITE.connection_string()), &NOT_KEPT).await;
}

#[tokio::test]
async fn rows_are_found_by_the_time_of_their_last_change() {
    let table = table_at(&AZURITE.connection_string(), "Changed");
    table.create(soon()).await.unwrap();
    table.insert(&Entity::new("p", "r").with("Count", 1), soon()).await.unwrap();
    let since = |time: &str| Query::partition("p").changed_since(&Moment::from_text(time));
    assert_eq!(table.query_all(&since("2000-01-01T00:00:00Z"), soon()).await.unwrap().len(), 1);
    assert_eq!(table.query_all(&since("2999-01-01T00:00:00Z"), soon()).await.unwrap(), []);
}

#[tokio::test]
async fn wrong_key_is_denied() {
    let text = AZURITE.connection_string();
    let (before, after) = text.split_once("AccountKey=").unwrap();
    let rest = after.split_once(';').unwrap().1;
    let table = table_at(&format!("{before}AccountKey=c2VjcmV0;{rest}"), "Denied");
    let error = table.create(soon()).await.unwrap_err();
    assert!(matches!(error, Error::Denied { status: 403, .. }), "{error:?}");
}

#[tokio::test]
async fn rows_survive_a_restart_with_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let row = Entity::new("p", "r").with("Count", 1_i64);
    let azurite = Azurite::start(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    let table = table_at(&azurite.connection_string(), "Kept");
    table.create(soon()).await.unwrap();
    table.insert(&row, soon()).await.unwrap();
    drop(azurite);
    let azurite = Azurite::start(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    let table = table_at(&azurite.connection_string(), "Kept");
    assert_eq!(table.get("p", "r", soon()).await.unwrap().unwrap().entity, row);
}
