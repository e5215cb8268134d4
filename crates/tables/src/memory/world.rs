//! The tables and their rows, and the numbers of changes. Synchronous.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::evaluation::{Mark, PageBounds, PageBuilder, Range, Row, StoreId, outcome, place};
use crate::limits::{MOST_PAGE_ROWS, check_keys, check_query, check_transaction};
use crate::{Continuation, Entity, Error, Etag, Invalid, Operation, Page, Query, Stored, TableName};

/// Rows by their place.
type Rows = BTreeMap<Vec<u8>, Row>;

pub(super) struct World {
    id: StoreId,
    tables: BTreeMap<String, Rows>,
    newest: u64,
    time: i64,
}

impl World {
    /// Stores that begin at different times do not read each other's marks.
    pub(super) fn new(time: i64) -> World {
        World { id: StoreId(time.cast_unsigned()), tables: BTreeMap::new(), newest: 0, time }
    }

    pub(super) fn set_time(&mut self, time: i64) {
        self.time = self.time.max(time);
    }

    pub(super) fn time(&self) -> i64 {
        self.time
    }

    pub(super) fn create_table(&mut self, table: &TableName) -> &mut Rows {
        self.tables.entry(table.folded()).or_default()
    }

    pub(super) fn rows(&self, table: &TableName) -> Result<&Rows, Error> {
        let missing = || Error::MissingTable { table: table.to_string() };
        self.tables.get(&table.folded()).ok_or_else(missing)
    }

    pub(super) fn get(&self, table: &TableName, partition: &str, row: &str) -> Result<Option<Stored>, Error> {
        check_keys(partition, row)?;
        let row = self.rows(table)?.get(&place(partition, row));
        Ok(row.cloned().map(Row::into_stored))
    }

    pub(super) fn query(
        &self,
        table: &TableName,
        query: &Query,
        from: Option<&Continuation>,
        looked_at: usize,
    ) -> Result<Page, Error> {
        check_query(query)?;
        let mut range = Range::of(query);
        match from.map(|from| self.id.mark(from)).transpose()? {
            Some(Mark::Row(partition, row)) => range.start_after(&partition, &row),
            Some(Mark::Change(_)) => return Err(Invalid::Continuation.into()),
            None => {}
        }
        let since = query.since.as_ref().and_then(|moment| self.id.change_of(moment, self.newest));
        let rows = self.rows(table)?;
        let mut page = PageBuilder::new(query, PageBounds { looked_at, rows: MOST_PAGE_ROWS.into() });
        let found = range.bounds().map(|bounds| rows.range::<[u8], _>(bounds)).into_iter().flatten();
        let mut last = None;
        for (_, row) in found {
            if page.is_full() {
                return Ok(page.finish(self.id, self.newest, last.map(mark)));
            }
            match since {
                Some(since) if row.change <= since => page.pass(),
                _ => page.take(Cow::Borrowed(row), row.entity.stored_size()),
            }
            last = Some(row);
        }
        Ok(page.finish(self.id, self.newest, None))
    }

    pub(super) fn transact(
        &mut self,
        table: &TableName,
        operations: Vec<Operation>,
    ) -> Result<Vec<Option<Etag>>, Error> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        check_transaction(&operations)?;
        let rows = self.rows(table)?;
        let mut outcomes = Vec::with_capacity(operations.len());
        for (index, operation) in operations.into_iter().enumerate() {
            let (partition, row) = operation.keys();
            let place = place(partition, row);
            let content = outcome(index, operation, rows.get(&place))?;
            outcomes.push((place, content));
        }
        // From here on nothing fails.
        Ok(outcomes.into_iter().map(|(place, content)| self.write(table, place, content)).collect())
    }

    /// Puts this content at a place, `None` to remove what is there.
    pub(super) fn write(
        &mut self,
        table: &TableName,
        place: Vec<u8>,
        content: Option<Entity>,
    ) -> Option<Etag> {
        self.newest += 1;
        let (change, written_at) = (self.newest, self.time);
        let rows = self.create_table(table);
        let Some(entity) = content else {
            rows.remove(&place);
            return None;
        };
        let row = Row { change, written_at, entity };
        let etag = row.etag();
        rows.insert(place, row);
        Some(etag)
    }
}

fn mark(row: &Row) -> Mark {
    Mark::Row(row.entity.partition.clone(), row.entity.row.clone())
}
