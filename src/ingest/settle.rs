//! Settling: fold, commit, and again after a conflict, until a group of devices is exactly where its events put it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join_all};
use tokio::time::{Instant, sleep};

use super::draft::{Draft, Member};
use super::{Event, Ingest, Invocation};
use crate::backoff::pause;
use crate::calibration::Calibrations;
use crate::ids::DeviceId;
use crate::refusal::{Reason, Refusal};
use crate::row::most_bytes;
use crate::shard::Shard;
use crate::store::{CommitError, LARGEST_COMMIT, Loaded, Revision, StoreError, Stored, Write};

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
    /// Their states as clients see them, each a JSON object.
    pub(super) views: Vec<Vec<u8>>,
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
    /// To be tried again, together.
    Again(Vec<Member<'a>>),
    /// To be tried again in these parts.
    Apart(Vec<Vec<Member<'a>>>),
}

impl Run<'_> {
    /// Settles devices of one shard that are written together. A device that fails takes no other with it for longer
    /// than it takes to tell which one it is.
    pub(super) fn settle<'a>(&'a self, shard: Shard, group: Vec<Member<'a>>) -> BoxFuture<'a, Settled> {
        self.settle_from(0, shard, group)
    }

    fn settle_from<'a>(
        &'a self,
        attempt: u32,
        shard: Shard,
        group: Vec<Member<'a>>,
    ) -> BoxFuture<'a, Settled> {
        Box::pin(async move {
            let mut settled = Settled::default();
            if let Err(error) = self.settle_into(&mut settled, attempt, shard, group).await {
                settled.failure.get_or_insert(error);
            }
            settled
        })
    }

    /// The only place where a read-modify-write is tried again. Every failed try is followed by a fresh load, so a
    /// conflict folds into what the other writer stored, and a write whose answer was lost is found by its write id.
    async fn settle_into<'a>(
        &'a self,
        settled: &mut Settled,
        attempt: u32,
        shard: Shard,
        group: Vec<Member<'a>>,
    ) -> Result<(), StoreError> {
        let mut group = group;
        for attempt in attempt.. {
            let (changed, unchanged) = self.draft(group);
            self.take_over(settled, unchanged);
            group = match self.write(attempt, shard, changed).await? {
                Tried::Again(again) => again,
                Tried::Settled(drafts) => self.take_over(settled, drafts),
                Tried::Apart(parts) => {
                    let parts = parts.into_iter().map(|part| self.settle_from(attempt + 1, shard, part));
                    join_all(parts).await.into_iter().for_each(|part| settled.add(part));
                    Vec::new()
                }
            };
            if group.is_empty() {
                break;
            }
            // What is left of a settled device needs the room that its verdicts take, so those have to be kept first.
            let refusals = std::mem::take(&mut settled.refusals);
            self.ingest.keep_refusals(&refusals, self.deadline).await?;
        }
        Ok(())
    }

    /// Drafts with something to write, and the others with the rows that they found.
    fn draft<'a>(&self, group: Vec<Member<'a>>) -> (Changed<'a>, Done<'a>) {
        let (mut changed, mut unchanged) = (Vec::with_capacity(group.len()), Vec::new());
        for member in group {
            let mut draft = member.draft(self);
            match draft.take_write(self) {
                Some(write) => changed.push((draft, write)),
                None => {
                    let row = found(std::mem::replace(&mut draft.member.row, Loaded::Absent));
                    unchanged.push((draft, row));
                }
            }
        }
        (changed, unchanged)
    }

    async fn write<'a>(
        &self,
        attempt: u32,
        shard: Shard,
        changed: Changed<'a>,
    ) -> Result<Tried<'a>, StoreError> {
        let (drafts, writes): (Vec<Draft<'a>>, Vec<Write>) = changed.into_iter().unzip();
        if drafts.len() > 1 && self.bytes(&writes) > LARGEST_COMMIT {
            return Ok(halves(drafts));
        }
        let problem = match self.commit(shard, &writes).await {
            Ok(revisions) => return Ok(Tried::Settled(written(drafts, writes, revisions))),
            Err(CommitError::Failed(error)) => return Err(error),
            Err(CommitError::Refused(_)) if drafts.len() > 1 => return Ok(halves(drafts)),
            Err(CommitError::Refused(problem)) => return Ok(unstorable(drafts, &problem)),
            Err(problem @ (CommitError::Conflict | CommitError::Unknown(_))) => problem,
        };
        self.wait_after(attempt, &problem).await?;
        let devices: Vec<DeviceId> = drafts.iter().map(|draft| draft.member.device.device.clone()).collect();
        let rows = self.ingest.store.load(shard, &devices, self.deadline).await?;
        let drafts: Vec<(Draft<'a>, Loaded)> = drafts.into_iter().zip(rows).collect();
        Ok(match is_written(&writes, &drafts) {
            true => Tried::Settled(drafts.into_iter().map(|(draft, row)| (draft, found(row))).collect()),
            false => once_more(attempt, drafts),
        })
    }

    fn bytes(&self, writes: &[Write]) -> usize {
        writes.iter().map(|write| most_bytes(&write.state, &self.ingest.catalogue)).sum()
    }

    async fn commit(&self, shard: Shard, writes: &[Write]) -> Result<Vec<Revision>, CommitError> {
        match writes.is_empty() {
            true => Ok(Vec::new()),
            false => self.ingest.store.commit(shard, writes, self.deadline).await,
        }
    }

    async fn wait_after(&self, attempt: u32, problem: &CommitError) -> Result<(), StoreError> {
        let roll = crate::stable_hash::stable_hash(
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

    /// Counts what drafts came to, remembers their rows, and returns what is left to be folded into them.
    fn take_over<'a>(&self, settled: &mut Settled, drafts: Done<'a>) -> Vec<Member<'a>> {
        let mut rest = Vec::new();
        for (draft, row) in drafts {
            let outcome = draft.settle(self, row);
            settled.accepted += outcome.accepted;
            settled.skipped += outcome.skipped;
            settled.refused += outcome.refusals.len();
            settled.refusals.extend(outcome.refusals);
            if let Some(stored) = outcome.row {
                if stored.state.is_heard() {
                    settled.views.push(stored.state.view(&self.ingest.catalogue).to_json());
                }
                self.ingest.known.keep(stored);
            }
            rest.extend(outcome.rest);
        }
        rest
    }
}

impl Settled {
    /// Adds what became of other devices.
    pub(super) fn add(&mut self, other: Settled) {
        self.views.extend(other.views);
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
    let stored = |(write, revision): (Write, Revision)| Stored { state: write.state, revision };
    drafts.into_iter().zip(rows.map(|row| Some(stored(row)))).collect()
}

/// Whether a try of this invocation was applied although it did not say so. A transaction is all or nothing, so one row
/// with our write id stands for the group.
fn is_written(writes: &[Write], drafts: &[(Draft<'_>, Loaded)]) -> bool {
    writes.iter().zip(drafts).any(|(write, (_, row))| {
        matches!(row, Loaded::Found(stored) if stored.state.write_id == write.state.write_id)
    })
}

/// What did not fit together, or has one among it that the store does not take: halving finds the one in few requests.
fn halves(mut drafts: Vec<Draft<'_>>) -> Tried<'_> {
    let second = drafts.split_off(drafts.len() / 2);
    Tried::Apart(vec![members(drafts), members(second)])
}

fn members(drafts: Vec<Draft<'_>>) -> Vec<Member<'_>> {
    drafts.into_iter().map(|draft| draft.member).collect()
}

/// A row that the store does not take must not stop the partition for ever: its readings are kept as refused.
fn unstorable<'a>(drafts: Vec<Draft<'a>>, problem: &str) -> Tried<'a> {
    let detail = format!("the store does not take the row of this device: {problem}");
    let refuse = |draft: Draft<'a>| (draft.member.refuse(Reason::NotStored, &detail), None);
    Tried::Settled(drafts.into_iter().map(refuse).collect())
}

/// Together again, or, when that has been tried enough, each of the devices that others write on its own.
fn once_more<'a>(attempt: u32, drafts: Vec<(Draft<'a>, Loaded)>) -> Tried<'a> {
    let (others, outdated): (Vec<_>, Vec<_>) = match attempt + 1 < TRIES_TOGETHER || drafts.len() == 1 {
        true => (drafts, Vec::new()),
        false => drafts.into_iter().partition(|(draft, row)| !draft.is_outdated_by(row)),
    };
    let again = |(draft, row): (Draft<'a>, Loaded)| Member { row, ..draft.member };
    let others = others.into_iter().map(again).collect();
    match outdated.is_empty() {
        true => Tried::Again(others),
        false => Tried::Apart(outdated.into_iter().map(|one| vec![again(one)]).chain([others]).collect()),
    }
}
