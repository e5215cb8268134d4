//! Rows to be moved: the predecessor's, this version's, and columns of others of every type.

use std::collections::BTreeMap;

use fieldcast::primitives::ids::DeviceId;
use fieldcast::store::shard::Shards;
use fieldcast_tables::{Deadline, Entity, Operation, Query, Value};

use super::SITE;
use crate::stack::{Account, PATIENCE};

/// A row as the predecessor wrote it.
pub(super) fn of_predecessor(number: usize) -> Entity {
    Entity::new(SITE, device(number))
        .with("DeviceId", device(number))
        .with("Celsius", 24.1 + f64::from(u16::try_from(number).unwrap()) / 7.0)
        .with("Count", i64::try_from(number).unwrap())
        .with("Id", "17")
        .with("Schema", 1_i32)
}

/// A row with columns of every type that somebody else added.
pub(super) fn with_columns_of_others(number: usize) -> Entity {
    of_predecessor(number)
        .with("Schema", 2_i64)
        .with("Version", i64::MAX)
        .with("ReportedAt", Value::DateTime("2026-11-21T03:00:00.123Z".to_owned()))
        .with("Note", "Zürich's \"hill\" \\ 100%\u{1}\n\u{1f600}")
        .with("Big", i64::MIN)
        .with("Small", -7_i32)
        .with("Whole", 25.0)
        .with("Tiny", 5e-324)
        .with("Sure", true)
        .with("Built", Value::DateTime("2001-02-03T04:05:06.7654321Z".to_owned()))
        .with("Raw", (0..=255_u8).collect::<Vec<u8>>())
        .with("Part", Value::Guid("0f8fad5b-d9cb-469f-a165-70867728950e".to_owned()))
}

/// Odd ones among them: quotes, spaces and letters from elsewhere.
pub(super) fn device(number: usize) -> String {
    match number % 50 {
        0 => format!("O'Brien {number}"),
        1 => format!("größe+{number}%&(a)"),
        _ => format!("sensor-{number}"),
    }
}

/// Writes rows, which are all in the plain partition.
pub(super) async fn write(account: &Account, rows: &[Entity]) {
    let table = account.table("DeviceState").await;
    for group in rows.chunks(100) {
        let inserts: Vec<Operation> = group.iter().cloned().map(Operation::Insert).collect();
        table.transact(inserts, Deadline::after(PATIENCE)).await.unwrap();
    }
}

/// What a row is apart from its partition and the time of writing: its properties by name.
pub(super) type Properties = BTreeMap<String, Value>;

/// Every row by key, with its partition.
pub(super) type Everything = BTreeMap<String, (String, Properties)>;

/// All rows of the table. A row that is there twice fails the test.
pub(super) async fn everything(account: &Account) -> Everything {
    let mut all = Everything::new();
    for row in account.all_rows("DeviceState").await {
        let properties = row.properties().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let twice = all.insert(row.row.clone(), (row.partition, properties));
        assert_eq!(twice, None, "{} is there twice", row.row);
    }
    all
}

/// What has to be there in the end: the same rows where `shards` puts them, and the time at which the store wrote the
/// predecessor's as `ReportedAt`, since it stands for that and changes.
pub(super) async fn expected(account: &Account, shards: &Shards) -> Everything {
    let table = account.table("DeviceState").await;
    let rows = table.query_all(&Query::everything(), Deadline::after(PATIENCE)).await.unwrap();
    let place = |row: fieldcast_tables::Stored| {
        let mut properties: Properties =
            row.entity.properties().map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let partition = shards.key(shards.of(&DeviceId::parse(&row.entity.row).unwrap()));
        if partition != row.entity.partition {
            let written_at = Value::DateTime(row.timestamp.unwrap());
            properties.entry("ReportedAt".to_owned()).or_insert(written_at);
        }
        (row.entity.row, (partition, properties))
    };
    rows.into_iter().map(place).collect()
}
