//! The seam: a store of rows that are written under conditions only, and what each answer says.

use std::fmt;
use std::pin::Pin;

use crate::{Continuation, Deadline, Error, Etag, Operation, Page, Query, Stored, TableName};

/// A future that the caller polls within its own deadline. Nothing happens before it is polled.
pub type Reply<'a, T> = Pin<Box<dyn Future<Output = Result<Answered<T>, Error>> + Send + 'a>>;

/// A value, and what the store's own clock said when it was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Answered<T> {
    /// What was asked for.
    pub value: T,
    /// The store's clock at that time; `None` where the answer does not tell.
    pub clock: Option<StoreTime>,
}

impl<T> Answered<T> {
    /// The same answer with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Answered<U> {
        Answered { value: change(self.value), clock: self.clock }
    }
}

/// The store's clock when it answered, as an interval in milliseconds since 1970.
///
/// Table Storage dates its replies to the second, so its interval is one second wide. The clocks of the embedded store
/// and of memory are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreTime {
    /// The clock showed this or more.
    pub earliest: i64,
    /// The clock showed this or less.
    pub latest: i64,
}

impl StoreTime {
    /// A clock that is known to the millisecond.
    #[must_use]
    pub fn exactly(millis: i64) -> StoreTime {
        StoreTime { earliest: millis, latest: millis }
    }
}

/// Tables of rows. A row has a partition key, a row key, typed properties, and an etag that changes with every write.
///
/// This is the contract. The module `suite` (cargo feature `suite`) checks every line of it against every adapter.
///
/// **Reading**
/// - [`get`](TableStore::get) returns what the last acknowledged write of the row left, or something newer, never
///   something older. A missing row is `None`.
/// - [`query`](TableStore::query) returns rows in the order of partition key and row key, both compared by their UTF-16
///   code units, in pages of at most 1,000 rows. A page may be empty although more follow: only `next` tells the end.
///   A query for what [changed since](Query::changed_since) a moment may return its rows in another order.
/// - A row that is there from the first page to the last, unchanged, is returned exactly once. One that is written
///   meanwhile may be returned in either state or, in a query for changes, again.
///
/// **Writing**
/// - [`transact`](TableStore::transact) applies all operations or none, each only if its condition holds at that moment.
///   Of two transactions that race with the same condition exactly one succeeds. There is no unconditional write.
/// - The etags come back in the order of the operations, `None` for a delete. An etag names one version of one row; a
///   row that is deleted and inserted again never gets an earlier etag back.
/// - A merge changes the properties that it names and leaves the others; a replace leaves only those it names.
/// - No operations are no error, and nothing is asked of the store.
/// - The [limits](crate::limits) are the same everywhere and are checked before anything is done.
/// - What was reported as written survives the end of the process (memory aside).
///
/// **Tables**
/// - A table has to be created before it is used; until then every call says [`Error::MissingTable`]. Creating it again
///   is no error and changes nothing. Letter case does not tell tables apart, so use one spelling.
///
/// **Time**
/// - Every call ends by its deadline, give or take the time to notice it. If the deadline has passed before the call, it
///   does nothing and says [`Error::Unavailable`]. Dropping the future of a write leaves open whether it is applied, as
///   [`Error::Unknown`] does.
/// - Each answer carries the store's clock, if the store tells it.
pub trait TableStore: fmt::Debug + Send + Sync {
    /// Creates a table. It is no error if it exists.
    ///
    /// # Errors
    /// [`Error::Unavailable`], [`Error::Refused`], [`Error::Denied`].
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()>;

    /// Reads one row; `None` if there is none.
    ///
    /// # Errors
    /// [`Error::MissingTable`], [`Error::Unavailable`], [`Error::Refused`], [`Error::Denied`], [`Error::Invalid`].
    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>>;

    /// Reads one page: the first, or the one that `from`, which the page before it named, leads to.
    ///
    /// # Errors
    /// [`Error::MissingTable`], [`Error::Unavailable`], [`Error::Refused`], [`Error::Denied`], [`Error::Invalid`], with
    /// [`Invalid::Continuation`](crate::Invalid::Continuation) for one that this store never named.
    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page>;

    /// Applies all operations or none: at most 100, on different rows of one partition.
    ///
    /// # Errors
    /// Any [`Error`], with the index of the operation it failed at where the store tells. No operation was applied then,
    /// other than after [`Error::Unknown`], when all or none were.
    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>>;
}
