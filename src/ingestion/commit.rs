//! The commit of a batch: drafts are written under their conditions, and folded and written again after a conflict, until
//! each device is exactly where its events put it. The only place where a read-modify-write is tried again.

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{Duration, Instant, sleep};

use super::backoff::pause;
use super::draft::{Decided, Draft, Pending, Step, Terms};
use crate::devices::rows::{
    CommitError, DeviceRows, Expect, Loaded, MOST_WRITES, Revision, StoredState, Write,
};
use crate::primitives::chain::chain;
use crate::primitives::ids::DeviceId;
use crate::primitives::stable_hash::stable_hash;
use crate::store::StoreError;
use crate::store::shard::Shard;

/// Calls to the store at once: enough to hide its round trips, few enough not to be throttled by it.
pub(super) const IN_FLIGHT: usize = 16;

/// Tries as a whole group. A conflict that lasts longer comes from a few devices, which must not hold up the others.
const TRIES_TOGETHER: u32 = 3;

/// Commits the readings of one invocation.
pub(super) struct Committer<'a> {
    devices: &'a DeviceRows,
    terms: Terms<'a>,
    deadline: Instant,
    /// A call to the store needs one; a pause between two tries does not.
    permits: Semaphore,
}

/// What came of a number of devices.
#[derive(Default)]
pub(super) struct Outcome<'a> {
    pub(super) decided: Vec<Decided<'a>>,
    /// The first failure; the devices that it concerns are not among the decided ones.
    pub(super) failure: Option<StoreError>,
}

/// Drafts of one shard that are written in one transaction.
struct Attempt<'a> {
    shard: Shard,
    /// Counted from 0.
    number: u32,
    drafts: Vec<Draft<'a>>,
    writes: Vec<Write>,
}

/// What an attempt led to: devices that are done, and attempts that have to be made next.
#[derive(Default)]
struct Ended<'a> {
    outcome: Outcome<'a>,
    next: Vec<Attempt<'a>>,
}

/// The last error before an invocation's time was over.
#[derive(Debug, thiserror::Error)]
#[error("gave up after {tries} tries")]
struct GaveUp {
    tries: u32,
    #[source]
    last: CommitError,
}

impl<'a> Committer<'a> {
    pub(super) fn new(devices: &'a DeviceRows, terms: Terms<'a>, deadline: Instant) -> Committer<'a> {
        Committer { devices, terms, deadline, permits: Semaphore::new(IN_FLIGHT) }
    }

    /// Commits devices, in groups that fit one transaction each. A device that fails delays its group only until it has
    /// been told apart.
    pub(super) async fn commit(&self, pending: Vec<(Shard, Vec<Pending<'a>>)>) -> Outcome<'a> {
        let mut outcome = Outcome::default();
        let mut running: FuturesUnordered<BoxFuture<'_, Ended<'a>>> = FuturesUnordered::new();
        for (shard, pending) in pending {
            let mut pending = pending.into_iter().peekable();
            while pending.peek().is_some() {
                let group = pending.by_ref().take(MOST_WRITES).collect();
                running.push(self.begin(running.len() % IN_FLIGHT, shard, group).boxed());
            }
        }
        while let Some(ended) = running.next().await {
            outcome.add(ended.outcome);
            running.extend(ended.next.into_iter().map(|attempt| self.attempt(attempt).boxed()));
        }
        outcome
    }

    /// Folds a group after some turns of the others. Folding and writing the request take a while without a pause: when
    /// each group begins a turn after the one before it, the store has the first request while the second is written.
    async fn begin(&self, turn: usize, shard: Shard, group: Vec<Pending<'a>>) -> Ended<'a> {
        for _ in 0..turn {
            yield_now().await;
        }
        let mut ended = Ended::default();
        self.fold(&mut ended, shard, 0, group);
        ended
    }

    /// Folds a group. Devices with nothing to write are done by that.
    fn fold(&self, ended: &mut Ended<'a>, shard: Shard, number: u32, group: Vec<Pending<'a>>) {
        let (mut drafts, mut writes) = (Vec::with_capacity(group.len()), Vec::with_capacity(group.len()));
        for pending in group {
            match pending.fold(&self.terms) {
                Step::Write(draft, write) => {
                    drafts.push(draft);
                    writes.push(write);
                }
                Step::Done(decided) => ended.outcome.decided.push(decided),
            }
        }
        if !drafts.is_empty() {
            ended.next.push(Attempt { shard, number, drafts, writes });
        }
    }

    async fn attempt(&self, attempt: Attempt<'a>) -> Ended<'a> {
        let Attempt { shard, number, drafts, writes } = attempt;
        let written = {
            let _permit = self.permits.acquire().await;
            self.devices.commit(shard, &writes, self.deadline).await
        };
        match written {
            Ok(revisions) => Ended::decided(with_rows(drafts, writes, revisions)),
            Err(CommitError::Failed(error)) => Ended::failed(error),
            // Halving finds the row that is not taken in few requests.
            Err(CommitError::Refused(_)) if drafts.len() > 1 => halves(shard, number + 1, drafts, writes),
            Err(CommitError::Refused(error)) => {
                let problem = chain(&error);
                Ended::decided(drafts.into_iter().map(|draft| draft.not_stored(&problem)).collect())
            }
            Err(problem) => {
                let again = self.again(Attempt { shard, number, drafts, writes }, problem).await;
                again.unwrap_or_else(Ended::failed)
            }
        }
    }

    /// After a conflict or a lost answer: loads the rows and folds into them what they do not hold yet.
    async fn again(&self, attempt: Attempt<'a>, problem: CommitError) -> Result<Ended<'a>, StoreError> {
        let Attempt { shard, number, drafts, writes } = attempt;
        let devices: Vec<DeviceId> = writes.iter().map(|write| write.state.device.clone()).collect();
        self.wait(number, &devices, problem).await?;
        let rows = {
            let _permit = self.permits.acquire().await;
            self.devices.load(shard, &devices, self.deadline).await?
        };
        if is_written(&writes, &rows) {
            let committed = drafts.into_iter().zip(rows).map(|(draft, row)| draft.committed(found(row)));
            return Ok(Ended::decided(committed.collect()));
        }
        let mut ended = Ended::default();
        for group in regroup(number, drafts, &writes, rows) {
            self.fold(&mut ended, shard, number + 1, group);
        }
        Ok(ended)
    }

    /// Waits before the next try, for a time of this group's own: groups that met the same writer do not meet again.
    async fn wait(&self, number: u32, devices: &[DeviceId], problem: CommitError) -> Result<(), StoreError> {
        let name = devices.first().map_or("", DeviceId::as_str);
        let seed = [&self.terms.seed.to_be_bytes()[..], &number.to_be_bytes(), name.as_bytes()].concat();
        let pause = pause(number, stable_hash(&seed));
        if Instant::now() + pause + Duration::from_millis(1) >= self.deadline {
            return Err(StoreError::Unavailable(GaveUp { tries: number + 1, last: problem }.into()));
        }
        sleep(pause).await;
        Ok(())
    }
}

impl<'a> Outcome<'a> {
    fn add(&mut self, other: Outcome<'a>) {
        self.decided.extend(other.decided);
        self.failure = self.failure.take().or(other.failure);
    }
}

impl<'a> Ended<'a> {
    fn decided(decided: Vec<Decided<'a>>) -> Ended<'a> {
        Ended { outcome: Outcome { decided, failure: None }, next: Vec::new() }
    }

    fn failed(error: StoreError) -> Ended<'a> {
        Ended { outcome: Outcome { decided: Vec::new(), failure: Some(error) }, next: Vec::new() }
    }
}

fn with_rows(drafts: Vec<Draft<'_>>, writes: Vec<Write>, revisions: Vec<Revision>) -> Vec<Decided<'_>> {
    let rows = writes.into_iter().zip(revisions);
    let rows = rows.map(|(write, revision)| StoredState { state: write.state, revision });
    drafts.into_iter().zip(rows).map(|(draft, row)| draft.committed(Some(row))).collect()
}

fn found(row: Loaded) -> Option<StoredState> {
    match row {
        Loaded::Found(stored) => Some(*stored),
        Loaded::Absent | Loaded::Damaged(_) => None,
    }
}

/// Whether a try of this invocation was applied although it did not say so. A transaction is all or nothing, so one row
/// with our write id stands for the group.
fn is_written(writes: &[Write], rows: &[Loaded]) -> bool {
    let is_ours = |(write, row): (&Write, &Loaded)| matches!(row, Loaded::Found(stored) if stored.state.write_id == write.state.write_id);
    writes.iter().zip(rows).any(is_ours)
}

fn halves<'a>(shard: Shard, number: u32, mut drafts: Vec<Draft<'a>>, mut writes: Vec<Write>) -> Ended<'a> {
    let half = drafts.len() / 2;
    let second = Attempt { shard, number, drafts: drafts.split_off(half), writes: writes.split_off(half) };
    Ended { outcome: Outcome::default(), next: vec![Attempt { shard, number, drafts, writes }, second] }
}

/// Together again; after [`TRIES_TOGETHER`] tries each device whose row others changed goes alone.
fn regroup<'a>(
    number: u32,
    drafts: Vec<Draft<'a>>,
    writes: &[Write],
    rows: Vec<Loaded>,
) -> Vec<Vec<Pending<'a>>> {
    let (mut together, mut groups) = (Vec::new(), Vec::new());
    for ((draft, write), row) in drafts.into_iter().zip(writes).zip(rows) {
        match number + 1 >= TRIES_TOGETHER && !holds(&write.expect, &row) {
            true => groups.push(vec![draft.again(row)]),
            false => together.push(draft.again(row)),
        }
    }
    groups.push(together);
    groups
}

fn holds(expect: &Expect, row: &Loaded) -> bool {
    match (expect, row) {
        (Expect::Absent, Loaded::Absent) => true,
        (Expect::At(revision), Loaded::Found(stored)) => stored.revision == *revision,
        _ => false,
    }
}
