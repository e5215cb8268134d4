//! Who delivers which partition, and up to where it is known to be delivered. What an owner does is not of interest here:
//! whoever holds the other end of the channel starts it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::owner::Owner;
use crate::scenario::Moment;
use crate::world::World;

/// Owners and checkpoints.
pub(super) struct Ownership {
    world: Arc<World>,
    state: Mutex<State>,
    /// Per partition, whether everything in it was taken once.
    taken: Vec<watch::Sender<bool>>,
    begins: UnboundedSender<Arc<Owner>>,
}

struct State {
    /// Per partition, the first message that no checkpoint covers.
    checkpoints: Vec<usize>,
    /// Everybody who delivers.
    owners: Vec<Arc<Owner>>,
}

impl Ownership {
    /// Nobody owns anything. New owners are sent to `begins`.
    pub(super) fn new(world: &Arc<World>, begins: UnboundedSender<Arc<Owner>>) -> Ownership {
        let checkpoints = vec![0; world.workload.partitions.len()];
        let taken = checkpoints.iter().map(|_| watch::Sender::new(false)).collect();
        let state = Mutex::new(State { checkpoints, owners: Vec::new() });
        Ownership { world: Arc::clone(world), state, taken, begins }
    }

    /// An instance begins to deliver a partition from its checkpoint.
    pub(super) fn own(&self, partition: usize, instance: usize) {
        let owner = {
            let mut state = self.state();
            let owner = Arc::new(Owner::new(partition, instance, state.checkpoints[partition]));
            state.owners.push(Arc::clone(&owner));
            owner
        };
        let from = owner.from;
        self.world.tell(|| format!("host: instance {instance} delivers partition {partition} from {from}"));
        // At the end of a run nobody starts owners any more.
        let _ = self.begins.send(owner);
    }

    /// Another instance takes over; the old owner notices after `overlap`.
    pub(super) fn steal(&self, partition: usize, overlap: Moment) {
        let Some(owner) = self.owner(partition) else { return };
        self.world.injected("two owners of a partition");
        owner.stop_at(self.world.instant(self.world.now() + overlap));
        self.own(partition, self.next(owner.instance));
    }

    /// The owner begins again from an older checkpoint.
    pub(super) fn replay(&self, partition: usize, back: u64) {
        let Some(owner) = self.owner(partition) else { return };
        self.world.injected("replay from an older checkpoint");
        owner.stop_at(self.world.instant(self.world.now()));
        let back = usize::try_from(back).expect("small");
        let checkpoint = self.state().checkpoints[partition].saturating_sub(back);
        self.state().checkpoints[partition] = checkpoint;
        self.own(partition, owner.instance);
    }

    /// An instance is gone; what it owned is nobody's.
    pub(super) fn lose(&self, instance: usize) -> Vec<Arc<Owner>> {
        let lost: Vec<Arc<Owner>> =
            self.state().owners.iter().filter(|owner| owner.instance == instance).cloned().collect();
        lost.iter().for_each(|owner| owner.end());
        lost
    }

    /// Partitions that were lost go to other instances, unless somebody has them already.
    pub(super) fn take_over(&self, lost: &[Arc<Owner>]) {
        for owner in lost {
            if self.owner(owner.partition).is_none() {
                self.own(owner.partition, self.next(owner.instance));
            }
        }
    }

    /// An owner has come to its end.
    pub(super) fn forget(&self, owner: &Arc<Owner>) {
        self.state().owners.retain(|other| !Arc::ptr_eq(other, owner));
    }

    pub(super) fn write_checkpoint(&self, partition: usize, next: usize) {
        let before = std::mem::replace(&mut self.state().checkpoints[partition], next);
        if next < before {
            self.world.count("checkpoints that went back");
        }
        if next == self.world.workload.partitions[partition].messages.len() {
            self.taken[partition].send_replace(true);
        }
        self.world.tell(|| format!("host: checkpoint of partition {partition} is {next}"));
    }

    /// Returns when everything in a partition was taken once.
    pub(super) async fn taken(&self, partition: usize) {
        // The sender lives as long as this does.
        let _ = self.taken[partition].subscribe().wait_for(|taken| *taken).await;
    }

    /// Whether everything has been delivered by an owner that stays.
    pub(super) fn is_done(&self) -> bool {
        let partitions = 0..self.state().checkpoints.len();
        let settled = |partition| self.owner(partition).is_some_and(|owner| owner.has_delivered_all());
        let staying = !self.state().owners.iter().any(|owner| owner.is_leaving());
        staying && partitions.into_iter().all(settled)
    }

    /// The owner of a partition that has not been told to stop.
    fn owner(&self, partition: usize) -> Option<Arc<Owner>> {
        let state = self.state();
        state.owners.iter().find(|owner| owner.partition == partition && !owner.is_leaving()).cloned()
    }

    fn next(&self, instance: usize) -> usize {
        (instance + 1) % self.world.workload.instances
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
