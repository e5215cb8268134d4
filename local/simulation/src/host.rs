//! The Functions host, as far as exactness depends on it: one owner per partition delivers batches from the checkpoint,
//! one after the other, each again and again until the handler takes it; then the checkpoint is written. Owners change,
//! overlap and die, and what was not checkpointed is delivered again with other boundaries.

mod delivery;
mod envelope;
mod handlers;
mod owner;
mod ownership;
mod pump;
mod reply;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, Bytes};
use axum::http::{Request, Response};
use tokio::sync::mpsc;

use self::delivery::{Delivery, deliver};
use self::handlers::Handlers;
use self::ownership::Ownership;
use self::pump::Pump;
use crate::instance::{Gone, Instance};
use crate::scenario::Moment;
use crate::workload::Message;
use crate::world::World;

/// The instances and who owns what.
pub(crate) struct Host {
    world: Arc<World>,
    handlers: Arc<Handlers>,
    ownership: Arc<Ownership>,
    /// HTTP calls so far, which go to the instances in turn.
    calls: AtomicU64,
}

impl Host {
    /// Spreads the partitions over the instances, which are up.
    pub(crate) fn start(world: &Arc<World>, instances: Vec<Instance>) -> Host {
        let count = instances.len();
        let (begins, mut beginning) = mpsc::unbounded_channel();
        let ownership = Arc::new(Ownership::new(world, begins));
        let handlers = Arc::new(Handlers::new(world, instances, &ownership));
        let pump = Arc::new(Pump {
            world: Arc::clone(world),
            handlers: Arc::clone(&handlers),
            ownership: Arc::clone(&ownership),
            deliveries: AtomicU64::new(0),
        });
        tokio::spawn(async move {
            while let Some(owner) = beginning.recv().await {
                tokio::spawn(Arc::clone(&pump).run(owner));
            }
        });
        for partition in 0..world.workload.partitions.len() {
            ownership.own(partition, partition % count);
        }
        Host { world: Arc::clone(world), handlers, ownership, calls: AtomicU64::new(0) }
    }

    pub(crate) fn instance(&self, number: usize) -> &Instance {
        self.handlers.instance(number)
    }

    /// Another instance takes a partition over; the old owner notices after `overlap`.
    pub(crate) fn steal(&self, partition: usize, overlap: Moment) {
        self.ownership.steal(partition, overlap);
    }

    /// The owner of a partition begins again from an older checkpoint.
    pub(crate) fn replay(&self, partition: usize, back: u64) {
        self.ownership.replay(partition, back);
    }

    /// Whether everything has been delivered by an owner that stays.
    pub(crate) fn is_done(&self) -> bool {
        self.ownership.is_done()
    }

    /// A person hands events to the function.
    pub(crate) async fn run_by_hand(&self, run: usize) {
        let work = &self.world.workload.manual_runs[run];
        let instance = self.world.dice("manual", run as u64).index(self.world.workload.instances);
        let messages: Vec<&Message> = work.messages.iter().collect();
        self.world.tell(|| format!("manual run {run}: {} events to instance {instance}", messages.len()));
        let envelope = envelope::by_hand(&messages);
        let delivery = Delivery { messages: &messages, envelope, name: "manual run" };
        let taken = deliver(&self.world, &self.handlers, instance, delivery).await;
        self.world.record().manual_runs.insert(run, taken);
    }

    /// A client's HTTP call, forwarded to one instance after the other.
    pub(crate) async fn fetch(&self, request: Request<Body>) -> Result<Response<Bytes>, Gone> {
        let turn = self.calls.fetch_add(1, Ordering::Relaxed) % self.world.workload.instances as u64;
        self.handlers.call(usize::try_from(turn).expect("few instances"), request).await
    }
}
