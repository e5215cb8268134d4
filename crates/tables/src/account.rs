//! A storage account: where it is, how requests to it are signed, sent and repeated.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::sign::Signer;
use crate::{ConnectionString, Invalid, Retry, Table, key};

/// A storage account, reached through an HTTP client. Cheap to clone.
#[derive(Clone)]
pub struct Account {
    pub(crate) endpoint: Arc<str>,
    pub(crate) signer: Arc<Signer>,
    pub(crate) http: reqwest::Client,
    pub(crate) clock: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    pub(crate) retry: Retry,
}

impl Account {
    /// The account of this connection string. Nothing is sent yet.
    #[must_use]
    pub fn new(connection: ConnectionString, http: reqwest::Client) -> Account {
        Account {
            endpoint: connection.endpoint.into(),
            signer: Arc::new(Signer::new(connection.credential)),
            http,
            clock: Arc::new(SystemTime::now),
            retry: Retry::default(),
        }
    }

    /// Takes the date of requests from this clock; the service refuses one that is 15 minutes off.
    #[must_use]
    pub fn with_clock(self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Account {
        Account { clock: Arc::new(clock), ..self }
    }

    /// Repeats requests by these rules.
    #[must_use]
    pub fn with_retry(self, retry: Retry) -> Account {
        Account { retry, ..self }
    }

    /// A table of the account, whether it exists or not.
    ///
    /// # Errors
    /// [`Invalid::TableName`].
    pub fn table(&self, name: impl Into<String>) -> Result<Table, Invalid> {
        let name = name.into();
        key::check_table_name(&name)?;
        Ok(Table { account: self.clone(), name: name.into() })
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Account");
        text.field("endpoint", &self.endpoint).field("signer", &self.signer).field("retry", &self.retry);
        text.finish_non_exhaustive()
    }
}
