//! What an owner does: it delivers batches from the checkpoint, each again and again until the handler takes it, and writes
//! the checkpoint then.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{sleep, sleep_until};

use super::delivery::{Delivery, deliver};
use super::envelope;
use super::handlers::Handlers;
use super::owner::Owner;
use super::ownership::Ownership;
use crate::workload::{Message, Partition};
use crate::world::World;

/// The `retry` of function.json: without end, from one second to one minute.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The most events of one batch here; small, so that runs have many batches.
const LARGEST_BATCH: u64 = 8;

/// Delivers for owners.
pub(super) struct Pump {
    pub(super) world: Arc<World>,
    pub(super) handlers: Arc<Handlers>,
    pub(super) ownership: Arc<Ownership>,
    /// Counted over all owners, for the dice of batch sizes.
    pub(super) deliveries: AtomicU64,
}

impl Pump {
    /// The life of an owner.
    pub(super) async fn run(self: Arc<Pump>, owner: Arc<Owner>) {
        tokio::select! {
            biased;
            () = owner.ended() => {}
            () = self.pump(&owner) => {}
        }
        self.ownership.forget(&owner);
    }

    async fn pump(&self, owner: &Owner) {
        let mut next = owner.from;
        while let Some(batch) = self.next_batch(owner, next).await {
            next = batch.end;
            if !self.deliver_until_taken(owner, batch).await {
                return;
            }
            if self.world.faults.checkpoint() {
                self.world.injected("kill: before the checkpoint");
                self.handlers.kill(owner.instance, true);
            }
            // Since 6.2.0 of the extension an owner that has lost its partition writes no checkpoint.
            if owner.has_stopped() || owner.has_ended() {
                return;
            }
            self.ownership.write_checkpoint(owner.partition, next);
        }
    }

    /// Waits for messages; nothing when the owner stops first.
    async fn next_batch(&self, owner: &Owner, from: usize) -> Option<Range<usize>> {
        let Partition { messages, follows, .. } = &self.world.workload.partitions[owner.partition];
        let Some(first) = messages.get(from) else {
            owner.note_delivered_all();
            owner.stopped().await;
            return None;
        };
        tokio::select! {
            biased;
            () = owner.stopped() => return None,
            () = async {
                sleep_until(self.world.instant(first.arrives)).await;
                if let Some(before) = follows {
                    self.ownership.taken(*before).await;
                }
            } => {}
        }
        let now = self.world.now();
        let there = messages[from..].iter().take_while(|message| message.arrives <= now).count();
        let number = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let most = self.world.dice("batch", number).between(1, LARGEST_BATCH);
        let size = there.min(usize::try_from(most).expect("small"));
        Some(from..from + size.max(1))
    }

    /// Delivers a batch until the handler takes it; false when the owner stops first.
    async fn deliver_until_taken(&self, owner: &Owner, batch: Range<usize>) -> bool {
        let partition = &self.world.workload.partitions[owner.partition];
        let messages: Vec<&Message> = partition.messages[batch.clone()].iter().collect();
        let name = format!("partition {} events {batch:?}", owner.partition);
        let mut pause = FIRST_PAUSE;
        loop {
            let envelope = envelope::of_partition(partition, &messages);
            let delivery = Delivery { messages: &messages, envelope, name: &name };
            if deliver(&self.world, &self.handlers, owner.instance, delivery).await {
                return true;
            }
            self.world.count("batches delivered again after a failure");
            if owner.has_stopped() {
                return false;
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}
