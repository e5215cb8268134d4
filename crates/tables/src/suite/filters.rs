//! Promises about what queries find and show.

use std::ops::Bound;
use std::sync::Arc;

use crate::suite::desk::{fresh, keys, numbered, row, soon, write};
use crate::{Comparison, Entity, Operation, Query, TableStore, Value};

/// Ranges of rows with every kind of end, one partition, and partitions behind one.
pub async fn queries_narrow_by_keys(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    for partition in ["a", "ab", "b"] {
        write(&table, numbered(partition, 0..4)).await;
    }
    let within = async |query: Query| keys(&table, &query).await;
    let a = || Query::partition("a");
    assert_eq!(within(a()).await, ["0000", "0001", "0002", "0003"]);
    assert_eq!(within(a().rows("0001".."0003")).await, ["0001", "0002"]);
    assert_eq!(within(a().rows("0001"..="0003")).await, ["0001", "0002", "0003"]);
    assert_eq!(within(a().rows(.."0001")).await, ["0000"]);
    let after = (Bound::Excluded("0002"), Bound::Unbounded);
    assert_eq!(within(a().rows(after)).await, ["0003"]);
    assert_eq!(within(a().rows("0003".."0001")).await, [""; 0]);
    assert_eq!(within(Query::everything().rows("0003"..)).await, ["0003"; 3]);
    assert_eq!(within(Query::partition("nobody")).await, [""; 0]);
    let behind = table.query_all(&Query::everything().behind_partition("a"), soon()).await.unwrap();
    let partitions: Vec<_> = behind.iter().map(|stored| stored.entity.partition.as_str()).collect();
    assert_eq!(partitions, ["ab", "ab", "ab", "ab", "b", "b", "b", "b"]);
    assert_eq!(within(Query::everything().behind_partition("b")).await, [""; 0]);
}

/// Every comparison with every type; rows without the property are left out.
pub async fn queries_narrow_by_values_of_every_type(store: Arc<dyn TableStore>) {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    let table = fresh(&store).await;
    let time = |second: u8| Value::DateTime(format!("2026-11-21T03:00:{second:02}Z"));
    let guid = |digit: u8| Value::Guid(format!("c9da6455-213d-42c9-9a79-3e9149a5783{digit}"));
    let values = |n: u8| {
        [
            ("Text", Value::from(format!("it's {n}"))),
            ("Real", Value::Double(f64::from(n) + 0.5)),
            ("Small", Value::Int32(n.into())),
            ("Large", Value::Int64(i64::from(n) << 40)),
            ("At", time(n)),
            ("Id", guid(n)),
            ("Raw", Value::Binary(vec![n, 255])),
        ]
    };
    let insert = |n: u8| {
        let row = values(n).into_iter().fold(row(&n.to_string()), |row, (name, value)| row.with(name, value));
        Operation::Insert(row.with("On", n == 2))
    };
    write(&table, [1, 2, 3].map(insert).into_iter().chain([Operation::Insert(row("empty"))]).collect()).await;
    let found = async |name: &str, is, value: Value| {
        keys(&table, &Query::partition("p").filter(name, is, value)).await
    };
    for (name, two) in values(2) {
        assert_eq!(found(name, Equal, two.clone()).await, ["2"], "{name}");
        assert_eq!(found(name, NotEqual, two.clone()).await, ["1", "3"], "{name}");
    }
    for (name, two) in values(2).into_iter().take(5) {
        assert_eq!(found(name, Greater, two.clone()).await, ["3"], "{name}");
        assert_eq!(found(name, GreaterOrEqual, two.clone()).await, ["2", "3"], "{name}");
        assert_eq!(found(name, Less, two.clone()).await, ["1"], "{name}");
        assert_eq!(found(name, LessOrEqual, two).await, ["1", "2"], "{name}");
    }
    assert_eq!(found("On", Equal, Value::Bool(true)).await, ["2"]);
    let both = Query::partition("p").filter("Small", Greater, 1).filter("Real", Less, 3.0);
    assert_eq!(keys(&table, &both).await, ["2"], "all conditions have to hold");
}

/// A query that selects properties returns the keys, the etag, those properties where they are, and no others.
pub async fn selected_properties_are_all_that_comes(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let full = row("a").with("Celsius", 21.5).with("Geo", "Sydney").with("Count", 3_i64);
    let etag = table.insert(&full, soon()).await.unwrap();
    let select = async |query: Query| table.query_all(&query, soon()).await.unwrap().remove(0);
    let stored = select(Query::partition("p").select(["Count", "Celsius", "Missing"])).await;
    assert_eq!(stored.etag, etag);
    assert_eq!(stored.entity, Entity::new("p", "a").with("Celsius", 21.5).with("Count", 3_i64));
    let filtered = Query::partition("p").filter("Geo", Comparison::Equal, "Sydney").select(["Missing"]);
    assert_eq!(select(filtered).await.entity, Entity::new("p", "a"));
    let timed = select(Query::partition("p").select(["Timestamp"])).await;
    assert!(timed.timestamp.is_some() && timed.entity == Entity::new("p", "a"), "{timed:?}");
}
