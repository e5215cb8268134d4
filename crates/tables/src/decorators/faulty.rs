//! A store that fails as told: the next so many calls of a kind.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::decorators::Call;
use crate::{
    Answered, Continuation, Deadline, Error, Etag, Failure, Operation, Page, Query, Reply, Stored, TableName,
    TableStore,
};

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No connection could be made: it is not done, and the caller knows that.
    NotConnected,
    /// The store says that it is busy (503): it is not done, and the caller knows that.
    Busy,
    /// The request is lost on its way: it is not done, but the caller of a write cannot know.
    RequestLost,
    /// The answer is lost on its way: it is done, but the caller of a write cannot know.
    AnswerLost,
    /// The first operation finds another row than the expected one. Only of [`Call::Transact`].
    Conflict,
}

/// Which calls fail, and how.
#[derive(Clone, Debug)]
pub struct Rule {
    fault: Fault,
    call: Option<Call>,
    table: Option<TableName>,
    times: usize,
}

impl Rule {
    /// The next call fails, whichever it is.
    #[must_use]
    pub fn next(fault: Fault) -> Rule {
        Rule { fault, call: None, table: None, times: 1 }
    }

    /// Only calls of this kind.
    #[must_use]
    pub fn of(self, call: Call) -> Rule {
        Rule { call: Some(call), ..self }
    }

    /// Only calls about this table.
    #[must_use]
    pub fn on(self, table: &TableName) -> Rule {
        Rule { table: Some(table.clone()), ..self }
    }

    /// So many of them, one after the other.
    #[must_use]
    pub fn times(self, times: usize) -> Rule {
        Rule { times, ..self }
    }

    fn matches(&self, call: Call, table: &TableName) -> bool {
        let has_kind = self.call.is_none_or(|wanted| wanted == call);
        let is_possible = self.fault != Fault::Conflict || call == Call::Transact;
        has_kind && is_possible && self.table.as_ref().is_none_or(|wanted| wanted == table)
    }
}

/// A store that fails as told, and otherwise does what the store behind it does.
#[derive(Debug)]
pub struct Faulty {
    store: Arc<dyn TableStore>,
    rules: Mutex<Vec<Rule>>,
}

impl Faulty {
    /// Without rules nothing fails.
    #[must_use]
    pub fn new(store: Arc<dyn TableStore>) -> Faulty {
        Faulty { store, rules: Mutex::new(Vec::new()) }
    }

    /// Adds a rule. Of those that match a call the oldest is used.
    pub fn fail(&self, rule: Rule) {
        self.rules().push(rule);
    }

    /// How many failures are still to come: none at the end of a test that met all it asked for.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.rules().iter().map(|rule| rule.times).sum()
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that this call meets.
    fn meet(&self, call: Call, table: &TableName) -> Option<Fault> {
        let mut rules = self.rules();
        rules.retain(|rule| rule.times > 0);
        let rule = rules.iter_mut().find(|rule| rule.matches(call, table))?;
        rule.times -= 1;
        Some(rule.fault)
    }

    fn answer<'a, T: Send + 'a>(
        &'a self,
        call: Call,
        table: &'a TableName,
        reply: Reply<'a, T>,
    ) -> Reply<'a, T> {
        Box::pin(async move {
            match self.meet(call, table) {
                None => reply.await,
                Some(Fault::AnswerLost) => {
                    let _: Result<Answered<T>, Error> = reply.await;
                    Err(lost(call))
                }
                Some(fault) => Err(error(fault, call)),
            }
        })
    }
}

fn error(fault: Fault, call: Call) -> Error {
    let unavailable = |last| Error::Unavailable { attempts: 1, last, source: None };
    match fault {
        Fault::NotConnected => unavailable(Failure::NotConnected),
        Fault::Busy => unavailable(Failure::Answered { status: 503, code: "ServerBusy".to_owned() }),
        Fault::RequestLost | Fault::AnswerLost => lost(call),
        Fault::Conflict => Error::Conflict { index: Some(0), code: "UpdateConditionNotSatisfied".to_owned() },
    }
}

/// A read that is lost has done nothing, and creating a table twice is no harm.
fn lost(call: Call) -> Error {
    match call {
        Call::Transact => Error::Unknown { last: Failure::CutOff, source: None },
        _ => Error::Unavailable { attempts: 1, last: Failure::CutOff, source: None },
    }
}

impl TableStore for Faulty {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        self.answer(Call::CreateTable, table, self.store.create_table(table, deadline))
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        self.answer(Call::Get, table, self.store.get(table, partition, row, deadline))
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        self.answer(Call::Query, table, self.store.query(table, query, from, deadline))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        self.answer(Call::Transact, table, self.store.transact(table, operations, deadline))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{Entity, MemoryStore, Table};

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(60))
    }

    async fn table() -> (Arc<Faulty>, Table) {
        let store = Arc::new(Faulty::new(Arc::new(MemoryStore::new())));
        let table = Table::new(store.clone(), TableName::new("Devices").unwrap());
        table.create(soon()).await.unwrap();
        (store, table)
    }

    fn row() -> Entity {
        Entity::new("p", "r")
    }

    #[tokio::test]
    async fn a_write_is_done_only_if_just_its_answer_is_lost() {
        for fault in
            [Fault::NotConnected, Fault::Busy, Fault::RequestLost, Fault::AnswerLost, Fault::Conflict]
        {
            let (store, table) = table().await;
            store.fail(Rule::next(fault).of(Call::Transact));
            let error = table.insert(&row(), soon()).await.unwrap_err();
            let is_told = match fault {
                Fault::NotConnected | Fault::Busy => matches!(error, Error::Unavailable { .. }),
                Fault::RequestLost | Fault::AnswerLost => matches!(error, Error::Unknown { .. }),
                Fault::Conflict => matches!(error, Error::Conflict { .. }),
            };
            assert!(is_told, "{fault:?}: {error:?}");
            let is_there = table.get("p", "r", soon()).await.unwrap().is_some();
            assert_eq!(is_there, fault == Fault::AnswerLost, "{fault:?}");
            assert_eq!(store.pending(), 0);
        }
    }

    #[tokio::test]
    async fn only_the_calls_that_were_meant_fail_and_no_more_than_so_many() {
        let (store, table) = table().await;
        let other = Table::new(store.clone(), TableName::new("Others").unwrap());
        other.create(soon()).await.unwrap();
        store.fail(Rule::next(Fault::Busy).of(Call::Get).on(table.name()).times(2));
        table.insert(&row(), soon()).await.unwrap();
        other.get("p", "r", soon()).await.unwrap();
        assert_eq!(store.pending(), 2);
        for _ in 0..2 {
            table.get("p", "r", soon()).await.unwrap_err();
        }
        assert!(table.get("p", "r", soon()).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_lost_read_is_unavailable() {
        let (store, table) = table().await;
        store.fail(Rule::next(Fault::AnswerLost));
        let error = table.query_all(&Query::everything(), soon()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { last: Failure::CutOff, .. }), "{error:?}");
    }
}
