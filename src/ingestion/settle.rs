//! Settling: fold, commit, and again after a conflict, until a group of devices is exactly where its events put it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::{Instant, sleep};

use super::draft::{Draft, Drafted, Member};
use super::{Event, Ingest, Invocation};
use crate::devices::row::most_bytes;
use crate::ingestion::backoff::pause;
use crate::primitives::ids::DeviceId;
use crate::rejected::refusal::{Reason, Refusal};
use crate::screens::publish::Change;
use crate::store::shard::Shard;
use crate::store::{CommitError, Expect, LARGEST_COMMIT, Loaded, Revision, StoreError, Stored, Write};
use crate::telemetry::calibration::Calibrations;

/// Tries as a whole group. A conflict that lasts longer comes from a few devices, which must not hold up the others.
const TRIES_TOGETHER: u32 = 3;

/// One invocation's work on its batch.
pub(super) struct Run<'a> {
    pub(super) ingest: &'a Ingest,
    pub(super) events: &'a [Event],
    pub(super) calibrations: Arc<Calibrations>,
    pub(super) invocation: Invocation,
    pub(super) deadline: Instant,
}

/// Devices whose rows now hold everything that the batch said about them, and the first failure among the others.
#[derive(Default)]
pub(super) struct Settled {
    /// Their states, to be announced.
    pub(super) changes: Vec<Change>,
    pub(super) accepted: usize,
    pub(super) skipped: usize,
    pub(super) refused: usize,
    /// What was refused and is not kept yet.
    pub(super) refusals: Vec<Refusal>,
    pub(super) failure: Option<StoreError>,
}

/// Drafts with what they want to write.
type Changed<'a> = Vec<(Draft<'a>, Write)>;
/// Drafts with their rows as they now stand in the store.
type Done<'a> = Vec<(Draft<'a>, Option<Stored>)>;

/// How a try to write drafts ended.
enum Tried<'a> {
    Settled(Done<'a>),
    /// Too large for one transaction, or with a row in it that the store does not take: to be written in these parts.
    Apart(Vec<Changed<'a>>),
    /// Others were faster: to be folded again, in these groups.
    Again(Vec<Vec<Member<'a>>>),
}

impl Run<'_> {
    /// Settles devices of one shard that are written together. A device that fails takes no other with it for longer
    /// than it takes to tell which one it is.
    pub(super) async fn settle(&self, shard: Shard, group: Vec<Member<'_>>) -> Settled {
        let mut settled = Settled::default();
        let changed = self.draft(&mut settled, group);
        settled.add(self.commit_all(0, shard, changed).await);
        settled
    }

    fn commit_all<'a>(&'a self, attempt: u32, shard: Shard, changed: Changed<'a>) -> BoxFuture<'a, Settled> {
        Box::pin(async move {
            let mut settled = Settled::default();
            if let Err(error) = self.commit_into(&mut settled, attempt, shard, changed).await {
                settled.failure.get_or_insert(error);
            }
            settled
        })
    }

    /// The only place where a read-modify-write is tried again. Every failed try is followed by a fresh load, so a
    /// conflict folds into what the other writer stored, and a write whose answer was lost is found by its write id.
    async fn commit_into<'a>(
        &'a self,
        settled: &mut Settled,
        attempt: u32,
        shard: Shard,
        changed: Changed<'a>,
    ) -> Result<(), StoreError> {
        let (mut attempt, mut changed) = (attempt, changed);
        while !changed.is_empty() {
            let parts = match self.attempt(attempt, shard, changed).await? {
                Tried::Settled(done) => vec![self.rest(settled, done).await?],
                Tried::Apart(parts) => parts,
                Tried::Again(groups) => groups.into_iter().map(|group| self.draft(settled, group)).collect(),
            };
            attempt += 1;
            let mut parts = parts.into_iter();
            changed = parts.next().unwrap_or_default();
            if parts.len() > 0 {
                let all = std::iter::once(std::mem::take(&mut changed)).chain(parts);
                let all = all.map(|part| self.commit_all(attempt, shard, part));
                join_all(all).await.into_iter().for_each(|part| settled.add(part));
            }
        }
        Ok(())
    }

    /// Folds a group. What has nothing to write is settled by that, to its last arrival.
    fn draft<'a>(&self, settled: &mut Settled, group: Vec<Member<'a>>) -> Changed<'a> {
        let mut changed = Changed::with_capacity(group.len());
        for member in group {
            match member.draft(self) {
                Drafted::Changed(draft, write) => changed.push((draft, write)),
                Drafted::Unchanged(draft, row) => {
                    let rest = self.take_over(settled, draft, row);
                    debug_assert!(rest.is_none(), "only a row that is written can be too full");
                }
            }
        }
        changed
    }

    /// What is left of settled devices, folded into their rows as they now stand. That needs the room which the verdicts
    /// of the first part take, so those have to be kept before.
    async fn rest<'a>(&self, settled: &mut Settled, done: Done<'a>) -> Result<Changed<'a>, StoreError> {
        let rest = done.into_iter().filter_map(|(draft, row)| self.take_over(settled, draft, row));
        let rest: Vec<Member<'a>> = rest.collect();
        if !rest.is_empty() {
            let refusals = std::mem::take(&mut settled.refusals);
            self.ingest.keep_refusals(&refusals, self.deadline).await?;
        }
        Ok(self.draft(settled, rest))
    }

    async fn attempt<'a>(
        &self,
        attempt: u32,
        shard: Shard,
        changed: Changed<'a>,
    ) -> Result<Tried<'a>, StoreError> {
        let (drafts, writes): (Vec<Draft<'a>>, Vec<Write>) = changed.into_iter().unzip();
        if drafts.len() > 1 && self.bytes(&writes) > LARGEST_COMMIT {
            return Ok(halves(drafts, writes));
        }
        let problem = match self.ingest.store.commit(shard, &writes, self.deadline).await {
            Ok(revisions) => return Ok(Tried::Settled(written(drafts, writes, revisions))),
            Err(CommitError::Failed(error)) => return Err(error),
            // Halving finds the row that is not taken in few requests.
            Err(CommitError::Refused(_)) if drafts.len() > 1 => return Ok(halves(drafts, writes)),
            Err(CommitError::Refused(problem)) => return Ok(unstorable(drafts, &problem)),
            Err(problem @ (CommitError::Conflict | CommitError::Unknown(_))) => problem,
        };
        self.wait_after(attempt, &problem).await?;
        let devices: Vec<DeviceId> = writes.iter().map(|write| write.state.device.clone()).collect();
        let rows = self.ingest.store.load(shard, &devices, self.deadline).await?;
        Ok(match is_written(&writes, &rows) {
            true => Tried::Settled(drafts.into_iter().zip(rows.into_iter().map(found)).collect()),
            false => Tried::Again(once_more(attempt, drafts, &writes, rows)),
        })
    }

    /// Names the write of what comes after `from`: the same for every try, since whichever of them was applied, those
    /// arrivals are in.
    pub(super) fn write_id(&self, from: usize) -> String {
        format!("{:016x}-{from}", self.invocation.seed)
    }

    fn bytes(&self, writes: &[Write]) -> usize {
        writes.iter().map(|write| most_bytes(&write.state, &self.ingest.catalogue)).sum()
    }

    async fn wait_after(&self, attempt: u32, problem: &CommitError) -> Result<(), StoreError> {
        let roll = crate::primitives::stable_hash::stable_hash(
            &[self.invocation.seed.to_be_bytes(), u64::from(attempt).to_be_bytes()].concat(),
        );
        let pause = pause(attempt, roll);
        if Instant::now() + pause + Duration::from_millis(1) >= self.deadline {
            return Err(StoreError::Unavailable(format!(
                "gave up after {} tries, the last: {problem}",
                attempt + 1
            )));
        }
        sleep(pause).await;
        Ok(())
    }

    /// Counts what a draft came to, remembers its row, and returns what is left to be folded into it.
    fn take_over<'a>(
        &self,
        settled: &mut Settled,
        draft: Draft<'a>,
        row: Option<Stored>,
    ) -> Option<Member<'a>> {
        let outcome = draft.settle(self, row);
        settled.accepted += outcome.accepted;
        settled.skipped += outcome.skipped;
        settled.refused += outcome.refusals.len();
        settled.refusals.extend(outcome.refusals);
        if let Some(stored) = outcome.row {
            if stored.state.is_heard() {
                settled.changes.push(Change::to(&stored.state, outcome.left, &self.ingest.catalogue));
            }
            self.ingest.known.keep(stored);
        }
        outcome.rest
    }
}

impl Settled {
    /// Adds what became of other devices.
    pub(super) fn add(&mut self, other: Settled) {
        self.changes.extend(other.changes);
        self.accepted += other.accepted;
        self.skipped += other.skipped;
        self.refused += other.refused;
        self.refusals.extend(other.refusals);
        self.failure = self.failure.take().or(other.failure);
    }
}

fn found(row: Loaded) -> Option<Stored> {
    match row {
        Loaded::Found(stored) => Some(*stored),
        Loaded::Absent | Loaded::Damaged(_) => None,
    }
}

fn written(drafts: Vec<Draft<'_>>, writes: Vec<Write>, revisions: Vec<Revision>) -> Done<'_> {
    let rows = writes.into_iter().zip(revisions);
    let rows = rows.map(|(write, revision)| Some(Stored { state: write.state, revision }));
    drafts.into_iter().zip(rows).collect()
}

/// Whether a try of this invocation was applied although it did not say so. A transaction is all or nothing, so one row
/// with our write id stands for the group.
fn is_written(writes: &[Write], rows: &[Loaded]) -> bool {
    writes.iter().zip(rows).any(
        |(write, row)| matches!(row, Loaded::Found(stored) if stored.state.write_id == write.state.write_id),
    )
}

fn halves<'a>(drafts: Vec<Draft<'a>>, writes: Vec<Write>) -> Tried<'a> {
    let mut first: Changed<'a> = drafts.into_iter().zip(writes).collect();
    let second = first.split_off(first.len() / 2);
    Tried::Apart(vec![first, second])
}

/// A row that the store does not take must not stop the partition for ever: its readings are kept as refused.
fn unstorable<'a>(drafts: Vec<Draft<'a>>, problem: &str) -> Tried<'a> {
    let detail = format!("the store does not take the row of this device: {problem}");
    let refused =
        |draft: Draft<'a>| (Draft::refused(draft.device, draft.from, Reason::NotStored, &detail), None);
    Tried::Settled(drafts.into_iter().map(refused).collect())
}

/// Together again, or, when that has been tried enough, each of the devices that others write on its own.
fn once_more<'a>(
    attempt: u32,
    drafts: Vec<Draft<'a>>,
    writes: &[Write],
    rows: Vec<Loaded>,
) -> Vec<Vec<Member<'a>>> {
    let (mut together, mut alone) = (Vec::new(), Vec::new());
    for ((draft, write), row) in drafts.into_iter().zip(writes).zip(rows) {
        match attempt + 1 >= TRIES_TOGETHER && !holds(&write.expect, &row) {
            true => alone.push(vec![draft.again(row)]),
            false => together.push(draft.again(row)),
        }
    }
    alone.push(together);
    alone
}

fn holds(expect: &Expect, row: &Loaded) -> bool {
    match (expect, row) {
        (Expect::Absent, Loaded::Absent) => true,
        (Expect::At(revision), Loaded::Found(stored)) => stored.revision == *revision,
        _ => false,
    }
}
