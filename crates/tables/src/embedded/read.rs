//! Reading rows: one, or a page in the order of keys or of changes.

use std::borrow::Cow;
use std::ops::Bound;

use redb::{AccessGuard, ReadOnlyTable, ReadTransaction, ReadableDatabase};

use crate::embedded::fault::Fault;
use crate::embedded::handle::File;
use crate::embedded::layout::{
    CHANGES, NEWEST, NUMBERS, ROWS, TABLES, change_place, number, partition_prefix, table_prefix,
};
use crate::embedded::record::{self, NotARow};
use crate::evaluation::{Mark, PageBounds, PageBuilder, Range, Row, keys_at, place};
use crate::limits::MOST_PAGE_ROWS;
use crate::{Continuation, Error, Invalid, Page, Query, Stored, TableName};

/// A page ends after so many rows that the query does not find, so that it takes milliseconds.
const BOUNDS: PageBounds = PageBounds { looked_at: 10_000, rows: MOST_PAGE_ROWS as usize };

type Bytes = ReadOnlyTable<&'static [u8], &'static [u8]>;

pub(super) fn get(
    file: &File,
    table: &TableName,
    partition: &str,
    row: &str,
) -> Result<Option<Stored>, Fault> {
    let transaction = file.database.begin_read()?;
    must_exist(&transaction, table)?;
    let key = [table_prefix(table), place(partition, row)].concat();
    let Some(bytes) = transaction.open_table(ROWS)?.get(key.as_slice())? else { return Ok(None) };
    let row = record::decode(bytes.value(), (partition.to_owned(), row.to_owned()), |_| true)?;
    Ok(Some(row.into_stored()))
}

pub(super) fn query(
    file: &File,
    table: &TableName,
    query: &Query,
    from: Option<&Continuation>,
) -> Result<Page, Fault> {
    let from = from.map(|from| file.id.mark(from)).transpose()?;
    let transaction = file.database.begin_read()?;
    must_exist(&transaction, table)?;
    let newest = number(&transaction.open_table(NUMBERS)?, NEWEST)?;
    let since = query.since.as_ref().and_then(|moment| file.id.change_of(moment, newest));
    let search = Search { prefix: table_prefix(table), query, rows: transaction.open_table(ROWS)? };
    let mut page = PageBuilder::new(query, BOUNDS);
    let by_changes = match (since, &query.partition) {
        (Some(since), Some(partition)) if !is_narrow(query) => Some((since, partition)),
        _ => None,
    };
    let last = match (by_changes, from) {
        (Some((since, partition)), None) => {
            search.changes(&transaction.open_table(CHANGES)?, partition, since, &mut page)?
        }
        (Some((since, partition)), Some(Mark::Change(change))) if change <= newest => {
            search.changes(&transaction.open_table(CHANGES)?, partition, change.max(since), &mut page)?
        }
        (None, None) => search.keys(None, since, &mut page)?,
        (None, Some(Mark::Row(partition, row))) => search.keys(Some((&partition, &row)), since, &mut page)?,
        (_, Some(_)) => return Err(Invalid::Continuation.into()),
    };
    Ok(page.finish(file.id, newest, last))
}

/// Whether there are probably fewer rows between the two keys of a query than were changed lately.
fn is_narrow(query: &Query) -> bool {
    query.rows.0 != Bound::Unbounded && query.rows.1 != Bound::Unbounded
}

fn must_exist(transaction: &ReadTransaction, table: &TableName) -> Result<(), Fault> {
    match transaction.open_table(TABLES)?.get(table.folded().as_str())? {
        Some(_) => Ok(()),
        None => Err(Error::MissingTable { table: table.to_string() }.into()),
    }
}

/// The rows of one table, and what is looked for in them.
struct Search<'q> {
    prefix: Vec<u8>,
    query: &'q Query,
    rows: Bytes,
}

impl Search<'_> {
    /// Fills the page in the order of keys, from behind a row, with what was changed behind a number. Returns the
    /// last row that was looked at if others follow.
    fn keys(
        &self,
        from: Option<(&str, &str)>,
        since: Option<u64>,
        page: &mut PageBuilder<'_>,
    ) -> Result<Option<Mark>, Fault> {
        let mut range = Range::of(self.query);
        if let Some((partition, row)) = from {
            range.start_after(partition, row);
        }
        let Some((first, end)) = range.bounds() else { return Ok(None) };
        let inside = |bound: Bound<&[u8]>| bound.map(|place| [self.prefix.as_slice(), place].concat());
        let (first, end) = (inside(first), inside(end));
        let end = if end == Bound::Unbounded { Bound::Excluded(behind(&self.prefix)) } else { end };
        let mut last = None;
        for entry in self.rows.range::<&[u8]>((as_slice(&first), as_slice(&end)))? {
            if page.is_full() {
                let last = last.map(|key: AccessGuard<'_, &[u8]>| self.keys_of(key.value())).transpose()?;
                return Ok(last.map(|(partition, row)| Mark::Row(partition, row)));
            }
            let (key, bytes) = entry?;
            let row = self.decode(key.value(), bytes.value())?;
            match since {
                Some(since) if row.change <= since => page.pass(),
                _ => page.take(Cow::Owned(row), bytes.value().len()),
            }
            last = Some(key);
        }
        Ok(None)
    }

    /// Fills the page with a partition's rows in the order of their last changes, from behind a number. Returns the
    /// last change that was looked at if others follow.
    fn changes(
        &self,
        changes: &Bytes,
        partition: &str,
        since: u64,
        page: &mut PageBuilder<'_>,
    ) -> Result<Option<Mark>, Fault> {
        let prefix = partition_prefix(&self.prefix, partition);
        let (first, end) = (change_place(&prefix, since), behind(&prefix));
        let range = (Bound::Excluded(first.as_slice()), Bound::Excluded(end.as_slice()));
        let mut last = None;
        for entry in changes.range::<&[u8]>(range)? {
            if page.is_full() {
                return Ok(last.map(Mark::Change));
            }
            let (_, key) = entry?;
            let bytes = self.rows.get(key.value())?;
            let bytes =
                bytes.ok_or_else(|| Fault::Damaged("a change names a row that is not there".to_owned()))?;
            let row = self.decode(key.value(), bytes.value())?;
            last = Some(row.change);
            page.take(Cow::Owned(row), bytes.value().len());
        }
        Ok(None)
    }

    fn keys_of(&self, key: &[u8]) -> Result<(String, String), NotARow> {
        key.get(self.prefix.len()..).and_then(keys_at).ok_or(NotARow)
    }

    fn decode(&self, key: &[u8], bytes: &[u8]) -> Result<Row, NotARow> {
        let Query { columns, conditions, .. } = self.query;
        record::decode(bytes, self.keys_of(key)?, |name| {
            columns.is_empty()
                || columns.iter().any(|column| column == name)
                || conditions.iter().any(|condition| condition.name == name)
        })
    }
}

fn as_slice(bound: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    bound.as_ref().map(Vec::as_slice)
}

/// The first place behind all that begin like this, which ends in a zero.
fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut behind = prefix.to_vec();
    if let Some(last) = behind.last_mut() {
        *last += 1;
    }
    behind
}
