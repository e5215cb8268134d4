//! Promises about keys.

use std::sync::Arc;

use crate::suite::desk::{fresh, keys, soon, write};
use crate::{Entity, Operation, Query, TableStore, Value};

/// Keys in which quotes, escapes and separators could be mistaken for something else.
const ODD_KEYS: [&str; 14] = [
    "O'Brien",
    "''",
    "50%",
    "%27",
    "ü",
    "日本",
    "\u{1f600}",
    "two words",
    "a+b",
    "a&b=c",
    "(x)",
    "{y}",
    "a;b,c",
    "~.-_",
];

/// Odd keys are neither mixed up nor taken apart, alone and in transactions.
pub async fn odd_keys_name_the_row_they_look_like(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
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

    let row = |key: &str| Entity::new("O'Brien % ü", key).with("Text", key);
    let etags = write(&table, ODD_KEYS.iter().map(|key| Operation::Insert(row(key))).collect()).await;
    let merge = |(key, etag): (&&str, _)| Operation::Merge(row(key).with("New", 1), etag);
    write(&table, ODD_KEYS.iter().zip(etags).map(merge).collect()).await;
    let rows = table.query_all(&Query::partition("O'Brien % ü"), soon()).await.unwrap();
    assert_eq!(rows.len(), ODD_KEYS.len());
    for stored in rows {
        assert_eq!(stored.entity, row(&stored.entity.row).with("New", 1));
    }
}

/// Characters beyond the first plane come before the last ones of it, as their UTF-16 form does.
pub async fn rows_come_in_the_order_of_utf16(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let ordered = ["", "A", "B", "a", "aa", "ab", "b", "ü", "\u{1f600}", "\u{ff01}"];
    let insert = |key: &&str| Operation::Insert(Entity::new("p", *key));
    write(&table, ordered.iter().rev().map(insert).collect()).await;
    assert_eq!(keys(&table, &Query::partition("p")).await, ordered);
    let range = Query::partition("p").rows("\u{1f600}".."\u{ff01}");
    assert_eq!(keys(&table, &range).await, ["\u{1f600}"]);
}
