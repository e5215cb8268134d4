//! The store as fieldcast uses it: the tables of one account behind [`fieldcast_tables::TableStore`], opened once, with the
//! devices spread over partitions as the layout says. Which columns a row has is known by the room that the row belongs to.

mod error;
pub mod layout;
pub mod reshard;
pub mod shard;
pub mod tables;
pub mod upgrade;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use fieldcast_tables::{Deadline, Table, TableStore};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};

pub use self::error::StoreError;
use self::shard::Shards;
use self::tables::table;
use self::upgrade::Upgrade;

/// The tables of the app.
///
/// Nothing is sent before the first call, so that the process listens at once.
#[derive(Debug)]
pub struct Store {
    rows: Arc<dyn TableStore>,
    shards: Shards,
    upgrade: Option<Upgrade>,
    /// The layout was compared with the settings, and rows of version 0.1.0 were moved.
    checked: OnceCell<()>,
    /// Tables that exist for certain.
    created: Mutex<BTreeSet<&'static str>>,
}

impl Store {
    /// Names the store and how devices are spread over its partitions.
    pub fn new(rows: Arc<dyn TableStore>, shards: Shards) -> Store {
        Store { rows, shards, upgrade: None, checked: OnceCell::new(), created: Mutex::default() }
    }

    /// Moves what version 0.1.0 left behind before anything else is read.
    #[must_use]
    pub fn with_upgrade(self, upgrade: Upgrade) -> Store {
        Store { upgrade: Some(upgrade), ..self }
    }

    /// How devices are spread over partitions.
    pub fn shards(&self) -> &Shards {
        &self.shards
    }

    /// A table of this app, which is created if it does not exist.
    ///
    /// A new kind of row is a file `rows.rs` in its room: this call with the table's name, its entity from a value and its
    /// value from an entity; `rejected/row.rs` and `rejected/rows/keep.rs` are an example. Rows that are only inserted use
    /// [`insert_missing`](fieldcast_tables::insert_missing); others are written under an etag and read again after
    /// [`Conflict`](fieldcast_tables::Error::Conflict) and [`Unknown`](fieldcast_tables::Error::Unknown).
    ///
    /// # Errors
    /// [`StoreError`]; a store whose rows are spread in another way than the settings say is `Misconfigured`.
    pub async fn table(&self, name: &'static str, deadline: Instant) -> Result<Table, StoreError> {
        let opening = async {
            self.checked.get_or_try_init(|| self.check(Deadline::at(deadline))).await?;
            self.created(name, Deadline::at(deadline)).await
        };
        match timeout_at(deadline, opening).await {
            Ok(table) => table,
            Err(_) => Err(StoreError::Unavailable("it could not be opened in time".into())),
        }
    }

    /// Moves rows of version 0.1.0 and compares the recorded layout with the settings.
    async fn check(&self, deadline: Deadline) -> Result<(), StoreError> {
        if let Some(upgrade) = &self.upgrade {
            upgrade.run(&self.rows, deadline).await?;
        }
        let layout = self.created(tables::LAYOUT, deadline).await?;
        let devices = self.created(tables::DEVICE_STATE, deadline).await?;
        layout::check(&self.shards, &layout, &devices, deadline).await
    }

    async fn created(&self, name: &'static str, deadline: Deadline) -> Result<Table, StoreError> {
        let table = table(&self.rows, name)?;
        let is_there = self.created.lock().unwrap_or_else(PoisonError::into_inner).contains(name);
        if !is_there {
            table.create(deadline).await?;
            self.created.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
        }
        Ok(table)
    }
}
