//! One owner of one partition, delivering.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Host, envelope};
use crate::workload::Message;

/// The `retry` of function.json: without end, from one second to one minute.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The most events of one batch here; small, so that runs have many batches.
const LARGEST_BATCH: u64 = 8;

/// An owner.
pub(super) struct Pump {
    pub(super) partition: usize,
    pub(super) instance: usize,
    /// The first message that it delivers.
    pub(super) from: usize,
    /// When it notices that it is no longer the owner.
    stops: watch::Sender<Option<Instant>>,
    ended: watch::Sender<bool>,
    delivered_all: AtomicBool,
}

impl Pump {
    pub(super) fn new(partition: usize, instance: usize, from: usize) -> Pump {
        Pump {
            partition,
            instance,
            from,
            stops: watch::Sender::new(None),
            ended: watch::Sender::new(false),
            delivered_all: AtomicBool::new(false),
        }
    }

    pub(super) fn stop_at(&self, moment: Instant) {
        self.stops.send_replace(Some(moment));
    }

    /// It dies with its instance.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.stops.borrow().is_some() || *self.ended.borrow()
    }

    pub(super) fn has_delivered_all(&self) -> bool {
        self.delivered_all.load(Ordering::Relaxed)
    }

    fn has_stopped(&self) -> bool {
        self.stops.borrow().is_some_and(|moment| moment <= Instant::now())
    }

    async fn stopped(&self) {
        let mut stops = self.stops.subscribe();
        let told = stops.wait_for(Option::is_some).await.ok().and_then(|moment| *moment);
        if let Some(moment) = told {
            sleep_until(moment).await;
        }
    }
}

impl Host {
    /// The life of an owner.
    pub(super) async fn run(self: Arc<Host>, pump: Arc<Pump>) {
        let mut ended = pump.ended.subscribe();
        tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => {}
            () = self.pump(&pump) => {}
        }
        self.ownership().pumps.retain(|other| !Arc::ptr_eq(other, &pump));
    }

    async fn pump(self: &Arc<Host>, pump: &Pump) {
        let mut next = pump.from;
        while let Some(batch) = self.next_batch(pump, next).await {
            next = batch.end;
            if !self.deliver_until_taken(pump, batch).await {
                return;
            }
            if self.world.faults.checkpoint() {
                self.world.injected("kill: before the checkpoint");
                self.kill(pump.instance, true);
            }
            // Since 6.2.0 of the extension an owner that has lost its partition writes no checkpoint.
            if pump.has_stopped() || *pump.ended.borrow() {
                return;
            }
            self.write_checkpoint(pump.partition, next);
        }
    }

    /// Waits for messages; nothing when the owner stops first.
    async fn next_batch(&self, pump: &Pump, from: usize) -> Option<Range<usize>> {
        let messages = &self.world.workload.partitions[pump.partition].messages;
        let Some(first) = messages.get(from) else {
            pump.delivered_all.store(true, Ordering::Relaxed);
            pump.stopped().await;
            return None;
        };
        tokio::select! {
            biased;
            () = pump.stopped() => return None,
            () = sleep_until(self.world.instant(first.arrives)) => {}
        }
        let now = self.world.now();
        let there = messages[from..].iter().take_while(|message| message.arrives <= now).count();
        let most = self.world.dice("batch", self.next_delivery()).between(1, LARGEST_BATCH);
        let size = there.min(usize::try_from(most).expect("small"));
        Some(from..from + size.max(1))
    }

    /// Delivers a batch until the handler takes it; false when the owner stops first.
    async fn deliver_until_taken(self: &Arc<Host>, pump: &Pump, batch: Range<usize>) -> bool {
        let partition = &self.world.workload.partitions[pump.partition];
        let messages: Vec<&Message> = partition.messages[batch.clone()].iter().collect();
        let name = format!("partition {} events {batch:?}", pump.partition);
        let mut pause = FIRST_PAUSE;
        loop {
            let envelope = envelope::of_partition(partition, &messages);
            if self.deliver(pump.instance, &messages, envelope, &name).await {
                return true;
            }
            self.world.count("batches delivered again after a failure");
            if pump.has_stopped() {
                return false;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
