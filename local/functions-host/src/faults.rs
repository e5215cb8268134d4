//! The rare moments of the real service, on demand: for tests and for showing that a handler survives them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

use crate::envelope::Omissions;

/// Fault injection and stepped delivery for Event Hub triggers. Every method takes effect from the next
/// batch. Partitions are named by their id. What is used up (a duplicate, a kill, a step, a redelivery) meets
/// the first batch that comes, so an app with several Event Hub functions shares it.
#[derive(Debug)]
pub struct Faults {
    plan: Mutex<Plan>,
    changes: watch::Sender<()>,
}

/// When a planned kill strikes the handler. It counts as a crash of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KillMoment {
    /// This long after the last byte of the batch was sent. A reply that comes sooner counts as usual.
    AfterSending(Duration),
    /// When the reply has come, which is then thrown away: the work is done and the host does not know.
    ReplyLost,
}

#[derive(Debug, Default)]
struct Plan {
    duplicates: u32,
    overlaps: u32,
    kills: VecDeque<KillMoment>,
    redeliveries: BTreeMap<String, u64>,
    gates: BTreeMap<String, Gate>,
    other_gates: Gate,
    batch_cap: Option<usize>,
    omissions: Omissions,
    delay: Duration,
}

#[derive(Clone, Copy, Debug, Default)]
enum Gate {
    #[default]
    Open,
    /// Closed after this many more batches.
    Held { steps: u32 },
}

/// What happens to one batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchPlan {
    pub(crate) times: Times,
    pub(crate) kill: Option<KillMoment>,
    pub(crate) delay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Once,
    Twice,
    TwiceAtOnce,
}

/// What a partition with a batch in hand does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Deliver,
    /// Forget the batch: a redelivery is wanted.
    ReadAnew,
}

impl Faults {
    pub(crate) fn new() -> Faults {
        Faults { plan: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Delivers the next batch, of whichever partition, a second time after it is done.
    pub fn duplicate_next_batch(&self) {
        self.change(|plan| plan.duplicates += 1);
    }

    /// Delivers the next batch twice at the same time, as two owners of a partition do for a short while.
    pub fn overlap_next_batch(&self) {
        self.change(|plan| plan.overlaps += 1);
    }

    /// Reads a partition again from `sequence_number` on, as after the loss of its newer checkpoints. A batch
    /// that is being delivered is finished first.
    pub fn redeliver_from(&self, partition: &str, sequence_number: u64) {
        self.change(|plan| {
            plan.redeliveries.insert(partition.to_owned(), sequence_number);
        });
    }

    /// Kills the handler during the next batch; several calls are used up one batch after the other.
    pub fn kill_during_next_batch(&self, moment: KillMoment) {
        self.change(|plan| plan.kills.push_back(moment));
    }

    /// Holds a partition back: a batch that is being delivered is finished, no further one is begun.
    pub fn hold(&self, partition: &str) {
        self.set_gate(partition, Gate::Held { steps: 0 });
    }

    /// Holds every partition back.
    pub fn hold_all(&self) {
        self.change(|plan| {
            plan.gates.clear();
            plan.other_gates = Gate::Held { steps: 0 };
        });
    }

    /// Lets `batches` more batches of a partition through and holds it back after that.
    pub fn step(&self, partition: &str, batches: u32) {
        self.change(|plan| {
            let steps = match plan.gate(partition) {
                Gate::Open => 0,
                Gate::Held { steps } => steps,
            };
            plan.gates.insert(partition.to_owned(), Gate::Held { steps: steps.saturating_add(batches) });
        });
    }

    /// Lets a partition run again.
    pub fn release(&self, partition: &str) {
        self.set_gate(partition, Gate::Open);
    }

    /// Lets every partition run again.
    pub fn release_all(&self) {
        self.change(|plan| {
            plan.gates.clear();
            plan.other_gates = Gate::Open;
        });
    }

    /// Limits how many events a batch may hold, below `maxEventBatchSize`; `None` lifts the limit.
    pub fn cap_batch_size(&self, events: Option<usize>) {
        self.change(|plan| plan.batch_cap = events.map(|events| events.max(1)));
    }

    /// Leaves these keys out of `Metadata`, e.g. `OffsetStringArray`, which older extensions do not send.
    pub fn omit_metadata<S: Into<String>>(&self, keys: impl IntoIterator<Item = S>) {
        self.change(|plan| plan.omissions.metadata = keys.into_iter().map(Into::into).collect());
    }

    /// Leaves these keys out of every event's system properties, e.g. `iothub-connection-device-id`.
    pub fn omit_system_properties<S: Into<String>>(&self, keys: impl IntoIterator<Item = S>) {
        self.change(|plan| plan.omissions.system_properties = keys.into_iter().map(Into::into).collect());
    }

    /// Waits this long before every batch.
    pub fn delay_delivery(&self, delay: Duration) {
        self.change(|plan| plan.delay = delay);
    }

    /// Waits until the partition may go on, and uses up one step of a held one.
    pub(crate) async fn admit(&self, partition: &str) -> Admission {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(admission) = self.plan().admit(partition) {
                return admission;
            }
            changes.changed().await.expect("the sender lives in self");
        }
    }

    /// Where a partition is wanted to be read from again, until [`Faults::redelivery_begun`].
    pub(crate) fn redelivery(&self, partition: &str) -> Option<u64> {
        self.plan().redeliveries.get(partition).copied()
    }

    pub(crate) fn redelivery_begun(&self, partition: &str, position: u64) {
        let mut plan = self.plan();
        if plan.redeliveries.get(partition) == Some(&position) {
            plan.redeliveries.remove(partition);
        }
    }

    pub(crate) fn plan_batch(&self) -> BatchPlan {
        let mut plan = self.plan();
        let times = if take_one(&mut plan.overlaps) {
            Times::TwiceAtOnce
        } else if take_one(&mut plan.duplicates) {
            Times::Twice
        } else {
            Times::Once
        };
        BatchPlan { times, kill: plan.kills.pop_front(), delay: plan.delay }
    }

    pub(crate) fn batch_cap(&self) -> usize {
        self.plan().batch_cap.unwrap_or(usize::MAX)
    }

    pub(crate) fn omissions(&self) -> Omissions {
        self.plan().omissions.clone()
    }

    /// Told on every change of the plan.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn set_gate(&self, partition: &str, gate: Gate) {
        self.change(|plan| {
            plan.gates.insert(partition.to_owned(), gate);
        });
    }

    fn change(&self, change: impl FnOnce(&mut Plan)) {
        change(&mut self.plan());
        self.changes.send_replace(());
    }

    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Plan {
    fn gate(&self, partition: &str) -> Gate {
        self.gates.get(partition).copied().unwrap_or(self.other_gates)
    }

    fn admit(&mut self, partition: &str) -> Option<Admission> {
        if self.redeliveries.contains_key(partition) {
            return Some(Admission::ReadAnew);
        }
        match self.gate(partition) {
            Gate::Open => Some(Admission::Deliver),
            Gate::Held { steps: 0 } => None,
            Gate::Held { steps } => {
                self.gates.insert(partition.to_owned(), Gate::Held { steps: steps - 1 });
                Some(Admission::Deliver)
            }
        }
    }
}

fn take_one(count: &mut u32) -> bool {
    let any = *count > 0;
    *count = count.saturating_sub(1);
    any
}
