//! Promises about limits: what is just small enough is taken, and what is larger is refused with the rule it breaks before
//! anything is done.

use std::ops::Bound;
use std::sync::Arc;

use crate::limits::{
    LARGEST_PROPERTY, LARGEST_ROW, LARGEST_TRANSACTION, LONGEST_KEY, LONGEST_NAME, MOST_PROPERTIES,
    TRANSACTION_FRAME,
};
use crate::suite::desk::{delete, fresh, invalid, numbered, row, soon, write};
use crate::{Comparison, Entity, Etag, Invalid, Operation, Query, Table, TableStore, Value, in_transactions};

/// An etag of nobody: whoever gets to compare it says that the row is missing.
fn etag() -> Etag {
    Etag::new("W/\"1\"").unwrap()
}

/// Every way to write the entity, of partition `p`, is refused for the same reason, alone and as the second of a
/// transaction.
async fn refused_everywhere(table: &Table, entity: Entity, reason: &Invalid) {
    let writes = [
        Operation::Insert(entity.clone()),
        Operation::Merge(entity.clone(), etag()),
        Operation::Replace(entity.clone(), etag()),
    ];
    for write in writes {
        let first = Operation::Insert(row("first"));
        let alone = invalid(table.transact(vec![write.clone()], soon()).await);
        assert_eq!(alone, (Some(0), reason.clone()));
        let second = invalid(table.transact(vec![first, write], soon()).await);
        assert_eq!(second, (Some(1), reason.clone()));
        assert_eq!(table.get("p", "first", soon()).await.unwrap(), None);
    }
    let single = invalid(table.insert(&entity, soon()).await);
    assert_eq!(single, (None, reason.clone()));
}

async fn taken(table: &Table, entity: &Entity) {
    table.insert(entity, soon()).await.unwrap_or_else(|error| panic!("{}: {error}", entity.row));
}

async fn is_empty(table: &Table) -> bool {
    table.query_all(&Query::everything().select(["Missing"]), soon()).await.unwrap().is_empty()
}

/// 100 are taken, 101 are not.
pub async fn at_most_100_operations(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let refused = invalid(table.transact(numbered("p", 0..101), soon()).await);
    assert_eq!(refused, (None, Invalid::TooManyOperations(101)));
    assert!(is_empty(&table).await);
    write(&table, numbered("p", 0..100)).await;
}

/// As many bytes as fit are taken; one operation more is not.
pub async fn at_most_4_mib_in_a_transaction(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let large = |n: usize| {
        let text = "x".repeat(30_000);
        let row = row(&format!("{n:04}")).with("A", text.as_str()).with("B", text.as_str()).with("C", text);
        Operation::Insert(row)
    };
    let operations: Vec<_> = (0..99).map(large).collect();
    let fit = (LARGEST_TRANSACTION - TRANSACTION_FRAME) / operations[0].wire_size();
    assert!((40..99).contains(&fit));
    let refused = invalid(table.transact(operations[..=fit].to_vec(), soon()).await);
    assert_eq!(refused, (Some(fit), Invalid::TransactionTooLarge));
    assert!(is_empty(&table).await);
    let mut groups = in_transactions(operations);
    let first = groups.next().unwrap();
    assert_eq!(first.len(), fit);
    write(&table, first).await;
}

/// A row occurs once in a transaction, whatever is done to it.
pub async fn one_operation_for_a_row(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let etag = table.insert(&row("a"), soon()).await.unwrap();
    for again in [Operation::Insert(row("a")), Operation::Merge(row("a"), etag.clone()), delete("a", &etag)] {
        let twice = vec![Operation::Merge(row("a"), etag.clone()), Operation::Insert(row("b")), again];
        assert_eq!(invalid(table.transact(twice, soon()).await), (Some(2), Invalid::RepeatedEntity));
    }
    assert_eq!(table.get("p", "a", soon()).await.unwrap().unwrap().etag, etag);
}

/// All rows of a transaction are of one partition.
pub async fn one_partition_in_a_transaction(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let two = ["p", "q"].map(|partition| Operation::Insert(Entity::new(partition, "a")));
    assert_eq!(invalid(table.transact(two.into(), soon()).await), (Some(1), Invalid::OtherPartition));
    assert!(is_empty(&table).await);
}

/// Keys have up to 512 UTF-16 units and none of the characters that addresses need.
pub async fn keys_have_their_limits(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let long = "k".repeat(LONGEST_KEY);
    taken(&table, &Entity::new("p", &long)).await;
    taken(&table, &Entity::new("ü".repeat(LONGEST_KEY), "")).await;
    let too_long = Entity::new("p", format!("{long}k"));
    refused_everywhere(&table, too_long, &Invalid::KeyTooLong { key: "RowKey" }).await;
    let too_long = table.insert(&Entity::new(format!("{long}k"), "r"), soon()).await;
    assert_eq!(invalid(too_long), (None, Invalid::KeyTooLong { key: "PartitionKey" }));
    for character in ['/', '\\', '#', '?', '\0', '\t', '\u{1f}', '\u{7f}', '\u{9f}'] {
        let key = format!("a{character}b");
        let reason = Invalid::KeyCharacter { key: "RowKey", character };
        refused_everywhere(&table, row(&key), &reason).await;
        assert_eq!(invalid(table.get("p", &key, soon()).await), (None, reason.clone()));
        assert_eq!(invalid(table.delete("p", &key, &etag(), soon()).await), (None, reason));
    }
}

/// Names are identifiers of up to 255 characters, not the system's, and each occurs once.
pub async fn property_names_have_their_limits(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let longest = "n".repeat(LONGEST_NAME);
    taken(&table, &row("names").with(longest.as_str(), 1).with("_x1", 2)).await;
    let too_long = format!("{longest}n");
    for name in
        ["", "a-b", "1a", "a b", "a\"", "odata.etag", "PartitionKey", "RowKey", "Timestamp", &too_long]
    {
        let reason = Invalid::PropertyName(name.to_owned());
        refused_everywhere(&table, row("a").with(name, 1), &reason).await;
    }
    let twice = vec![("a".to_owned(), Value::Int32(1)), ("a".to_owned(), Value::Int32(2))];
    let twice = Entity::of_distinct("p", "a", twice);
    refused_everywhere(&table, twice, &Invalid::RepeatedProperty("a".to_owned())).await;
}

/// Texts have up to 32,768 UTF-16 units, binary values 65,536 bytes; doubles are finite, times and GUIDs well-formed.
pub async fn property_values_have_their_limits(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    // Not of other characters: Azurite damages some of those in a request that comes in pieces.
    let text = |units: usize| Value::String("x".repeat(units));
    let largest =
        row("largest").with("Text", text(LARGEST_PROPERTY / 2)).with("Raw", vec![7; LARGEST_PROPERTY]);
    taken(&table, &largest).await;
    assert_eq!(table.get("p", "largest", soon()).await.unwrap().unwrap().entity, largest);
    let too_large = Invalid::PropertyTooLarge("a".to_owned());
    refused_everywhere(&table, row("a").with("a", text(LARGEST_PROPERTY / 2 + 1)), &too_large).await;
    refused_everywhere(&table, row("a").with("a", vec![7; LARGEST_PROPERTY + 1]), &too_large).await;
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        refused_everywhere(&table, row("a").with("a", number), &Invalid::NotFinite("a".to_owned())).await;
    }
    for value in [Value::DateTime("yesterday".to_owned()), Value::Guid("none".to_owned())] {
        refused_everywhere(&table, row("a").with("a", value), &Invalid::Literal("a".to_owned())).await;
    }
}

/// 252 own properties, which make 255 with the system's.
pub async fn at_most_252_properties(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let many = |key: &str, count: usize| (0..count).fold(row(key), |row, n| row.with(format!("P{n}"), 1));
    taken(&table, &many("most", MOST_PROPERTIES)).await;
    let reason = Invalid::TooManyProperties(MOST_PROPERTIES + 1);
    refused_everywhere(&table, many("a", MOST_PROPERTIES + 1), &reason).await;
}

/// A row of this size by the service's formula.
pub(super) fn of_size(key: &str, size: usize) -> Entity {
    let mut entity = row(key);
    for n in 0.. {
        let name = format!("P{n:02}");
        let left = size - entity.stored_size();
        let overhead = 8 + 2 * name.len() + 4;
        // Small enough that what is left over still holds a property.
        let value =
            vec![7; if left > LARGEST_PROPERTY + 200 { LARGEST_PROPERTY - 100 } else { left - overhead }];
        entity.set(name, value);
        if entity.stored_size() == size {
            break;
        }
    }
    entity
}

/// A MiB by the service's formula is taken; a byte more is not.
pub async fn at_most_1_mib_in_a_row(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let largest = of_size("largest", LARGEST_ROW);
    taken(&table, &largest).await;
    assert_eq!(table.get("p", "largest", soon()).await.unwrap().unwrap().entity, largest);
    refused_everywhere(&table, of_size("a", LARGEST_ROW + 1), &Invalid::EntityTooLarge).await;
}

/// 15 comparisons, pages of 1 to 1,000 rows, and nothing in a name or value that could be taken for syntax.
pub async fn queries_have_their_limits(store: Arc<dyn TableStore>) {
    let table = fresh(&store).await;
    let refused = async |query: Query| invalid(table.query(&query, None, soon()).await).1;
    let many = |count: i32| (0..count).fold(Query::partition("p"), |q, n| q.filter("a", Comparison::Less, n));
    table.query(&many(14), None, soon()).await.unwrap();
    assert_eq!(refused(many(15)).await, Invalid::TooManyComparisons(16));
    let ranges = many(12).rows((Bound::Excluded("a"), Bound::Included("b"))).behind_partition("o");
    assert_eq!(refused(ranges).await, Invalid::TooManyComparisons(16));
    table.query(&Query::partition("p").top(1_000), None, soon()).await.unwrap();
    for rows in [0, 1_001] {
        assert_eq!(refused(Query::partition("p").top(rows)).await, Invalid::PageSize(rows));
    }
    let compare = |name: &str, value: Value| Query::partition("p").filter(name, Comparison::Equal, value);
    let name = |name: &str| Invalid::PropertyName(name.to_owned());
    assert_eq!(refused(compare("a eq 1 or b", Value::Int32(1))).await, name("a eq 1 or b"));
    assert_eq!(refused(Query::partition("p").select(["a&$top=1"])).await, name("a&$top=1"));
    assert_eq!(refused(compare("a", Value::Double(f64::NAN))).await, Invalid::NotFinite("a".to_owned()));
    for value in [Value::DateTime("' or true or '".to_owned()), Value::Guid("x".to_owned())] {
        assert_eq!(refused(compare("a", value)).await, Invalid::Literal("a".to_owned()));
    }
}
