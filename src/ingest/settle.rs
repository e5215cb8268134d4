//! Settling: load, fold, commit, and again after a conflict, until a group of devices is exactly where its events put it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, sleep};

use super::{DeviceArrivals, Event, Ingest, Invocation, MOST_WRITES, refusal};
use crate::backoff::pause;
use crate::calibration::Calibrations;
use crate::fold::{Folded, fold};
use crate::refusal::{Fault, Reason};
use crate::shard::Shard;
use crate::state::DeviceState;
use crate::store::{CommitError, Expect, Loaded, StoreError, Stored, Write};

/// One invocation's work on its batch.
pub(super) struct Run<'a> {
    pub(super) ingest: &'a Ingest,
    pub(super) events: &'a [Event],
    pub(super) calibrations: Arc<Calibrations>,
    pub(super) invocation: Invocation,
    pub(super) deadline: Instant,
}

/// Devices whose rows now hold everything that the batch said about them.
#[derive(Default)]
pub(super) struct Settled {
    pub(super) states: Vec<DeviceState>,
    pub(super) accepted: usize,
    pub(super) skipped: usize,
    pub(super) refused: usize,
}

/// What one try knows of a device.
struct Attempt<'a> {
    device: &'a DeviceArrivals,
    stored: Option<Stored>,
    folded: Folded,
}

impl Run<'_> {
    /// Settles all devices of a shard, in groups that fit one transaction each. A group that fails does not take the
    /// others with it.
    pub(super) async fn settle_shard(
        &self,
        shard: Shard,
        devices: &[DeviceArrivals],
    ) -> Vec<Result<Settled, StoreError>> {
        let rows = match self.load(shard, devices).await {
            Ok(rows) => rows,
            Err(error) => return vec![Err(error)],
        };
        let mut rows = rows.into_iter();
        let groups = devices.chunks(MOST_WRITES).map(|group| {
            let rows = rows.by_ref().take(group.len()).collect();
            self.settle_group(shard, group, rows)
        });
        join_all(groups).await
    }

    async fn load(&self, shard: Shard, devices: &[DeviceArrivals]) -> Result<Vec<Loaded>, StoreError> {
        let ids: Vec<_> = devices.iter().map(|entry| entry.device.clone()).collect();
        self.ingest.store.load(shard, &ids, self.deadline).await
    }

    /// The only place where a read-modify-write is tried again. Every failed try is followed by a fresh load, so a
    /// conflict folds into what the other writer stored, and a write whose answer was lost is found by its write id.
    async fn settle_group(
        &self,
        shard: Shard,
        group: &[DeviceArrivals],
        rows: Vec<Loaded>,
    ) -> Result<Settled, StoreError> {
        let mut rows = rows;
        for attempt in 0.. {
            let attempts = self.fold_all(group, rows);
            self.keep_refusals(&attempts).await?;
            let writes = self.writes(&attempts);
            let problem = match self.commit(shard, &writes).await {
                Ok(()) => return Ok(settled(attempts, &writes)),
                Err(CommitError::Failed(error)) => return Err(error),
                Err(problem) => problem,
            };
            self.wait_after(attempt, &problem).await?;
            rows = self.load(shard, group).await?;
            if self.was_written(&writes, group, &rows) {
                return Ok(settled(attempts, &writes));
            }
        }
        unreachable!("the loop ends by returning: waiting fails at the deadline")
    }

    fn fold_all<'b>(&self, group: &'b [DeviceArrivals], rows: Vec<Loaded>) -> Vec<Attempt<'b>> {
        let fold_one = |(entry, loaded): (&'b DeviceArrivals, Loaded)| {
            let stored = match loaded {
                Loaded::Absent => None,
                Loaded::Found(stored) => Some(*stored),
                Loaded::Damaged(problem) => {
                    return Attempt { device: entry, stored: None, folded: refuse_all(entry, &problem) };
                }
            };
            let current = stored.as_ref().map(|stored| &stored.state);
            let calibration = self.calibrations.get(&entry.device);
            let folded = fold(&entry.device, current, &entry.arrivals, calibration, &self.ingest.catalogue);
            Attempt { device: entry, stored, folded }
        };
        group.iter().zip(rows).map(fold_one).collect()
    }

    async fn keep_refusals(&self, attempts: &[Attempt<'_>]) -> Result<(), StoreError> {
        let refusals: Vec<_> = attempts
            .iter()
            .flat_map(|attempt| attempt.folded.refused.iter().map(move |refused| (attempt, refused)))
            .map(|(attempt, (at, fault))| {
                let arrival = &attempt.device.arrivals[*at];
                let event = &self.events[arrival.event];
                refusal(event, arrival.index, arrival.span.clone(), fault.clone(), self.invocation.now)
            })
            .collect();
        match refusals.is_empty() {
            true => Ok(()),
            false => self.ingest.store.refuse(&refusals, self.deadline).await,
        }
    }

    fn writes(&self, attempts: &[Attempt<'_>]) -> Vec<Write> {
        let write = |attempt: &Attempt<'_>| {
            let mut state = attempt.folded.next.clone()?;
            state.write_id = self.write_id();
            let expect = match &attempt.stored {
                Some(stored) => Expect::At(stored.revision.clone()),
                None => Expect::Absent,
            };
            Some(Write { state, expect })
        };
        attempts.iter().filter_map(write).collect()
    }

    /// The same for every try of this invocation: whichever of them was applied, all events are in.
    fn write_id(&self) -> String {
        format!("{:016x}", self.invocation.seed)
    }

    async fn commit(&self, shard: Shard, writes: &[Write]) -> Result<(), CommitError> {
        match writes.is_empty() {
            true => Ok(()),
            false => self.ingest.store.commit(shard, writes, self.deadline).await.map(drop),
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

    /// Whether a try of this invocation was applied although it did not say so. A transaction is all or nothing, so one
    /// row with our write id stands for the group.
    fn was_written(&self, writes: &[Write], group: &[DeviceArrivals], rows: &[Loaded]) -> bool {
        let ours = self.write_id();
        group.iter().zip(rows).any(|(entry, row)| {
            let written = writes.iter().any(|write| write.state.device == entry.device);
            written && matches!(row, Loaded::Found(stored) if stored.state.write_id == ours)
        })
    }
}

/// Nothing can be counted for a device whose row cannot be read; its readings are kept as refused.
fn refuse_all(entry: &DeviceArrivals, problem: &str) -> Folded {
    let fault = Fault {
        reason: Reason::DamagedState,
        detail: format!("the row of this device cannot be read, repair it and send again: {problem}"),
        device: Some(entry.device.to_string()),
    };
    let refused = (0..entry.arrivals.len()).map(|at| (at, fault.clone())).collect();
    Folded { next: None, accepted: 0, skipped: 0, refused }
}

/// The group as it now stands in the store: what was written, and for the others what was there.
fn settled(attempts: Vec<Attempt<'_>>, writes: &[Write]) -> Settled {
    let mut settled = Settled::default();
    let mut written = writes.iter();
    for attempt in attempts {
        settled.accepted += attempt.folded.accepted;
        settled.skipped += attempt.folded.skipped;
        settled.refused += attempt.folded.refused.len();
        let state = match attempt.folded.next {
            Some(_) => written.next().map(|write| write.state.clone()),
            None => attempt.stored.map(|stored| stored.state),
        };
        settled.states.extend(state);
    }
    settled
}
