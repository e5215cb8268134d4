//! Rows that are written under conditions only: one trait, and stores that keep its contract.
//!
//! [`TableStore`] is what Azure Table Storage can do, without its address and its HTTP: point reads, filtered queries, and
//! transactions of up to 100 inserts, merges, replaces and deletes on one partition, each guarded by an etag. Behind it
//! stand [`AzureTables`], which speaks to the service and to Azurite, `EmbeddedStore` (feature `embedded`), which keeps a
//! file, and [`MemoryStore`]; [`Faulty`], [`Delayed`], [`Sparse`] and [`Recorded`] wrap any of them. To read the code, begin with
//! `store`, then `table`, `operation` and `query`.
//!
//! Three things all of them are careful about:
//! - **A write is never sent blindly twice.** When its answer is lost, the error is [`Error::Unknown`] and the
//!   caller reads the row again. There is no unconditional write.
//! - **An error says what to do next**, and in a transaction which operation it was.
//! - **Numbers survive.** A double stays a double and a 64-bit integer is exact.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use fieldcast_tables::{Deadline, Entity, Error, MemoryStore, Table, TableName};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // On a real account: AzureTables::new(ConnectionString::parse(text)?, reqwest::Client::new())
//! let store = Arc::new(MemoryStore::new());
//! let table = Table::new(store, TableName::new("DeviceState")?);
//! let deadline = Deadline::after(Duration::from_secs(10));
//!
//! table.create(deadline).await?;
//! loop {
//!     let written = match table.get("Sydney", "sensor-1", deadline).await? {
//!         None => {
//!             let first = Entity::new("Sydney", "sensor-1").with("Count", 1_i64);
//!             table.insert(&first, deadline).await
//!         }
//!         Some(stored) => {
//!             let count = stored.entity.get("Count").and_then(|count| count.as_i64()).unwrap_or(0);
//!             let next = Entity::new("Sydney", "sensor-1").with("Count", count + 1);
//!             table.merge(&next, &stored.etag, deadline).await
//!         }
//!     };
//!     match written {
//!         Ok(_) => break,
//!         Err(Error::Conflict { .. }) => continue, // somebody was faster: read again
//!         Err(other) => return Err(other.into()),
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod store;

mod table;

mod missing;

mod entity;
mod etag;
mod key;
mod operation;
mod page;
mod query;

mod error;
mod invalid;
pub mod limits;
mod retry;

mod grouping;
mod time;
mod wire_size;

mod azure;

mod evaluation;

mod memory;

#[cfg(feature = "embedded")]
mod embedded;

mod decorators;

#[cfg(feature = "suite")]
pub mod suite;

pub use azure::{AzureTables, ConnectionString, ConnectionStringError};
pub use decorators::{Call, Delayed, Fault, Faulty, Pause, Recorded, RecordedCall, Rule, Sparse};
#[cfg(feature = "embedded")]
pub use embedded::EmbeddedStore;
pub use entity::{Entity, Stored, Value};
pub use error::{Cause, CredentialKind, Error, Failure};
pub use etag::Etag;
pub use grouping::in_transactions;
pub use invalid::Invalid;
pub use key::TableName;
pub use memory::MemoryStore;
pub use missing::insert_missing;
pub use operation::Operation;
pub use page::{Continuation, Moment, Page};
pub use query::{Comparison, Query};
pub use retry::{Deadline, Retry};
pub use store::{Answered, Reply, StoreTime, TableStore};
pub use table::Table;

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
