//! Queries in the service's language: OData, in the query string of an address. Pure.
//!
//! A query was checked before; what could still end a literal is escaped here.

use std::ops::Bound;

use percent_encoding::utf8_percent_encode;

use crate::azure::address::RESERVED;
use crate::azure::continuation::Place;
use crate::limits::is_time;
use crate::query::{Condition, TIMESTAMP};
use crate::{Comparison, Query, Value};

/// The query string of the request for the page that starts at a place.
pub(super) fn query_string(query: &Query, from: Option<&Place<'_>>) -> String {
    let mut fields = Vec::new();
    let filter = filter(query);
    if !filter.is_empty() {
        fields.push(("$filter", filter));
    }
    if !query.columns.is_empty() {
        fields.push(("$select", format!("PartitionKey,RowKey,{}", query.columns.join(","))));
    }
    fields.extend(query.page_size.map(|rows| ("$top", rows.to_string())));
    if let Some(from) = from {
        fields.push(("NextPartitionKey", from.partition.to_owned()));
        fields.extend(from.row.map(|row| ("NextRowKey", row.to_owned())));
    }
    let field = |(name, value): (&str, String)| format!("{name}={}", utf8_percent_encode(&value, RESERVED));
    fields.into_iter().map(field).collect::<Vec<_>>().join("&")
}

fn filter(query: &Query) -> String {
    let key = |name: &str, operator: &str, key: &str| format!("{name} {operator} {}", quoted(key));
    let mut terms = Vec::new();
    terms.extend(query.partition.as_ref().map(|partition| key("PartitionKey", "eq", partition)));
    terms.extend(query.behind.as_ref().map(|partition| key("PartitionKey", "gt", partition)));
    match &query.rows.0 {
        Bound::Included(row) => terms.push(key("RowKey", "ge", row)),
        Bound::Excluded(row) => terms.push(key("RowKey", "gt", row)),
        Bound::Unbounded => {}
    }
    match &query.rows.1 {
        Bound::Included(row) => terms.push(key("RowKey", "le", row)),
        Bound::Excluded(row) => terms.push(key("RowKey", "lt", row)),
        Bound::Unbounded => {}
    }
    // A moment that is no time is not the service's: every row may have changed since.
    let since = query.since.as_ref().map(|moment| moment.as_str()).filter(|text| is_time(text));
    terms.extend(since.map(|time| format!("{TIMESTAMP} ge datetime'{time}'")));
    terms.extend(query.conditions.iter().map(condition));
    terms.join(" and ")
}

fn condition(condition: &Condition) -> String {
    let operator = match condition.is {
        Comparison::Equal => "eq",
        Comparison::NotEqual => "ne",
        Comparison::Greater => "gt",
        Comparison::GreaterOrEqual => "ge",
        Comparison::Less => "lt",
        Comparison::LessOrEqual => "le",
    };
    format!("{} {operator} {}", condition.name, literal(&condition.value))
}

/// A value in OData's notation (Microsoft docs, "Querying tables and entities").
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        // Debug form, as it always has a point or an exponent; without one the service reads an integer.
        Value::Double(number) => format!("{number:?}"),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => format!("{number}L"),
        Value::Bool(value) => value.to_string(),
        Value::DateTime(text) => format!("datetime{}", quoted(text)),
        Value::Guid(text) => format!("guid{}", quoted(text)),
        Value::Binary(bytes) => format!("X'{}'", hexadecimal(bytes)),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;
    use crate::Moment;

    fn rendered(query: &Query) -> String {
        percent_decode_str(&query_string(query, None)).decode_utf8().unwrap().into_owned()
    }

    #[test]
    fn conditions_are_joined_in_order() {
        let query = Query::partition("O'Brien")
            .rows("a".."b'")
            .filter("Celsius", Comparison::GreaterOrEqual, 25.0)
            .filter("Count", Comparison::NotEqual, 7_i64)
            .select(["Celsius", "Timestamp"])
            .top(10);
        let expected = "$filter=PartitionKey eq 'O''Brien' and RowKey ge 'a' and RowKey lt 'b''' \
                        and Celsius ge 25.0 and Count ne 7L&$select=PartitionKey,RowKey,Celsius,Timestamp&$top=10";
        assert_eq!(rendered(&query), expected);
        assert_eq!(rendered(&Query::everything()), "");
    }

    #[test]
    fn every_kind_of_range_is_possible() {
        let rows = |query: Query| rendered(&query).replace("$filter=", "");
        assert_eq!(rows(Query::everything().rows("a"..)), "RowKey ge 'a'");
        assert_eq!(rows(Query::everything().rows(..="b")), "RowKey le 'b'");
        let after = (Bound::Excluded("a"), Bound::Unbounded);
        assert_eq!(rows(Query::everything().rows(after)), "RowKey gt 'a'");
        assert_eq!(rows(Query::everything().rows(..)), "");
        assert_eq!(rows(Query::everything().behind_partition("O'B")), "PartitionKey gt 'O''B'");
    }

    #[test]
    fn changes_are_asked_for_by_time_and_all_rows_for_a_moment_of_another_store() {
        let since = |moment: &str| filter(&Query::everything().changed_since(&Moment::from_text(moment)));
        assert_eq!(since("2026-11-21T03:00:00.000Z"), "Timestamp ge datetime'2026-11-21T03:00:00.000Z'");
        for moment in ["", "17", "2026-11-21T03:00:00Z' or true or '"] {
            assert_eq!(since(moment), "");
        }
    }

    #[test]
    fn values_are_written_in_the_notation_of_their_type() {
        let check = |value: Value, expected: &str| assert_eq!(literal(&value), expected);
        check(Value::from("it's"), "'it''s'");
        check(Value::Double(-2.0), "-2.0");
        check(Value::Double(1e300), "1e300");
        check(Value::Int32(-7), "-7");
        check(Value::Int64(i64::MIN), "-9223372036854775808L");
        check(Value::Bool(false), "false");
        check(Value::DateTime("2026-11-21T03:00:00Z".to_owned()), "datetime'2026-11-21T03:00:00Z'");
        check(Value::Guid("0a-1".to_owned()), "guid'0a-1'");
        check(Value::Binary(vec![0, 255]), "X'00ff'");
    }

    #[test]
    fn nothing_escapes_from_its_field() {
        let encoded = query_string(&Query::partition("x&$top=1#"), None);
        assert!(!encoded.contains(['#', ' ']) && encoded.matches('&').count() == 0, "{encoded}");
    }

    #[test]
    fn continuation_is_handed_back_encoded() {
        let from = |row| Place { partition: "1!8!U3lk&", row };
        let query = |row| query_string(&Query::everything(), Some(&from(row)));
        assert_eq!(query(None), "NextPartitionKey=1%218%21U3lk%26");
        assert_eq!(query(Some("a b")), "NextPartitionKey=1%218%21U3lk%26&NextRowKey=a%20b");
    }

    proptest! {
        #[test]
        fn any_key_stays_inside_its_quotes(key in any::<String>()) {
            let filter = filter(&Query::partition(key.clone()));
            let inner = filter.strip_prefix("PartitionKey eq '").unwrap().strip_suffix('\'').unwrap();
            prop_assert!(!inner.replace("''", "").contains('\''));
            prop_assert_eq!(inner.replace("''", "'"), key);
        }
    }
}
