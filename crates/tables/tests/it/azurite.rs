//! Every operation against the real Azurite.

use std::sync::LazyLock;

use fieldcast_azurite::Azurite;
use fieldcast_tables::{
    Account, Comparison, ConnectionString, Entity, Error, Etag, Operation, Query, Table, Value,
};

use crate::script::{http, quick, soon};

/// One process for all tests, each of which has a table of its own. It ends with the test process.
static AZURITE: LazyLock<Azurite> = LazyLock::new(|| Azurite::start(None).unwrap_or_else(|e| panic!("{e}")));

fn account(azurite: &Azurite) -> Account {
    let connection = ConnectionString::parse(&azurite.connection_string()).unwrap();
    Account::new(connection, http()).with_retry(quick())
}

async fn table(name: &str) -> Table {
    let table = account(&AZURITE).table(name).unwrap();
    table.create(soon()).await.unwrap();
    table
}

const ODD_KEYS: [&str; 14] = [
    "O'Brien",
    "''",
    "a',RowKey='x",
    "50%",
    "%27",
    "ü",
    "日本",
    "two words",
    "a+b",
    "a&b=c",
    "(x)",
    "{y}",
    "a;b,c",
    "~.-_",
];

#[tokio::test]
async fn rows_are_inserted_read_merged_and_deleted() {
    let table = table("Basics").await;
    let first = Entity::new("Sydney", "sensor-1").with("Celsius", 25.0).with("Geo", "Sydney");
    let inserted = table.insert(&first, soon()).await.unwrap();
    let stored = table.get("Sydney", "sensor-1", soon()).await.unwrap().unwrap();
    assert_eq!((&stored.etag, &stored.entity), (&inserted, &first));
    assert!(stored.timestamp.unwrap().ends_with('Z'));

    let change = Entity::new("Sydney", "sensor-1").with("Celsius", 26.5).with("Count", 2_i64);
    let merged = table.merge(&change, &inserted, soon()).await.unwrap();
    let stored = table.get("Sydney", "sensor-1", soon()).await.unwrap().unwrap();
    assert_eq!(stored.etag, merged);
    assert_eq!(stored.entity.get("Geo"), Some(&Value::from("Sydney")));
    assert_eq!(stored.entity.get("Celsius"), Some(&Value::Double(26.5)));

    table.delete("Sydney", "sensor-1", &merged, soon()).await.unwrap();
    assert_eq!(table.get("Sydney", "sensor-1", soon()).await.unwrap(), None);
}

#[tokio::test]
async fn rows_are_found_by_the_time_of_their_last_change() {
    let table = table("Changed").await;
    table.insert(&Entity::new("p", "r").with("Count", 1), soon()).await.unwrap();
    let since = |time: &str| Query::partition("p").changed_since(time);
    let page = table.query(&since("2000-01-01T00:00:00Z"), None, soon()).await.unwrap();
    assert_eq!(page.rows.len(), 1);
    assert!(page.answered_at.is_some(), "a reply is dated");
    assert_eq!(table.query(&since("2999-01-01T00:00:00Z"), None, soon()).await.unwrap().rows, []);
}

#[tokio::test]
async fn creating_a_table_twice_is_fine() {
    table("Twice").await;
    table("Twice").await;
}

#[tokio::test]
async fn guards_hold() {
    let table = table("Guards").await;
    let row = Entity::new("p", "r").with("Count", 1);
    let stale = table.insert(&row, soon()).await.unwrap();
    let fresh = table.merge(&row, &stale, soon()).await.unwrap();
    let conflict = |error: Error, code: &str| match error {
        Error::Conflict { index: None, code: found } => assert_eq!(found, code),
        other => panic!("{other:?}"),
    };
    conflict(table.insert(&row, soon()).await.unwrap_err(), "EntityAlreadyExists");
    conflict(table.merge(&row, &stale, soon()).await.unwrap_err(), "UpdateConditionNotSatisfied");
    conflict(table.delete("p", "r", &stale, soon()).await.unwrap_err(), "UpdateConditionNotSatisfied");
    table.delete("p", "r", &fresh, soon()).await.unwrap();
    conflict(table.merge(&row, &fresh, soon()).await.unwrap_err(), "ResourceNotFound");
    conflict(table.delete("p", "r", &fresh, soon()).await.unwrap_err(), "ResourceNotFound");
}

#[tokio::test]
async fn every_type_of_value_comes_back_as_it_was() {
    let table = table("Types").await;
    let entity = Entity::new("p", "r")
        .with("Text", "quote ' \" \\ \u{1f600}")
        .with("Whole", 25.0)
        .with("Tiny", 5e-324)
        .with("Huge", f64::MAX)
        .with("Small", -7)
        .with("Count", i64::MAX)
        .with("On", true)
        .with("At", Value::DateTime("2026-11-21T03:00:00.1234567Z".to_owned()))
        .with("Raw", vec![0_u8, 1, 255])
        .with("Id", Value::Guid("c9da6455-213d-42c9-9a79-3e9149a57833".to_owned()));
    table.insert(&entity, soon()).await.unwrap();
    assert_eq!(table.get("p", "r", soon()).await.unwrap().unwrap().entity, entity);
    let listed = table.query_all(&Query::partition("p"), soon()).await.unwrap().remove(0);
    assert_eq!(listed.entity, entity);
}

#[tokio::test]
async fn odd_keys_name_the_row_they_look_like() {
    let table = table("OddKeys").await;
    for key in ODD_KEYS {
        let etag = table.insert(&Entity::new(key, key).with("Text", key), soon()).await.unwrap();
        let stored = table.get(key, key, soon()).await.unwrap().unwrap_or_else(|| panic!("{key} is missing"));
        assert_eq!(stored.entity.get("Text"), Some(&Value::from(key)));
        table.merge(&stored.entity, &etag, soon()).await.unwrap_or_else(|error| panic!("{key}: {error}"));
        let found = table.query_all(&Query::partition(key).rows(key..=key), soon()).await.unwrap();
        assert_eq!(found.len(), 1, "{key}");
        table.delete(key, key, &found[0].etag, soon()).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
    assert_eq!(table.query_all(&Query::everything(), soon()).await.unwrap(), []);
}

#[tokio::test]
async fn odd_keys_work_in_transactions() {
    let table = table("OddBatch").await;
    // Azurite looks for the end of the partition key in the decoded address and finds the last `',`.
    let keys: Vec<_> = ODD_KEYS.into_iter().filter(|key| !key.contains("',")).collect();
    let row = |key: &str| Entity::new("O'Brien % ü", key).with("Text", key);
    let inserts: Vec<_> = keys.iter().map(|key| Operation::Insert(row(key))).collect();
    let etags = table.transact(inserts, soon()).await.unwrap();
    let merge = |(key, etag): (&&str, Option<Etag>)| Operation::Merge(row(key).with("New", 1), etag.unwrap());
    let merges: Vec<_> = keys.iter().zip(etags).map(merge).collect();
    table.transact(&merges, soon()).await.unwrap();
    let rows = table.query_all(&Query::partition("O'Brien % ü"), soon()).await.unwrap();
    assert_eq!(rows.len(), keys.len());
    for stored in rows {
        assert_eq!(stored.entity, row(&stored.entity.row).with("New", 1));
    }
}

fn numbered(partition: &str, numbers: std::ops::Range<u32>) -> Vec<Operation> {
    let row = |n: u32| Entity::new(partition, format!("{n:04}")).with("N", f64::from(n));
    numbers.map(|n| Operation::Insert(row(n))).collect()
}

#[tokio::test]
async fn all_pages_of_a_long_list_are_read() {
    let table = table("Pages").await;
    for start in (0..1200).step_by(100) {
        table.transact(numbered("p", start..start + 100), soon()).await.unwrap();
    }
    let first = table.query(&Query::partition("p"), None, soon()).await.unwrap();
    assert_eq!(first.rows.len(), 1000);
    let second = table.query(&Query::partition("p"), first.next.as_ref(), soon()).await.unwrap();
    assert_eq!((second.rows.len(), second.next), (200, None));
    let all = table.query_all(&Query::everything().top(700), soon()).await.unwrap();
    let keys: Vec<_> = all.iter().map(|stored| stored.entity.row.clone()).collect();
    assert_eq!(keys, (0..1200).map(|n| format!("{n:04}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn queries_narrow_and_select() {
    let table = table("Queries").await;
    table.transact(numbered("p", 0..10), soon()).await.unwrap();
    table.transact(numbered("other", 0..10), soon()).await.unwrap();
    let keys = async |query: Query| {
        let rows = table.query_all(&query, soon()).await.unwrap();
        rows.into_iter().map(|stored| stored.entity.row).collect::<Vec<_>>()
    };
    assert_eq!(keys(Query::partition("p").rows("0002".."0004")).await, ["0002", "0003"]);
    let warm = Query::partition("p").filter("N", Comparison::Greater, 7.0);
    assert_eq!(keys(warm).await, ["0008", "0009"]);
    let one = Query::partition("p").filter("N", Comparison::Equal, 3.0).select(["Missing"]);
    let row = table.query_all(&one, soon()).await.unwrap().remove(0);
    assert_eq!(row.entity, Entity::new("p", "0003"));
}

#[tokio::test]
async fn transaction_of_a_hundred_applies_every_kind_of_operation() {
    let table = table("Hundred").await;
    let etags = table.transact(numbered("p", 0..66), soon()).await.unwrap();
    let mut operations = numbered("p", 66..100);
    for (n, etag) in etags.into_iter().enumerate() {
        let (row, etag) = (format!("{n:04}"), etag.unwrap());
        operations.push(match n {
            0..33 => Operation::Merge(Entity::new("p", row).with("New", true), etag),
            _ => Operation::Delete { partition: "p".to_owned(), row, etag },
        });
    }
    let etags = table.transact(&operations, soon()).await.unwrap();
    assert_eq!(etags.len(), 100);
    assert_eq!(etags.iter().filter(|etag| etag.is_none()).count(), 33);
    let rows = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    assert_eq!(rows.len(), 67);
    for (index, etag) in etags.iter().enumerate().filter_map(|(index, etag)| Some((index, etag.as_ref()?))) {
        let (_, row) = operations[index].keys();
        let stored = rows.iter().find(|stored| stored.entity.row == row).unwrap();
        assert_eq!(&stored.etag, etag);
    }
}

#[tokio::test]
async fn failed_transaction_names_the_operation_and_changes_nothing() {
    let table = table("Atomic").await;
    let etags = table.transact(numbered("p", 0..5), soon()).await.unwrap();
    let row = |n: usize| Entity::new("p", format!("{n:04}")).with("N", 100.0);
    table.merge(&row(3).with("Changed", true), etags[3].as_ref().unwrap(), soon()).await.unwrap();
    let merge = |(n, etag): (usize, &Option<Etag>)| Operation::Merge(row(n), etag.clone().unwrap());
    let merges: Vec<_> = etags.iter().enumerate().map(merge).collect();
    match table.transact(merges, soon()).await {
        Err(Error::Conflict { index: Some(3), code }) => assert_eq!(code, "UpdateConditionNotSatisfied"),
        other => panic!("{other:?}"),
    }
    match table.transact(numbered("p", 4..8), soon()).await {
        Err(Error::Conflict { index: Some(0), code }) => assert_eq!(code, "EntityAlreadyExists"),
        other => panic!("{other:?}"),
    }
    let rows = table.query_all(&Query::partition("p"), soon()).await.unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row.entity.get("N").unwrap().as_f64().unwrap()).collect();
    assert_eq!(numbers, [0.0, 1.0, 2.0, 100.0, 4.0]);
}

#[tokio::test]
async fn missing_table_is_recognised_everywhere() {
    let table = account(&AZURITE).table("Nowhere").unwrap();
    let (row, etag) = (Entity::new("p", "r"), Etag::new("W/\"1\"").unwrap());
    let errors = [
        table.get("p", "r", soon()).await.unwrap_err(),
        table.insert(&row, soon()).await.unwrap_err(),
        table.merge(&row, &etag, soon()).await.unwrap_err(),
        table.query_all(&Query::everything(), soon()).await.unwrap_err(),
        table.transact([Operation::Insert(row)], soon()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::MissingTable { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn wrong_key_is_denied() {
    let text = AZURITE.connection_string();
    let (before, after) = text.split_once("AccountKey=").unwrap();
    let rest = after.split_once(';').unwrap().1;
    let connection = ConnectionString::parse(&format!("{before}AccountKey=c2VjcmV0;{rest}")).unwrap();
    let table = Account::new(connection, http()).table("Denied").unwrap();
    let error = table.create(soon()).await.unwrap_err();
    assert!(matches!(error, Error::Denied { status: 403, .. }), "{error:?}");
}

#[tokio::test]
async fn rows_survive_a_restart_with_a_data_folder() {
    let folder = tempfile::tempdir().unwrap();
    let row = Entity::new("p", "r").with("Count", 1_i64);
    let azurite = Azurite::start(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    let table = account(&azurite).table("Kept").unwrap();
    table.create(soon()).await.unwrap();
    table.insert(&row, soon()).await.unwrap();
    drop(azurite);
    let azurite = Azurite::start(Some(folder.path())).unwrap_or_else(|error| panic!("{error}"));
    let table = account(&azurite).table("Kept").unwrap();
    assert_eq!(table.get("p", "r", soon()).await.unwrap().unwrap().entity, row);
}
