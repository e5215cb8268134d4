//! The handlers of all instances: calling one, and what becomes of it and of its partitions when it dies.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use tokio::time::sleep;

use super::ownership::Ownership;
use crate::instance::{Gone, Instance, PollMoment};
use crate::world::World;

/// All instances.
pub(super) struct Handlers {
    world: Arc<World>,
    instances: Vec<Instance>,
    ownership: Arc<Ownership>,
}

impl Handlers {
    pub(super) fn new(world: &Arc<World>, instances: Vec<Instance>, ownership: &Arc<Ownership>) -> Handlers {
        Handlers { world: Arc::clone(world), instances, ownership: Arc::clone(ownership) }
    }

    pub(super) fn instance(&self, number: usize) -> &Instance {
        &self.instances[number]
    }

    /// Calls a handler that may be killed at every poll.
    pub(super) async fn call(
        self: &Arc<Handlers>,
        number: usize,
        request: Request<Body>,
    ) -> Result<Response<Bytes>, Gone> {
        let death = Mutex::new(None);
        let doomed = |moment| {
            let mut death = death.lock().unwrap_or_else(PoisonError::into_inner);
            if moment == PollMoment::Before {
                *death = self.world.faults.poll();
            }
            let Some(death) = death.filter(|death| death.after == (moment == PollMoment::After)) else {
                return false;
            };
            self.world.injected(if death.instance { "kill: instance" } else { "kill: handler" });
            self.kill(number, death.instance);
            true
        };
        self.instances[number].call(request, doomed).await
    }

    /// The handler of an instance ends, or the instance as a whole. Handlers come back; partitions move.
    pub(super) fn kill(self: &Arc<Handlers>, number: usize, whole: bool) {
        if !self.instances[number].is_up() {
            return;
        }
        self.instances[number].kill();
        let mut dice = self.world.dice("restart", self.world.now() * 16 + number as u64);
        let (restart, rebalance) = (dice.between(50, 4_000), dice.between(500, 15_000));
        let handlers = Arc::clone(self);
        self.later(restart, move || handlers.restart(number));
        if whole {
            let (lost, ownership) = (self.ownership.lose(number), Arc::clone(&self.ownership));
            self.later(rebalance, move || ownership.take_over(&lost));
        }
    }

    fn restart(&self, number: usize) {
        self.instances[number].start();
        self.world.tell(|| format!("instance {number} has a new handler"));
    }

    fn later(&self, milliseconds: u64, work: impl FnOnce() + Send + 'static) {
        let under_way = self.world.begin();
        tokio::spawn(async move {
            sleep(Duration::from_millis(milliseconds)).await;
            work();
            drop(under_way);
        });
    }
}
