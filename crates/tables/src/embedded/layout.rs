//! What stands where in the file.
//!
//! A row is at its table's name, a zero, and its place among the rows of the table. A change is at the name of the table, a
//! zero, the partition, a zero and the change's number; it names the row. Each row has one change, its last, so that the
//! list is as long as there are rows, and a partition's changes behind a number are one range.

use std::time::SystemTime;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError, WriteTransaction};

use crate::TableName;
use crate::embedded::fault::Fault;
use crate::evaluation::StoreId;
use crate::key::ordered;
use crate::time::millis_of;

pub(super) const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("rows");
pub(super) const CHANGES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("changes");
/// The tables that were created, by their names in lower case, with the names as they were given.
pub(super) const TABLES: TableDefinition<'_, &str, &str> = TableDefinition::new("tables");
/// The numbers of the store.
pub(super) const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");

/// The form of all this.
const VERSION: &str = "version";
const THIS_VERSION: u64 = 1;
/// Tells the store from others that were in the same folder.
const ID: &str = "id";
/// The number of the last change. It never goes back, so that no etag is given twice.
pub(super) const NEWEST: &str = "newest";
/// The store's time at the last change, in milliseconds since 1970.
pub(super) const LATEST: &str = "latest";

/// Stands behind a table's name, which is of letters and digits.
const BETWEEN: u8 = 0;

/// What an open file says about itself.
pub(super) struct Found {
    pub(super) id: StoreId,
    pub(super) latest: i64,
}

/// Reads a file's numbers; a new file gets some.
pub(super) fn prepare(database: &Database, now: SystemTime) -> Result<Found, Fault> {
    if let Some(found) = read(database)? {
        return Ok(found);
    }
    let transaction = begin(database)?;
    transaction.open_table(ROWS)?;
    transaction.open_table(CHANGES)?;
    transaction.open_table(TABLES)?;
    let id = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
    let id = u64::try_from(id).unwrap_or(u64::MAX);
    {
        let mut numbers = transaction.open_table(NUMBERS)?;
        numbers.insert(VERSION, THIS_VERSION)?;
        numbers.insert(ID, id)?;
        numbers.insert(NEWEST, 0)?;
        numbers.insert(LATEST, millis_of(now).cast_unsigned())?;
    }
    // The next call does it again, so nothing is unknown if this fails.
    transaction.commit().map_err(Fault::repeatable)?;
    Ok(Found { id: StoreId(id), latest: millis_of(now) })
}

fn read(database: &Database) -> Result<Option<Found>, Fault> {
    let numbers = match database.begin_read()?.open_table(NUMBERS) {
        Ok(numbers) => numbers,
        Err(TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let version = number(&numbers, VERSION)?;
    if version != THIS_VERSION {
        return Err(Fault::Damaged(format!("version {THIS_VERSION} is needed, but it is {version}")));
    }
    let (id, latest) = (StoreId(number(&numbers, ID)?), number(&numbers, LATEST)?.cast_signed());
    Ok(Some(Found { id, latest }))
}

/// One of the store's numbers.
pub(super) fn number(numbers: &impl ReadableTable<&'static str, u64>, name: &str) -> Result<u64, Fault> {
    let number = numbers.get(name)?.map(|number| number.value());
    number.ok_or_else(|| Fault::Damaged(format!("its number {name} is missing")))
}

/// Two-phase commits: a process that dies in a commit, or twice in a repair, never loses an earlier one. And each commit
/// notes which pages are free: the host ends every process by killing it, and without the note the next one would first read
/// the whole file (0.4 s for 350 MB). That costs a commit a quarter of its time.
pub(super) fn begin(database: &Database) -> Result<WriteTransaction, Fault> {
    let mut transaction = database.begin_write()?;
    transaction.set_two_phase_commit(true);
    transaction.set_quick_repair(true);
    Ok(transaction)
}

/// The beginning of all places of a table.
pub(super) fn table_prefix(table: &TableName) -> Vec<u8> {
    let mut prefix = table.folded().into_bytes();
    prefix.push(BETWEEN);
    prefix
}

/// The beginning of all changes of a partition.
pub(super) fn partition_prefix(table: &[u8], partition: &str) -> Vec<u8> {
    let mut prefix = table.to_vec();
    prefix.extend(ordered(partition));
    prefix.push(BETWEEN);
    prefix
}

/// The place of a change.
pub(super) fn change_place(partition: &[u8], change: u64) -> Vec<u8> {
    let mut place = partition.to_vec();
    place.extend(change.to_be_bytes());
    place
}
