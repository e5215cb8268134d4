//! Queries: a typed description of the wanted rows. Pure.

use std::ops::{Bound, RangeBounds};

use crate::{Moment, Value};

/// The property in which the store notes its last change of a row. It can be selected and compared, not written.
pub(crate) const TIMESTAMP: &str = "Timestamp";

/// Which rows of a table are wanted. All conditions have to hold.
///
/// Nothing in it is OData syntax: keys, names and values are escaped or checked when a store is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub(crate) partition: Option<String>,
    pub(crate) behind: Option<String>,
    pub(crate) rows: (Bound<String>, Bound<String>),
    pub(crate) since: Option<Moment>,
    pub(crate) conditions: Vec<Condition>,
    /// None selected: all are wanted.
    pub(crate) columns: Vec<String>,
    pub(crate) page_size: Option<u16>,
}

/// What must hold for a property.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Condition {
    pub(crate) name: String,
    pub(crate) is: Comparison,
    pub(crate) value: Value,
}

/// How a property is compared with a value. Give the value the type that the property is stored with: whether a value of
/// another type is ever found differs between stores.
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

impl Query {
    /// All rows of the table. Reads the whole table, unless conditions on keys are added.
    #[must_use]
    pub fn everything() -> Query {
        Query {
            partition: None,
            behind: None,
            rows: (Bound::Unbounded, Bound::Unbounded),
            since: None,
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
        self.conditions.push(Condition { name: name.into(), is, value: value.into() });
        self
    }

    /// Only rows that were written since this moment, and perhaps some others. Rows that were deleted since are not told.
    ///
    /// `moment` is the [`as_of`](crate::Page::as_of) of the first page of an earlier query of the same table. Every row that
    /// was inserted or changed after that query read it, and that still exists, is found. A moment that the store cannot
    /// read, such as one of another store, finds all rows.
    #[must_use]
    pub fn changed_since(mut self, moment: &Moment) -> Query {
        self.since = Some(moment.clone());
        self
    }

    /// Only these properties of each row; its keys and etag come in any case, its time if `Timestamp` is among them.
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
}
