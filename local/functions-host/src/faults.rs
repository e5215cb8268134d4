//! Fault injection: makes rare failures of the real service happen, to test that a handler survives them.

mod ticks;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

pub use ticks::Tick;
pub(crate) use ticks::TimerOrder;
use ticks::TimerScript;

/// Fault injection, and stepped delivery of batches and ticks. Every method takes effect from the next batch.
/// Partitions are named by their id. A fault that is used up (a duplicate, a kill, a step, a redelivery) applies to
/// the next batch of any Event Hub function of the app.
#[derive(Debug)]
pub struct Faults {
    script: Mutex<FaultScript>,
    changes: watch::Sender<()>,
}

/// When a planned kill ends the handler. It counts as a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KillMoment {
    /// This long after the last byte of the batch was sent, unless the reply arrives before that.
    AfterSending(Duration),
    /// When the reply has arrived. The reply is discarded, so that the work is done but the host does not know.
    ReplyLost,
}

#[derive(Debug, Default)]
struct FaultScript {
    duplicates: u32,
    overlaps: u32,
    kills: VecDeque<KillMoment>,
    redeliveries: BTreeMap<String, u64>,
    gates: BTreeMap<String, Gate>,
    other_gates: Gate,
    batch_cap: Option<usize>,
    omissions: Omissions,
    delay: Duration,
    timers: TimerScript,
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
pub(crate) struct BatchFaults {
    pub(crate) deliveries: Deliveries,
    pub(crate) kill: Option<KillMoment>,
    pub(crate) delay: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deliveries {
    Once,
    Twice,
    TwiceAtOnce,
}

/// What the reader of a partition does with the batch it has fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Deliver,
    /// Drop the batch, because a redelivery was asked for.
    ReadAnew,
}

/// Metadata keys that a fault leaves out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Omissions {
    pub(crate) metadata: BTreeSet<String>,
    pub(crate) system_properties: BTreeSet<String>,
}

impl Faults {
    pub(crate) fn new() -> Faults {
        Faults { script: Mutex::default(), changes: watch::Sender::new(()) }
    }

    /// Delivers the next batch of any partition a second time after it is done.
    pub fn duplicate_next_batch(&self) {
        self.change(|script| script.duplicates += 1);
    }

    /// Delivers the next batch twice at the same time, as happens while two hosts both own a partition.
    pub fn overlap_next_batch(&self) {
        self.change(|script| script.overlaps += 1);
    }

    /// Reads a partition again from `sequence_number` on, as after the loss of its newer checkpoints. A batch
    /// that is being delivered is finished first.
    pub fn redeliver_from(&self, partition: &str, sequence_number: u64) {
        self.change(|script| {
            script.redeliveries.insert(partition.to_owned(), sequence_number);
        });
    }

    /// Kills the handler during the next batch. Further calls apply to the batches after it, one each.
    pub fn kill_during_next_batch(&self, moment: KillMoment) {
        self.change(|script| script.kills.push_back(moment));
    }

    /// Pauses a partition: a batch that is being delivered is finished, and no further one is started.
    pub fn hold(&self, partition: &str) {
        self.set_gate(partition, Gate::Held { steps: 0 });
    }

    /// Pauses every partition.
    pub fn hold_all(&self) {
        self.change(|script| {
            script.gates.clear();
            script.other_gates = Gate::Held { steps: 0 };
        });
    }

    /// Delivers `batches` more batches of a partition, then pauses it.
    pub fn step(&self, partition: &str, batches: u32) {
        self.change(|script| {
            let steps = match script.gate(partition) {
                Gate::Open => 0,
                Gate::Held { steps } => steps,
            };
            script.gates.insert(partition.to_owned(), Gate::Held { steps: steps.saturating_add(batches) });
        });
    }

    /// Ends the pause of a partition.
    pub fn release(&self, partition: &str) {
        self.set_gate(partition, Gate::Open);
    }

    /// Ends the pause of every partition.
    pub fn release_all(&self) {
        self.change(|script| {
            script.gates.clear();
            script.other_gates = Gate::Open;
        });
    }

    /// Limits how many events a batch may hold, below `maxEventBatchSize`; `None` lifts the limit.
    pub fn cap_batch_size(&self, events: Option<usize>) {
        self.change(|script| script.batch_cap = events.map(|events| events.max(1)));
    }

    /// Leaves these keys out of `Metadata`, e.g. `OffsetStringArray`, which older extensions do not send.
    pub fn omit_metadata<S: Into<String>>(&self, keys: impl IntoIterator<Item = S>) {
        self.change(|script| script.omissions.metadata = keys.into_iter().map(Into::into).collect());
    }

    /// Leaves these keys out of every event's system properties, e.g. `iothub-connection-device-id`.
    pub fn omit_system_properties<S: Into<String>>(&self, keys: impl IntoIterator<Item = S>) {
        self.change(|script| script.omissions.system_properties = keys.into_iter().map(Into::into).collect());
    }

    /// Waits this long before every batch.
    pub fn delay_delivery(&self, delay: Duration) {
        self.change(|script| script.delay = delay);
    }

    /// Lets no timer tick by the clock: from now on they tick when [`Faults::tick`] says so. A call that is under way is
    /// finished.
    pub fn hold_timers(&self) {
        self.change(|script| script.timers.hold(true));
    }

    /// Lets timers tick by the clock again.
    pub fn release_timers(&self) {
        self.change(|script| script.timers.hold(false));
    }

    /// Makes the timer of a function tick once, now or when the ticks before are done.
    pub fn tick(&self, function: &str, tick: Tick) {
        self.change(|script| script.timers.order(function, tick));
    }

    pub(crate) fn timer_order(&self, function: &str) -> TimerOrder {
        self.script().timers.next(function)
    }

    /// Waits until the partition may continue, and uses up one step if it is paused.
    pub(crate) async fn admit(&self, partition: &str) -> Admission {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(admission) = self.script().admit(partition) {
                return admission;
            }
            changes.changed().await.expect("the sender lives in self");
        }
    }

    /// From which position a partition is to be read again, until [`Faults::redelivery_begun`].
    pub(crate) fn redelivery(&self, partition: &str) -> Option<u64> {
        self.script().redeliveries.get(partition).copied()
    }

    pub(crate) fn redelivery_begun(&self, partition: &str, position: u64) {
        let mut script = self.script();
        if script.redeliveries.get(partition) == Some(&position) {
            script.redeliveries.remove(partition);
        }
    }

    pub(crate) fn next_batch_faults(&self) -> BatchFaults {
        let mut script = self.script();
        let deliveries = if take_one(&mut script.overlaps) {
            Deliveries::TwiceAtOnce
        } else if take_one(&mut script.duplicates) {
            Deliveries::Twice
        } else {
            Deliveries::Once
        };
        BatchFaults { deliveries, kill: script.kills.pop_front(), delay: script.delay }
    }

    pub(crate) fn batch_cap(&self) -> usize {
        self.script().batch_cap.unwrap_or(usize::MAX)
    }

    pub(crate) fn omissions(&self) -> Omissions {
        self.script().omissions.clone()
    }

    /// Notified of every change of the script.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changes.subscribe()
    }

    fn set_gate(&self, partition: &str, gate: Gate) {
        self.change(|script| {
            script.gates.insert(partition.to_owned(), gate);
        });
    }

    fn change(&self, change: impl FnOnce(&mut FaultScript)) {
        change(&mut self.script());
        self.changes.send_replace(());
    }

    fn script(&self) -> MutexGuard<'_, FaultScript> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FaultScript {
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
