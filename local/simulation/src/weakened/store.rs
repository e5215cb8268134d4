//! The store with one protection taken away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fieldcast_tables::{
    Continuation, Deadline, Etag, MemoryStore, Moment, Operation, Page, Query, Reply, Stored, TableName,
    TableStore,
};

use fieldcast::devices::state::Watermark;

use crate::protection::Protection;
use crate::world::World;

/// See [`Protection::is_of_the_store`].
pub(crate) struct WeakenedStore {
    world: Arc<World>,
    rows: Arc<MemoryStore>,
    without: Protection,
    /// Rejected readings that were kept under keys of their own.
    kept: AtomicU64,
}

impl WeakenedStore {
    pub(crate) fn new(world: &Arc<World>, without: Protection) -> WeakenedStore {
        let rows = world.tables.service();
        WeakenedStore { world: Arc::clone(world), rows, without, kept: AtomicU64::new(0) }
    }

    /// What a handler gets to see of a row.
    fn forgotten(&self, table: &TableName, row: Stored) -> Stored {
        let tables = &self.world.tables;
        if *table != tables.devices {
            return row;
        }
        let Some(mut state) = tables.state_of(&row) else { return row };
        match self.without {
            Protection::Watermark => state.watermarks.clear(),
            Protection::EnqueuedTime => {
                let untimed = |(_, mark): (&_, &mut Watermark)| mark.enqueued_at = None;
                state.watermarks.iter_mut().for_each(untimed);
            }
            Protection::EarlierStream => {
                state.watermarks.retain(|partition, _| !partition.as_str().ends_with("|earlier"));
            }
            Protection::WriteId => state.write_id = Default::default(),
            Protection::Verdict => state.verdicts = Default::default(),
            _ => return row,
        }
        tables.with_state(&row, &state)
    }

    fn page(&self, table: &TableName, mut page: Page) -> Page {
        page.rows = page.rows.into_iter().map(|row| self.forgotten(table, row)).collect();
        if self.without == Protection::CursorMoment {
            page.as_of = later(&page.as_of);
        }
        page
    }

    fn operation(&self, table: &TableName, operation: Operation) -> Operation {
        let tables = &self.world.tables;
        match self.without {
            Protection::Etag if *table == tables.devices => self.unconditional(table, operation),
            Protection::RejectionKey if *table == tables.rejected => self.under_another_key(operation),
            _ => operation,
        }
    }

    /// Expects just the row that is there.
    fn unconditional(&self, table: &TableName, operation: Operation) -> Operation {
        let (partition, row) = operation.keys();
        let is_it = |stored: &Stored| stored.entity.partition == partition && stored.entity.row == row;
        let there: Option<Etag> =
            self.rows.rows_by_hand(table).into_iter().find(is_it).map(|stored| stored.etag);
        match (operation, there) {
            (Operation::Insert(entity) | Operation::Replace(entity, _), Some(etag)) => {
                Operation::Replace(entity, etag)
            }
            (Operation::Merge(entity, _), Some(etag)) => Operation::Merge(entity, etag),
            (operation, _) => operation,
        }
    }

    fn under_another_key(&self, operation: Operation) -> Operation {
        match operation {
            Operation::Insert(mut entity) => {
                entity.row = format!("{}-{}", entity.row, self.kept.fetch_add(1, Ordering::Relaxed));
                Operation::Insert(entity)
            }
            operation => operation,
        }
    }
}

/// A moment by a clock that is ahead of the one by which writes are dated. Moments end in the number of a change.
fn later(moment: &Moment) -> Moment {
    let ahead = moment.as_str().rsplit_once('.').and_then(|(store, change)| {
        let change: u64 = change.parse().ok()?;
        Some(format!("{store}.{}", change + 1))
    });
    ahead.map_or_else(|| moment.clone(), Moment::from_text)
}

impl std::fmt::Debug for WeakenedStore {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("WeakenedStore").field("without", &self.without).finish_non_exhaustive()
    }
}

impl TableStore for WeakenedStore {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.rows.create_table(table, deadline)
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        Box::pin(async move {
            let answered = self.rows.get(table, partition, row, deadline).await?;
            Ok(answered.map(|row| row.map(|row| self.forgotten(table, row))))
        })
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        Box::pin(async move {
            let answered = self.rows.query(table, query, from, deadline).await?;
            Ok(answered.map(|page| self.page(table, page)))
        })
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        let operations = operations.into_iter().map(|operation| self.operation(table, operation));
        self.rows.transact(table, operations.collect(), deadline)
    }
}
