//! The store behind the handler's seam. An operation is a message: it is sent, it is done later or never, and it is
//! answered later or never, whether or not the one who sent it still lives.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fieldcast::primitives::ids::DeviceId;
use fieldcast::rejected::refusal::Refusal;
use fieldcast::store::shard::Shard;
use fieldcast::store::{
    CommitError, Loaded, Moment, Page, RefusalQuery, Reply, Revision, StateStore, StoreError, Write,
};
use fieldcast::telemetry::calibration::Calibrations;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use crate::plan::{Operation, Trouble};
use crate::world::World;

/// How long a request without an answer is waited for.
const SILENCE: Duration = Duration::from_secs(10);

/// One handler's connection to the store; with the handler it is gone, what was sent over it is not.
pub(crate) struct SimulatedStore {
    pub(crate) world: Arc<World>,
    pub(crate) writes: Arc<Writes>,
}

/// Writes of one handler that it has not heard of yet.
#[derive(Default)]
pub(crate) struct Writes {
    sent: AtomicUsize,
    done: AtomicUsize,
}

impl Writes {
    /// What a handler that dies now leaves behind.
    pub(crate) fn left_behind(&self) -> Option<&'static str> {
        match (self.done.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed)) {
            (0, 0) => None,
            (0, _) => Some("kills while a write was on its way"),
            _ => Some("kills between a write and its answer"),
        }
    }
}

/// What the sender hears.
enum Answer<T> {
    Done(T),
    Unavailable,
    /// The connection broke.
    Broken,
}

/// Why the sender has no result.
enum Failure {
    /// Nothing was done, and the store says so.
    Unavailable,
    /// Nobody knows.
    Unknown(&'static str),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> StoreError {
        StoreError::Unavailable(match failure {
            Failure::Unavailable => "503".to_owned(),
            Failure::Unknown(why) => why.to_owned(),
        })
    }
}

impl From<Failure> for CommitError {
    fn from(failure: Failure) -> CommitError {
        match failure {
            Failure::Unavailable => CommitError::Failed(StoreError::from(Failure::Unavailable)),
            Failure::Unknown(why) => CommitError::Unknown(why.to_owned()),
        }
    }
}

impl SimulatedStore {
    /// Sends an operation and waits for its answer, up to the deadline. `work` is what the store does when it gets it.
    async fn exchange<T: Send + 'static>(
        &self,
        operation: Operation,
        deadline: Instant,
        work: impl FnOnce(&World, Option<Trouble>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (number, trouble) = self.world.faults.operation(operation);
        let mut dice = self.world.dice("latency", number.wrapping_mul(8) + operation as u64);
        let journey = Journey {
            there: Duration::from_millis(dice.between(1, 12)),
            back: Duration::from_millis(dice.between(1, 12)),
            trouble,
        };
        let (answer, heard) = oneshot::channel();
        let (world, under_way) = (Arc::clone(&self.world), self.world.begin());
        let writes = (operation == Operation::Commit).then(|| Arc::clone(&self.writes));
        if let Some(trouble) = trouble {
            self.world.injected(crate::plan::Fault::Store { operation, number, trouble }.kind());
        }
        tokio::spawn(async move {
            if let Some(said) = journey.travel(&world, writes.as_deref(), work).await {
                // The sender may be gone, which is one of the things to be tried.
                let _ = answer.send(said);
            }
            drop(under_way);
        });
        let patience = deadline.min(Instant::now() + SILENCE);
        match timeout_at(patience, heard).await {
            Ok(Ok(Answer::Done(result))) => Ok(result),
            Ok(Ok(Answer::Unavailable)) => Err(Failure::Unavailable),
            Ok(Ok(Answer::Broken)) => Err(Failure::Unknown("the connection broke")),
            Ok(Err(_)) => {
                sleep_until(patience).await;
                Err(Failure::Unknown("no answer in time"))
            }
            Err(_) => Err(Failure::Unknown("no answer in time")),
        }
    }

    /// Writes rows, with their conditions or without.
    pub(crate) async fn write(
        &self,
        shard: Shard,
        writes: &[Write],
        conditional: bool,
        deadline: Instant,
    ) -> Result<Vec<Revision>, CommitError> {
        let writes = writes.to_vec();
        let work = move |world: &World, trouble| commit(world, shard, &writes, conditional, trouble);
        let result = self.exchange(Operation::Commit, deadline, work).await?;
        if result == Err(CommitError::Conflict) {
            self.world.count("writes that met another writer");
        }
        result
    }

    /// Keeps refusals, by their keys or each anew.
    pub(crate) async fn keep(
        &self,
        refusals: &[Refusal],
        by_key: bool,
        deadline: Instant,
    ) -> Result<(), StoreError> {
        let refusals = refusals.to_vec();
        let work = move |world: &World, trouble| {
            let kept = if trouble == Some(Trouble::Torn) { refusals.len() / 2 } else { refusals.len() };
            world.tables().refuse(&refusals[..kept], by_key);
            world.tell(|| format!("store: {kept} of {} refusals kept", refusals.len()));
            (kept == refusals.len()).then_some(())
        };
        match self.exchange(Operation::Refuse, deadline, work).await? {
            Some(()) => Ok(()),
            None => Err(StoreError::Unavailable("503 after a part".to_owned())),
        }
    }
}

/// How one operation travels.
struct Journey {
    there: Duration,
    back: Duration,
    trouble: Option<Trouble>,
}

impl Journey {
    /// There, the work, and back; `None` when no answer ever comes.
    async fn travel<T>(
        self,
        world: &World,
        writes: Option<&Writes>,
        work: impl FnOnce(&World, Option<Trouble>) -> T,
    ) -> Option<Answer<T>> {
        let sent = writes.map(|writes| Counted::new(&writes.sent));
        sleep(self.there).await;
        if let Some(Trouble::Late(delay)) = self.trouble {
            sleep(Duration::from_millis(delay)).await;
        }
        if let Some(kind) = world.faults.store_outage(world.now()) {
            world.injected(kind);
            return (kind == "store: outage, 503").then_some(Answer::Unavailable);
        }
        match self.trouble {
            Some(Trouble::TimeoutBefore) => return None,
            Some(Trouble::Unavailable) => {
                sleep(self.back).await;
                return Some(Answer::Unavailable);
            }
            _ => {}
        }
        let result = work(world, self.trouble);
        let done = writes.map(|writes| Counted::new(&writes.done));
        sleep(self.back).await;
        if let Some(Trouble::SlowAnswer(delay)) = self.trouble {
            sleep(Duration::from_millis(delay)).await;
        }
        drop((sent, done));
        match self.trouble {
            Some(Trouble::TimeoutAfter) => None,
            Some(Trouble::LostAnswer) => Some(Answer::Broken),
            _ => Some(Answer::Done(result)),
        }
    }
}

/// Counts while it lives.
struct Counted<'a>(&'a AtomicUsize);

impl Counted<'_> {
    fn new(counter: &AtomicUsize) -> Counted<'_> {
        counter.fetch_add(1, Ordering::Relaxed);
        Counted(counter)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn commit(
    world: &World,
    shard: Shard,
    writes: &[Write],
    conditional: bool,
    trouble: Option<Trouble>,
) -> Result<Vec<Revision>, CommitError> {
    let mut broken = Vec::new();
    let result = {
        let mut tables = world.tables();
        let meddled = trouble == Some(Trouble::Conflict);
        match meddled && !tables.touch(shard, writes) {
            true => Err(CommitError::Conflict),
            false => tables.commit(shard, writes, conditional, &mut broken),
        }
    };
    world.tell(|| described(writes, &result));
    for violation in broken {
        world.violated(violation.check, violation.detail);
    }
    result
}

fn described(writes: &[Write], result: &Result<Vec<Revision>, CommitError>) -> String {
    let row = |write: &Write| {
        let state = &write.state;
        format!("{} count {} version {}", state.device, state.count, state.version)
    };
    let rows: Vec<String> = writes.iter().map(row).collect();
    let outcome = if result.is_ok() { "written" } else { "not written, another was faster" };
    format!("store: {} ({outcome})", rows.join(", "))
}

impl StateStore for SimulatedStore {
    fn load<'a>(
        &'a self,
        shard: Shard,
        devices: &'a [DeviceId],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Loaded>, StoreError>> {
        Box::pin(async move {
            let devices = devices.to_vec();
            let work = move |world: &World, _| world.tables().load(shard, &devices);
            Ok(self.exchange(Operation::Load, deadline, work).await?)
        })
    }

    fn commit<'a>(
        &'a self,
        shard: Shard,
        writes: &'a [Write],
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Revision>, CommitError>> {
        Box::pin(self.write(shard, writes, true, deadline))
    }

    fn scan<'a>(
        &'a self,
        shard: Shard,
        since: Option<Moment>,
        after: Option<String>,
        deadline: Instant,
    ) -> Reply<'a, Result<Page, StoreError>> {
        Box::pin(async move {
            let work = move |world: &World, _| world.tables().page(shard, since.as_ref(), after.as_deref());
            Ok(self.exchange(Operation::Scan, deadline, work).await?)
        })
    }

    fn calibrations(&self, deadline: Instant) -> Reply<'_, Result<Calibrations, StoreError>> {
        Box::pin(async move {
            let work = |world: &World, _| world.tables().calibrations();
            Ok(self.exchange(Operation::Calibrations, deadline, work).await?)
        })
    }

    fn refuse<'a>(&'a self, refusals: &'a [Refusal], deadline: Instant) -> Reply<'a, Result<(), StoreError>> {
        Box::pin(self.keep(refusals, true, deadline))
    }

    fn refusing_partitions(&self, deadline: Instant) -> Reply<'_, Result<Vec<String>, StoreError>> {
        Box::pin(async move {
            let work = |world: &World, _| {
                let keys: BTreeSet<String> = world.tables().refusals().map(Refusal::partition_key).collect();
                keys.into_iter().collect()
            };
            Ok(self.exchange(Operation::Scan, deadline, work).await?)
        })
    }

    fn refused<'a>(
        &'a self,
        query: &'a RefusalQuery,
        deadline: Instant,
    ) -> Reply<'a, Result<Vec<Refusal>, StoreError>> {
        Box::pin(async move {
            let query = query.clone();
            let work = move |world: &World, _| {
                let tables = world.tables();
                let wanted = tables.refusals().filter(|refusal| query.takes(refusal));
                wanted.take(query.limit).map(Refusal::as_kept).collect()
            };
            Ok(self.exchange(Operation::Scan, deadline, work).await?)
        })
    }
}
