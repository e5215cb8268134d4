//! A page that is filled row by row, and when it is full.

use std::borrow::Cow;

use crate::evaluation::{Mark, Row, StoreId, matches, select};
use crate::limits::MOST_PAGE_ROWS;
use crate::{Page, Query, Stored};

/// Bytes of one page, as its rows are counted; the same as the service's.
const LARGEST_PAGE: usize = 4 * 1024 * 1024;

/// When a page ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PageBounds {
    /// Rows that are looked at, whether they are found or not: a query that finds little must not take for ever.
    pub(crate) looked_at: usize,
    /// Rows that are found.
    pub(crate) rows: usize,
}

/// A page that is filled row by row.
pub(crate) struct PageBuilder<'q> {
    query: &'q Query,
    bounds: PageBounds,
    looked_at: usize,
    bytes: usize,
    rows: Vec<Stored>,
}

impl<'q> PageBuilder<'q> {
    pub(crate) fn new(query: &'q Query, bounds: PageBounds) -> PageBuilder<'q> {
        let rows = bounds.rows.min(query.page_size.unwrap_or(MOST_PAGE_ROWS).into());
        let bounds = PageBounds { rows, ..bounds };
        PageBuilder { query, bounds, looked_at: 0, bytes: 0, rows: Vec::new() }
    }

    /// Whether the next row would be one too many: then the page ends here, and goes on later.
    pub(crate) fn is_full(&self) -> bool {
        self.looked_at >= self.bounds.looked_at
            || self.rows.len() >= self.bounds.rows
            || self.bytes >= LARGEST_PAGE
    }

    /// Takes the next row, of about so many bytes. It may turn out that it is not wanted.
    pub(crate) fn take(&mut self, row: Cow<'_, Row>, bytes: usize) {
        self.pass();
        if matches(self.query, &row.entity, row.written_at) {
            self.bytes += bytes;
            self.rows.push(select(self.query, row.into_owned().into_stored()));
        }
    }

    /// Passes over a row that is certainly not wanted.
    pub(crate) fn pass(&mut self) {
        self.looked_at += 1;
    }

    /// The page. `last` is the last row that was looked at if others follow; `newest` is the store's last change.
    pub(crate) fn finish(self, store: StoreId, newest: u64, last: Option<Mark>) -> Page {
        let next = last.map(|mark| store.continuation(&mark));
        Page { rows: self.rows, next, as_of: store.moment(newest) }
    }
}
