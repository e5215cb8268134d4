//! A store in memory: real in everything but durability. For tests, for simulations, and for trying things out.

mod by_hand;
mod world;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use self::world::World;
use crate::limits::MOST_PAGE_ROWS;
use crate::time::millis_of;
use crate::{
    Answered, Continuation, Deadline, Error, Etag, Operation, Page, Query, Reply, StoreTime, Stored,
    TableName, TableStore,
};

/// A store in the memory of this process.
pub struct MemoryStore {
    world: Mutex<World>,
    clock: Arc<dyn Fn() -> i64 + Send + Sync>,
    page_size: usize,
}

impl MemoryStore {
    /// An empty store with the clock of this machine.
    #[must_use]
    pub fn new() -> MemoryStore {
        MemoryStore::with_clock(|| millis_of(SystemTime::now()))
    }

    /// An empty store with this clock, which tells milliseconds since 1970. The store's own never runs backwards.
    #[must_use]
    pub fn with_clock(clock: impl Fn() -> i64 + Send + Sync + 'static) -> MemoryStore {
        let world = Mutex::new(World::new(clock()));
        MemoryStore { world, clock: Arc::new(clock), page_size: MOST_PAGE_ROWS.into() }
    }

    /// Looks at no more than so many rows for one page, whether the query finds them or not. So small pages, and empty
    /// ones with more behind them, come up in tests as they do at the service.
    #[must_use]
    pub fn with_page_size(self, rows: usize) -> MemoryStore {
        MemoryStore { page_size: rows.clamp(1, MOST_PAGE_ROWS.into()), ..self }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.set_time((self.clock)());
        world
    }

    /// Does something at once, if there is time for it at all.
    fn answer<'a, T: Send>(
        &'a self,
        deadline: Deadline,
        ask: impl FnOnce(&mut World) -> Result<T, Error> + Send + 'a,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            if deadline.remaining().is_zero() {
                return Err(Error::not_tried());
            }
            let mut world = self.world();
            let value = ask(&mut world)?;
            Ok(Answered { value, clock: Some(StoreTime::exactly(world.time())) })
        })
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("page_size", &self.page_size).finish_non_exhaustive()
    }
}

impl TableStore for MemoryStore {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.answer(deadline, |world| {
            world.create_table(table);
            Ok(())
        })
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        self.answer(deadline, move |world| world.get(table, partition, row))
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        self.answer(deadline, move |world| world.query(table, query, from, self.page_size))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        self.answer(deadline, move |world| world.transact(table, operations))
    }
}
