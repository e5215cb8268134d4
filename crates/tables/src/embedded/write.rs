//! Writing rows: each call is one durable transaction.

use redb::{ReadableDatabase, ReadableTable, Table, WriteTransaction};

use crate::embedded::fault::Fault;
use crate::embedded::handle::File;
use crate::embedded::layout::{
    CHANGES, LATEST, NEWEST, NUMBERS, ROWS, TABLES, begin, change_place, number, partition_prefix,
    table_prefix,
};
use crate::embedded::record;
use crate::evaluation::{Row, outcome, place};
use crate::{Deadline, Error, Etag, Operation, TableName};

/// Creates a table; one that is there costs no transaction.
pub(super) fn create_table(file: &File, table: &TableName) -> Result<(), Fault> {
    let name = table.folded();
    if file.database.begin_read()?.open_table(TABLES)?.get(name.as_str())?.is_some() {
        return Ok(());
    }
    let transaction = begin(&file.database)?;
    transaction.open_table(TABLES)?.insert(name.as_str(), table.as_str())?;
    // To be created twice is no harm, so nothing is unknown if this fails.
    transaction.commit().map_err(Fault::repeatable)
}

/// Applies operations that were checked before: all or none.
pub(super) fn transact(
    file: &File,
    table: &TableName,
    operations: Vec<Operation>,
    deadline: Deadline,
) -> Result<Vec<Option<Etag>>, Fault> {
    let transaction = begin(&file.database)?;
    // Other writers may have taken all the time. Leaving without a commit writes nothing.
    if deadline.remaining().is_zero() {
        return Err(Error::not_tried().into());
    }
    let etags = {
        let mut writer = Writer::open(&transaction, table, file.now())?;
        let apply = |(index, operation)| writer.apply(index, operation);
        let etags = operations.into_iter().enumerate().map(apply).collect::<Result<_, _>>()?;
        writer.finish()?;
        etags
    };
    transaction.commit()?;
    Ok(etags)
}

/// A transaction that writes to one table.
struct Writer<'t> {
    prefix: Vec<u8>,
    rows: Table<'t, &'static [u8], &'static [u8]>,
    changes: Table<'t, &'static [u8], &'static [u8]>,
    numbers: Table<'t, &'static str, u64>,
    newest: u64,
    now: i64,
}

impl<'t> Writer<'t> {
    fn open(transaction: &'t WriteTransaction, table: &TableName, now: i64) -> Result<Writer<'t>, Fault> {
        if transaction.open_table(TABLES)?.get(table.folded().as_str())?.is_none() {
            return Err(Error::MissingTable { table: table.to_string() }.into());
        }
        let numbers = transaction.open_table(NUMBERS)?;
        Ok(Writer {
            prefix: table_prefix(table),
            rows: transaction.open_table(ROWS)?,
            changes: transaction.open_table(CHANGES)?,
            newest: number(&numbers, NEWEST)?,
            numbers,
            now,
        })
    }

    fn apply(&mut self, index: usize, operation: Operation) -> Result<Option<Etag>, Fault> {
        let (partition, row) = operation.keys();
        let keys = (partition.to_owned(), row.to_owned());
        let key = [self.prefix.clone(), place(partition, row)].concat();
        let changes = partition_prefix(&self.prefix, partition);
        let held = match self.rows.get(key.as_slice())? {
            Some(bytes) => Some(record::decode(bytes.value(), keys, |_| true)?),
            None => None,
        };
        let content = outcome(index, operation, held.as_ref())?;
        if let Some(held) = held {
            self.changes.remove(change_place(&changes, held.change).as_slice())?;
        }
        self.newest += 1;
        let Some(entity) = content else {
            self.rows.remove(key.as_slice())?;
            return Ok(None);
        };
        let row = Row { change: self.newest, written_at: self.now, entity };
        self.rows.insert(key.as_slice(), record::encode(&row)?.as_slice())?;
        self.changes.insert(change_place(&changes, row.change).as_slice(), key.as_slice())?;
        Ok(Some(row.etag()))
    }

    /// Notes the numbers that this transaction leaves.
    fn finish(mut self) -> Result<(), Fault> {
        self.numbers.insert(NEWEST, self.newest)?;
        self.numbers.insert(LATEST, self.now.cast_unsigned())?;
        Ok(())
    }
}
