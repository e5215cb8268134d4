//! Azure Table Storage data plane: entities, etags and entity group transactions.
//!
//! A small client for the part of the service that keeps state: point reads, inserts, merges and deletes that
//! are always guarded by an etag, filtered queries, and transactions of up to 100 operations on one partition.
//! It works on a [`reqwest::Client`] of yours, signs with an account key or a shared access signature, and
//! speaks to the real service and to Azurite.
//!
//! Three things it is careful about:
//! - **A write is never sent blindly twice.** When its answer is lost, the error is [`Error::Unknown`] and the
//!   caller reads the row again. There is no unconditional write.
//! - **An error says what to do next**, and in a transaction which operation it was.
//! - **Numbers survive.** A double stays a double and a 64-bit integer is exact, because both are annotated.
//!
//! ```no_run
//! use std::time::Duration;
//! use fieldcast_tables::{Account, ConnectionString, Deadline, Entity, Error};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let connection = ConnectionString::parse("UseDevelopmentStorage=true")?;
//! let table = Account::new(connection, reqwest::Client::new()).table("DeviceState")?;
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
//!
//! The client you pass in decides about connections and certificates. Give it a connect timeout of a few
//! seconds, a `pool_idle_timeout` below the five seconds after which Azurite closes idle connections, and
//! `redirect::Policy::none()`.

mod connection;

mod account;

mod table;

mod entity;
mod etag;
mod key;
mod query;
mod transaction;

mod error;
mod retry;

mod answer;
mod exchange;
mod sign;
mod trouble;

pub use account::Account;
pub use connection::{ConnectionString, ConnectionStringError};
pub use entity::{Entity, Stored, Value};
pub use error::{CredentialKind, Error, Failure, Invalid};
pub use etag::Etag;
pub use query::{Comparison, Continuation, Page, Query};
pub use retry::{Deadline, Retry};
pub use table::Table;
pub use transaction::Operation;

/// Compiles the example in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
