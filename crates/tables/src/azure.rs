//! Azure Table Storage as a store: over HTTP, with the answers of the service or of Azurite.
//!
//! A request is sent again only where that is safe: a read always, a write only when it is certain that nothing was
//! applied, because no connection could be made or the service itself said that it is busy.

mod connection;

mod calls;
mod client;

mod address;
mod batch;
mod continuation;
mod json;
mod odata;

mod answer;
mod dates;
mod request;
mod response;
mod sign;
mod trouble;

use std::fmt;
use std::time::SystemTime;

pub use connection::{ConnectionString, ConnectionStringError};

use self::client::Client;
use crate::{
    Continuation, Deadline, Etag, Operation, Page, Query, Reply, Retry, Stored, TableName, TableStore,
};

/// A storage account, reached through an HTTP client. Cheap to clone.
///
/// The client that you pass in decides about connections and certificates. Give it a connect timeout of a few seconds, a
/// `pool_idle_timeout` below the five seconds after which Azurite closes idle connections, and
/// `redirect::Policy::none()`.
#[derive(Clone)]
pub struct AzureTables {
    client: Client,
}

impl AzureTables {
    /// The account of this connection string. Nothing is sent yet.
    #[must_use]
    pub fn new(connection: ConnectionString, http: reqwest::Client) -> AzureTables {
        AzureTables { client: Client::new(connection, http) }
    }

    /// Takes the date of requests from this clock; the service refuses one that is 15 minutes off.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> AzureTables {
        AzureTables { client: self.client.with_clock(clock) }
    }

    /// Repeats requests by these rules.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> AzureTables {
        AzureTables { client: self.client.with_retry(retry) }
    }
}

impl fmt::Debug for AzureTables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AzureTables").field("client", &self.client).finish()
    }
}

impl TableStore for AzureTables {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        Box::pin(calls::create_table(&self.client, table, deadline))
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        Box::pin(calls::get(&self.client, table, partition, row, deadline))
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        Box::pin(calls::query(&self.client, table, query, from, deadline))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        Box::pin(calls::transact(&self.client, table, operations, deadline))
    }
}
