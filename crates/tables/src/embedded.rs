//! A store in a folder of this machine: one file, which one process has open at a time. For a laptop, a plant without a
//! cloud, and tests.

mod handle;

mod read;
mod write;

mod file;
mod layout;
mod record;

mod fault;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::time::timeout;

use self::fault::{Fault, Stage};
use self::handle::{File, Handle};
use crate::limits::{check_keys, check_query, check_transaction};
use crate::{
    Answered, Continuation, Deadline, Error, Etag, Operation, Page, Query, Reply, StoreTime, Stored,
    TableName, TableStore,
};

/// A store in the file `rows.redb` of a folder. Every acknowledged transaction is on the disk, and a process that is killed
/// at any moment leaves all of a transaction or nothing.
///
/// Nothing is opened before the first call. After a failure of the disk the file is opened anew by the next call, so a disk
/// that has room again is written to again.
pub struct EmbeddedStore {
    place: PathBuf,
    handle: Arc<Handle>,
}

impl EmbeddedStore {
    /// The store in this folder, which is made if need be, readable by its owner only.
    #[must_use]
    pub fn new(directory: &Path) -> EmbeddedStore {
        let (place, folder) = (directory.to_owned(), directory.to_owned());
        EmbeddedStore { place, handle: Arc::new(Handle::new(move || file::open(&folder))) }
    }

    /// The store on something else than a file: a disk that fails on command.
    #[cfg(test)]
    fn on(
        open: impl Fn() -> Result<redb::Database, redb::DatabaseError> + Send + Sync + 'static,
    ) -> EmbeddedStore {
        EmbeddedStore { place: PathBuf::from("test"), handle: Arc::new(Handle::new(open)) }
    }

    /// Does something with the open file on a thread that may block. `late` is what an answer that does not come in time
    /// may have done.
    fn ask<'a, T: Send + 'static>(
        &'a self,
        deadline: Deadline,
        late: Stage,
        work: impl FnOnce(&File) -> Result<T, Fault> + Send + 'static,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            if deadline.remaining().is_zero() {
                return Err(Error::not_tried());
            }
            let (handle, place) = (Arc::clone(&self.handle), self.place.clone());
            let working = tokio::task::spawn_blocking(move || handle.with(deadline, work));
            match timeout(deadline.remaining(), working).await {
                Ok(Ok(done)) => {
                    let (value, time) = done.map_err(|fault| fault.into_error(&place))?;
                    Ok(Answered { value, clock: Some(StoreTime::exactly(time)) })
                }
                Ok(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
                Err(_) => Err(late.timed_out()),
            }
        })
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore").field("place", &self.place).finish_non_exhaustive()
    }
}

impl TableStore for EmbeddedStore {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        let table = table.clone();
        self.ask(deadline, Stage::BeforeCommit, move |file| write::create_table(file, &table))
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        let (table, partition, row) = (table.clone(), partition.to_owned(), row.to_owned());
        self.ask(deadline, Stage::BeforeCommit, move |file| {
            check_keys(&partition, &row)?;
            read::get(file, &table, &partition, &row)
        })
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        let (table, query, from) = (table.clone(), query.clone(), from.cloned());
        self.ask(deadline, Stage::BeforeCommit, move |file| {
            check_query(&query)?;
            read::query(file, &table, &query, from.as_ref())
        })
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        if operations.is_empty() {
            return Box::pin(async { Ok(Answered { value: Vec::new(), clock: None }) });
        }
        let table = table.clone();
        self.ask(deadline, Stage::Commit, move |file| {
            check_transaction(&operations)?;
            write::transact(file, &table, operations, deadline)
        })
    }
}

#[cfg(test)]
mod tests;
