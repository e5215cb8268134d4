//! A store that remembers its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::decorators::Call;
use crate::{Continuation, Deadline, Etag, Operation, Page, Query, Reply, Stored, TableName, TableStore};

/// One call of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCall {
    /// Which call it was.
    pub call: Call,
    /// The table that it was about.
    pub table: TableName,
    /// How many operations it had; 0 for a call that reads.
    pub operations: usize,
}

/// A store that remembers the calls in the order in which they began, whatever came of them.
#[derive(Debug)]
pub struct Recorded {
    store: Arc<dyn TableStore>,
    calls: Mutex<Vec<RecordedCall>>,
}

impl Recorded {
    /// Nothing is remembered yet.
    #[must_use]
    pub fn new(store: Arc<dyn TableStore>) -> Recorded {
        Recorded { store, calls: Mutex::new(Vec::new()) }
    }

    /// The calls since the last time they were taken. They are forgotten.
    pub fn take(&self) -> Vec<RecordedCall> {
        std::mem::take(&mut self.calls())
    }

    /// How many calls of a kind there were since they were last taken.
    #[must_use]
    pub fn count(&self, call: Call) -> usize {
        self.calls().iter().filter(|recorded| recorded.call == call).count()
    }

    fn calls(&self) -> MutexGuard<'_, Vec<RecordedCall>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        table: &'a TableName,
        operations: usize,
        reply: Reply<'a, T>,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            self.calls().push(RecordedCall { call, table: table.clone(), operations });
            reply.await
        })
    }
}

impl TableStore for Recorded {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.answer(Call::CreateTable, table, 0, self.store.create_table(table, deadline))
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        self.answer(Call::Get, table, 0, self.store.get(table, partition, row, deadline))
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        self.answer(Call::Query, table, 0, self.store.query(table, query, from, deadline))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        let count = operations.len();
        self.answer(Call::Transact, table, count, self.store.transact(table, operations, deadline))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Entity, MemoryStore, Table};

    #[tokio::test]
    async fn calls_are_remembered_in_order_and_once() {
        let store = Arc::new(Recorded::new(Arc::new(MemoryStore::new())));
        let table = Table::new(store.clone(), TableName::new("Devices").unwrap());
        let soon = Deadline::after(Duration::from_secs(60));
        table.get("p", "a", soon).await.unwrap_err();
        table.create(soon).await.unwrap();
        let rows = ["a", "b"].map(|row| Operation::Insert(Entity::new("p", row)));
        table.transact(rows.into(), soon).await.unwrap();
        assert_eq!(store.count(Call::Transact), 1);
        let calls: Vec<_> = store.take().into_iter().map(|call| (call.call, call.operations)).collect();
        assert_eq!(calls, [(Call::Get, 0), (Call::CreateTable, 0), (Call::Transact, 2)]);
        assert_eq!(store.take(), []);
    }
}
