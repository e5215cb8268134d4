//! A store that is far away: each call waits before and after it is done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use crate::decorators::Call;
use crate::{
    Answered, Continuation, Deadline, Error, Etag, Failure, Operation, Page, Query, Reply, Stored, TableName,
    TableStore,
};

/// How long a request and its answer are on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// Before it is done.
    pub before: Duration,
    /// After it is done.
    pub after: Duration,
}

/// A store that is far away, by tokio's clock, so that paused time works. A request that does not arrive by its deadline is
/// not done; one whose answer does not, is.
pub struct Delayed {
    store: Arc<dyn TableStore>,
    pause: Box<dyn Fn(Call) -> Pause + Send + Sync>,
}

impl Delayed {
    /// Every call takes the same time.
    #[must_use]
    pub fn new(store: Arc<dyn TableStore>, pause: Pause) -> Delayed {
        Delayed::by(store, move |_| pause)
    }

    /// Each call takes the time that is asked for when it begins.
    pub fn by(store: Arc<dyn TableStore>, pause: impl Fn(Call) -> Pause + Send + Sync + 'static) -> Delayed {
        Delayed { store, pause: Box::new(pause) }
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        deadline: Deadline,
        reply: Reply<'a, T>,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            let Pause { before, after } = (self.pause)(call);
            let late = |last| Err(Error::Unavailable { attempts: 1, last, source: None });
            if !wait(before, deadline).await {
                return late(Failure::TimedOut);
            }
            let answer: Result<Answered<T>, Error> = reply.await;
            match (wait(after, deadline).await, call) {
                (true, _) => answer,
                (false, Call::Transact) => Err(Error::Unknown { last: Failure::TimedOut, source: None }),
                (false, _) => late(Failure::TimedOut),
            }
        })
    }
}

/// Returns whether it is in time.
async fn wait(time: Duration, deadline: Deadline) -> bool {
    let left = deadline.remaining();
    sleep(time.min(left)).await;
    time < left || time.is_zero()
}

impl fmt::Debug for Delayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delayed").field("store", &self.store).finish_non_exhaustive()
    }
}

impl TableStore for Delayed {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.answer(Call::CreateTable, deadline, self.store.create_table(table, deadline))
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        self.answer(Call::Get, deadline, self.store.get(table, partition, row, deadline))
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        self.answer(Call::Query, deadline, self.store.query(table, query, from, deadline))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        self.answer(Call::Transact, deadline, self.store.transact(table, operations, deadline))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::{Entity, MemoryStore, Table};

    async fn table(before: u64, after: u64) -> (Table, Table) {
        let memory = Arc::new(MemoryStore::new());
        let seconds = Duration::from_secs;
        let far = Delayed::new(memory.clone(), Pause { before: seconds(before), after: seconds(after) });
        let name = TableName::new("Devices").unwrap();
        let near = Table::new(memory, name.clone());
        near.create(within(1)).await.unwrap();
        (Table::new(Arc::new(far), name), near)
    }

    fn within(seconds: u64) -> Deadline {
        Deadline::after(Duration::from_secs(seconds))
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_takes_both_pauses() {
        let (far, _) = table(3, 4).await;
        let begun = Instant::now();
        far.insert(&Entity::new("p", "r"), within(60)).await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 7);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_arrive_in_time_is_not_done() {
        let (far, near) = table(3, 0).await;
        let error = far.insert(&Entity::new("p", "r"), within(2)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert_eq!(near.get("p", "r", within(1)).await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_arrive_in_time_leaves_a_write_unknown_and_done() {
        let (far, near) = table(1, 3).await;
        let error = far.insert(&Entity::new("p", "r"), within(2)).await.unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }), "{error:?}");
        assert!(near.get("p", "r", within(1)).await.unwrap().is_some());
        let error = far.get("p", "r", within(2)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    }
}
