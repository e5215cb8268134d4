//! The store behind the handler's seam: a decorator around a store in memory. A call is a message: it is sent, it is done
//! later or never, and it is answered later or never, whether or not the one who sent it still lives.

mod journey;
mod writing;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fieldcast_tables::{
    Answered, Continuation, Deadline, Error, Etag, Failure, Operation, Page, Query, Reply, Sparse, Stored,
    TableName, TableStore,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

pub(crate) use self::journey::Writes;
use self::journey::{Answer, Journey};
use crate::plan::{StoreCall, StoreTrouble};
use crate::world::World;

/// How long a request without an answer is waited for.
const SILENCE: Duration = Duration::from_secs(10);

/// The time that the store itself has for what it is asked: its work takes none.
const AMPLE: Duration = Duration::from_secs(60);

/// One handler's connection to the store; with the handler it is gone, what was sent over it is not.
pub(crate) struct SimulatedStore {
    pub(crate) world: Arc<World>,
    /// What is at the other end.
    pub(crate) service: Arc<dyn TableStore>,
    pub(crate) writes: Arc<Writes>,
}

/// Whether somebody has to know if a call was done.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Read,
    Write,
}

impl SimulatedStore {
    /// Sends a call and waits for its answer, up to the deadline. `work` is what the store does when it gets it.
    async fn exchange<T: Send + 'static, W: Future<Output = Result<Answered<T>, Error>> + Send>(
        &self,
        call: StoreCall,
        kind: Kind,
        deadline: Deadline,
        work: impl FnOnce(Option<StoreTrouble>) -> W + Send + 'static,
    ) -> Result<Answered<T>, Error> {
        if deadline.remaining().is_zero() {
            return Err(Error::Unavailable { attempts: 0, last: Failure::NotTried, source: None });
        }
        let patience = Instant::now() + deadline.remaining().min(SILENCE);
        let (answer, heard) = oneshot::channel();
        let journey = Journey::new(&self.world, call);
        let (world, under_way) = (Arc::clone(&self.world), self.world.begin());
        let writes = (call == StoreCall::Commit).then(|| Arc::clone(&self.writes));
        tokio::spawn(async move {
            if let Some(said) = journey.travel(&world, writes.as_deref(), work).await {
                // The sender may be gone, which is one of the things to be tried.
                let _ = answer.send(said);
            }
            drop(under_way);
        });
        let unanswered = match timeout_at(patience, heard).await {
            Ok(Ok(Answer::Done(result))) => return result,
            Ok(Ok(Answer::Unavailable)) => return Err(unavailable()),
            Ok(Ok(Answer::Broken)) => Failure::CutOff,
            Ok(Err(_)) | Err(_) => {
                sleep_until(patience).await;
                Failure::TimedOut
            }
        };
        Err(match kind {
            Kind::Write => Error::Unknown { last: unanswered, source: None },
            Kind::Read => Error::Unavailable { attempts: 1, last: unanswered, source: None },
        })
    }

    fn kind_of_read(&self, table: &TableName, devices: StoreCall) -> StoreCall {
        let tables = &self.world.tables;
        match table {
            table if *table == tables.devices => devices,
            table if *table == tables.rejected => StoreCall::Verify,
            table if *table == tables.calibrations => StoreCall::Calibrations,
            _ => StoreCall::Open,
        }
    }
}

fn unavailable() -> Error {
    let last = Failure::Answered { status: 503, code: "ServerBusy".to_owned() };
    Error::Unavailable { attempts: 1, last, source: None }
}

fn ample() -> Deadline {
    Deadline::after(AMPLE)
}

impl fmt::Debug for SimulatedStore {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("SimulatedStore(..)")
    }
}

impl TableStore for SimulatedStore {
    fn create_table<'a>(&'a self, table: &'a TableName, deadline: Deadline) -> Reply<'a, ()> {
        let (service, table) = (Arc::clone(&self.service), table.clone());
        let work = async move |_| service.create_table(&table, ample()).await;
        Box::pin(self.exchange(StoreCall::Open, Kind::Read, deadline, work))
    }

    fn get<'a>(
        &'a self,
        table: &'a TableName,
        partition: &'a str,
        row: &'a str,
        deadline: Deadline,
    ) -> Reply<'a, Option<Stored>> {
        let call = self.kind_of_read(table, StoreCall::Load);
        let (service, table) = (Arc::clone(&self.service), table.clone());
        let (partition, row) = (partition.to_owned(), row.to_owned());
        let work = async move |_| service.get(&table, &partition, &row, ample()).await;
        Box::pin(self.exchange(call, Kind::Read, deadline, work))
    }

    fn query<'a>(
        &'a self,
        table: &'a TableName,
        query: &'a Query,
        from: Option<&'a Continuation>,
        deadline: Deadline,
    ) -> Reply<'a, Page> {
        let call = self.kind_of_read(table, StoreCall::Scan);
        let (service, table) = (Arc::clone(&self.service), table.clone());
        let (query, from) = (query.clone(), from.cloned());
        let work = async move |trouble| {
            let service = Sparse::when(service, move || trouble == Some(StoreTrouble::EmptyPage));
            service.query(&table, &query, from.as_ref(), ample()).await
        };
        Box::pin(self.exchange(call, Kind::Read, deadline, work))
    }

    fn transact<'a>(
        &'a self,
        table: &'a TableName,
        operations: Vec<Operation>,
        deadline: Deadline,
    ) -> Reply<'a, Vec<Option<Etag>>> {
        let call = match table {
            table if *table == self.world.tables.devices => StoreCall::Commit,
            table if *table == self.world.tables.rejected => StoreCall::Reject,
            _ => StoreCall::Open,
        };
        let (world, service, table) = (Arc::clone(&self.world), Arc::clone(&self.service), table.clone());
        Box::pin(async move {
            if operations.is_empty() {
                return Ok(Answered { value: Vec::new(), clock: None });
            }
            let work = async move |trouble| {
                let meddled = trouble == Some(StoreTrouble::Conflict);
                writing::apply(&world, &*service, &table, operations, meddled, ample()).await
            };
            let result = self.exchange(call, Kind::Write, deadline, work).await;
            if call == StoreCall::Commit && matches!(result, Err(Error::Conflict { .. })) {
                self.world.count("writes that met another writer");
            }
            result
        })
    }
}
