//! Queries: a typed description of the wanted rows, rendered to OData in one place. Pure.

use std::fmt::Write as _;
use std::ops::{Bound, RangeBounds};
use std::time::SystemTime;

use percent_encoding::utf8_percent_encode;

use crate::entity::{Stored, Value, check_property_name};
use crate::{Invalid, key};

/// The property in which the service notes its last change of a row.
const TIMESTAMP: &str = "Timestamp";

/// The service accepts at most this many comparisons in one filter (Microsoft docs, "Query Entities").
const MOST_COMPARISONS: usize = 15;

/// Which rows of a table are wanted. All conditions have to hold.
///
/// Nothing in it is OData syntax: keys, names and values are escaped or checked when the query is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    partition: Option<String>,
    behind: Option<String>,
    rows: (Bound<String>, Bound<String>),
    conditions: Vec<(String, Comparison, Value)>,
    columns: Vec<String>,
    page_size: Option<u16>,
}

/// How a property is compared with a value. Values of different types are never equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// Some rows of an answer, in the order of their keys.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The rows; there may be none although more follow.
    pub rows: Vec<Stored>,
    /// Where the next page starts; `None` at the end.
    pub next: Option<Continuation>,
    /// When the service answered, by its own clock and to the second. Absent where it does not say.
    pub answered_at: Option<SystemTime>,
}

/// Where the next page starts: two opaque texts, which may be handed to a client and taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Continuation {
    /// `NextPartitionKey`
    pub partition: String,
    /// `NextRowKey`
    pub row: Option<String>,
}

impl Query {
    /// All rows of the table. Reads the whole table, unless conditions on keys are added.
    #[must_use]
    pub fn everything() -> Query {
        Query {
            partition: None,
            behind: None,
            rows: (Bound::Unbounded, Bound::Unbounded),
            conditions: Vec::new(),
            columns: Vec::new(),
            page_size: None,
        }
    }

    /// The rows of one partition.
    #[must_use]
    pub fn partition(key: impl Into<String>) -> Query {
        Query { partition: Some(key.into()), ..Query::everything() }
    }

    /// Only rows of partitions whose keys come after this one.
    #[must_use]
    pub fn behind_partition(mut self, key: impl Into<String>) -> Query {
        self.behind = Some(key.into());
        self
    }

    /// Only rows with a key in this range, for example `.rows("a".."b")`. Keys are ordered by their UTF-16
    /// code units.
    #[must_use]
    pub fn rows<'a>(mut self, range: impl RangeBounds<&'a str>) -> Query {
        let owned = |bound: Bound<&&'a str>| bound.map(|key| (*key).to_owned());
        self.rows = (owned(range.start_bound()), owned(range.end_bound()));
        self
    }

    /// Only rows with a property for which this holds. A row without the property is left out.
    #[must_use]
    pub fn filter(mut self, name: impl Into<String>, is: Comparison, value: impl Into<Value>) -> Query {
        self.conditions.push((name.into(), is, value.into()));
        self
    }

    /// Only rows that the service last changed at this time, RFC 3339 in UTC, or later.
    #[must_use]
    pub fn changed_since(self, time: impl Into<String>) -> Query {
        self.filter(TIMESTAMP, Comparison::GreaterOrEqual, Value::DateTime(time.into()))
    }

    /// Only these properties of each row; its keys and etag come in any case.
    #[must_use]
    pub fn select<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Query {
        self.columns = names.into_iter().map(str::to_owned).collect();
        self
    }

    /// At most this many rows in a page, 1 to 1,000. It does not limit how many pages there are.
    #[must_use]
    pub fn top(mut self, rows: u16) -> Query {
        self.page_size = Some(rows);
        self
    }

    /// The query string of the request for the page that starts `from`.
    pub(crate) fn render(&self, from: Option<&Continuation>) -> Result<String, Invalid> {
        let mut fields = Vec::new();
        let filter = self.render_filter()?;
        if !filter.is_empty() {
            fields.push(("$filter", filter));
        }
        if !self.columns.is_empty() {
            fields.push(("$select", self.render_select()?));
        }
        match self.page_size {
            Some(rows @ 1..=1000) => fields.push(("$top", rows.to_string())),
            Some(rows) => return Err(Invalid::PageSize(rows)),
            None => {}
        }
        if let Some(from) = from {
            fields.push(("NextPartitionKey", from.partition.clone()));
            fields.extend(from.row.clone().map(|row| ("NextRowKey", row)));
        }
        Ok(encode(&fields))
    }

    fn render_select(&self) -> Result<String, Invalid> {
        let mut text = "PartitionKey,RowKey".to_owned();
        for name in &self.columns {
            check_name(name)?;
            text.push(',');
            text.push_str(name);
        }
        Ok(text)
    }

    fn render_filter(&self) -> Result<String, Invalid> {
        let key = |name: &str, operator: &str, key: &str| format!("{name} {operator} {}", quoted(key));
        let mut terms = Vec::new();
        terms.extend(self.partition.as_ref().map(|partition| key("PartitionKey", "eq", partition)));
        terms.extend(self.behind.as_ref().map(|partition| key("PartitionKey", "gt", partition)));
        match &self.rows.0 {
            Bound::Included(row) => terms.push(key("RowKey", "ge", row)),
            Bound::Excluded(row) => terms.push(key("RowKey", "gt", row)),
            Bound::Unbounded => {}
        }
        match &self.rows.1 {
            Bound::Included(row) => terms.push(key("RowKey", "le", row)),
            Bound::Excluded(row) => terms.push(key("RowKey", "lt", row)),
            Bound::Unbounded => {}
        }
        for (name, is, value) in &self.conditions {
            check_name(name)?;
            terms.push(format!("{name} {} {}", is.operator(), literal(name, value)?));
        }
        if terms.len() > MOST_COMPARISONS {
            return Err(Invalid::TooManyComparisons(terms.len()));
        }
        Ok(terms.join(" and "))
    }
}

/// Of those that the service sets itself, this one can be asked for.
fn check_name(name: &str) -> Result<(), Invalid> {
    if name == TIMESTAMP { Ok(()) } else { check_property_name(name) }
}

impl Comparison {
    fn operator(self) -> &'static str {
        match self {
            Comparison::Equal => "eq",
            Comparison::NotEqual => "ne",
            Comparison::Greater => "gt",
            Comparison::GreaterOrEqual => "ge",
            Comparison::Less => "lt",
            Comparison::LessOrEqual => "le",
        }
    }
}

/// A value in OData's notation (Microsoft docs, "Querying tables and entities").
fn literal(name: &str, value: &Value) -> Result<String, Invalid> {
    Ok(match value {
        Value::String(text) => quoted(text),
        Value::Double(number) if !number.is_finite() => return Err(Invalid::NotFinite(name.to_owned())),
        // Debug form, as it always has a point or an exponent; without one the service reads an integer.
        Value::Double(number) => format!("{number:?}"),
        Value::Int32(number) => number.to_string(),
        Value::Int64(number) => format!("{number}L"),
        Value::Bool(value) => value.to_string(),
        Value::DateTime(text) => format!("datetime'{}'", only(name, text, |b| b"-:.+TZ".contains(&b))?),
        Value::Guid(text) => format!("guid'{}'", only(name, text, |b| b == b'-')?),
        Value::Binary(bytes) => format!("X'{}'", hexadecimal(bytes)),
    })
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Times and GUIDs consist of hexadecimal digits and few signs, and of nothing that could end a literal.
fn only<'a>(name: &str, text: &'a str, sign: impl Fn(u8) -> bool) -> Result<&'a str, Invalid> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_hexdigit() || sign(byte));
    if is_plain && !text.is_empty() { Ok(text) } else { Err(Invalid::Literal(name.to_owned())) }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string succeeds");
    }
    text
}

fn encode(fields: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in fields {
        let separator = if text.is_empty() { "" } else { "&" };
        let value = utf8_percent_encode(value, key::RESERVED);
        write!(text, "{separator}{name}={value}").expect("writing to a string succeeds");
    }
    text
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    fn rendered(query: &Query) -> String {
        percent_decode_str(&query.render(None).unwrap()).decode_utf8().unwrap().into_owned()
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
    }

    #[test]
    fn values_are_written_in_the_notation_of_their_type() {
        let check = |value: Value, expected: &str| assert_eq!(literal("a", &value).unwrap(), expected);
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
    fn nothing_can_be_injected() {
        let refused = |query: Query| query.render(None).unwrap_err();
        let compare = |name: &str, value: Value| Query::everything().filter(name, Comparison::Equal, value);
        assert_eq!(
            refused(compare("a eq 1 or b", Value::Int32(1))),
            Invalid::PropertyName("a eq 1 or b".to_owned())
        );
        for text in ["' or true or '", ""] {
            let literal = Invalid::Literal("a".to_owned());
            assert_eq!(refused(compare("a", Value::DateTime(text.to_owned()))), literal);
            assert_eq!(refused(compare("a", Value::Guid(text.to_owned()))), literal);
        }
        assert_eq!(refused(compare("a", Value::Double(f64::NAN))), Invalid::NotFinite("a".to_owned()));
        let select = Query::everything().select(["a&$filter=true"]);
        assert_eq!(refused(select), Invalid::PropertyName("a&$filter=true".to_owned()));
        let encoded = Query::partition("x&$top=1#").render(None).unwrap();
        assert!(!encoded.contains(['#', ' ']) && encoded.matches('&').count() == 0, "{encoded}");
    }

    #[test]
    fn limits_are_checked() {
        let many = |count| (0..count).fold(Query::partition("p"), |q, n| q.filter("a", Comparison::Less, n));
        assert!(many(14).render(None).is_ok());
        assert_eq!(many(15).render(None), Err(Invalid::TooManyComparisons(16)));
        for rows in [0, 1001] {
            assert_eq!(Query::everything().top(rows).render(None), Err(Invalid::PageSize(rows)));
        }
    }

    #[test]
    fn continuation_is_handed_back_encoded() {
        let from = Continuation { partition: "1!8!U3lk&".to_owned(), row: None };
        assert_eq!(Query::everything().render(Some(&from)).unwrap(), "NextPartitionKey=1%218%21U3lk%26");
        let from = Continuation { row: Some("a b".to_owned()), ..from };
        let query = Query::everything().render(Some(&from)).unwrap();
        assert_eq!(query, "NextPartitionKey=1%218%21U3lk%26&NextRowKey=a%20b");
    }

    proptest! {
        #[test]
        fn any_key_stays_inside_its_quotes(key in any::<String>()) {
            let filter = Query::partition(key.clone()).render_filter().unwrap();
            let inner = filter.strip_prefix("PartitionKey eq '").unwrap().strip_suffix('\'').unwrap();
            prop_assert!(!inner.replace("''", "").contains('\''));
            prop_assert_eq!(inner.replace("''", "'"), key);
        }
    }
}
