//! The state that the tasks of a running service share.

use crate::counts::Tally;
use crate::faults::Faults;
use crate::timings::Timings;
use crate::token::{Keys, TokenError};
use crate::upstream::Upstreams;
use crate::wire::reply;
use crate::world::World;
use axum::response::Response;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;

/// The state that tasks share. [`Service::stop`](crate::Service::stop) ends when the last task has dropped it.
pub(crate) struct Shared {
    world: Arc<Mutex<World>>,
    pub(crate) tally: Tally,
    pub(crate) faults: Faults,
    pub(crate) keys: Arc<Keys>,
    pub(crate) timings: Timings,
    pub(crate) upstreams: Arc<Upstreams>,
    _alive: mpsc::Sender<Infallible>,
}

impl Shared {
    pub(crate) fn new(
        keys: Arc<Keys>,
        timings: Timings,
        upstreams: Upstreams,
        alive: mpsc::Sender<Infallible>,
    ) -> Shared {
        let tally = Tally::new();
        let world = Arc::new(Mutex::new(World::new(tally.clone())));
        Shared {
            faults: Faults::new(world.clone()),
            world,
            tally,
            keys,
            timings,
            upstreams: Arc::new(upstreams),
            _alive: alive,
        }
    }

    /// Counts a request without a valid token, and returns the response.
    pub(crate) fn unauthorized(&self, error: &TokenError) -> Response {
        self.tally.add(|counts| counts.unauthorized += 1);
        reply::unauthorized(error)
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
