//! The Functions host, as far as exactness depends on it: one owner per partition delivers batches from the checkpoint,
//! one after the other, each again and again until the handler takes it; then the checkpoint is written. Owners change,
//! overlap and die, and what was not checkpointed is delivered again with other boundaries.

mod envelope;
mod pump;
mod reply;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use self::pump::Pump;
use crate::instance::{Gone, Instance, PollMoment};
use crate::plan::Moment;
use crate::screens::{Screens, Snapshot};
use crate::workload::Message;
use crate::world::World;

/// The instances and who owns what.
pub(crate) struct Host {
    world: Arc<World>,
    instances: Vec<Instance>,
    ownership: Mutex<Ownership>,
    deliveries: AtomicU64,
}

struct Ownership {
    /// Per partition, the first message that no checkpoint covers.
    checkpoints: Vec<usize>,
    /// Everybody who delivers.
    pumps: Vec<Arc<Pump>>,
}

impl Host {
    /// Starts all instances and spreads the partitions over them.
    pub(crate) fn start(world: &Arc<World>, screens: &Arc<Screens>) -> Arc<Host> {
        let partitions = world.workload.partitions.len();
        let instances =
            (0..world.workload.instances).map(|number| Instance::new(number, world, screens)).collect();
        let host = Arc::new(Host {
            world: Arc::clone(world),
            instances,
            ownership: Mutex::new(Ownership { checkpoints: vec![0; partitions], pumps: Vec::new() }),
            deliveries: AtomicU64::new(0),
        });
        for partition in 0..partitions {
            host.own(partition, partition % host.instances.len());
        }
        host
    }

    pub(crate) fn instance(&self, number: usize) -> &Instance {
        &self.instances[number]
    }

    /// An instance begins to deliver a partition from its checkpoint.
    fn own(self: &Arc<Host>, partition: usize, instance: usize) {
        let mut ownership = self.ownership();
        let pump = Arc::new(Pump::new(partition, instance, ownership.checkpoints[partition]));
        ownership.pumps.push(Arc::clone(&pump));
        let from = pump.from;
        self.world.tell(|| format!("host: instance {instance} delivers partition {partition} from {from}"));
        tokio::spawn(Arc::clone(self).run(pump));
    }

    /// Another instance takes over; the old owner notices after `overlap`.
    pub(crate) fn steal(self: &Arc<Host>, partition: usize, overlap: Moment) {
        let Some(owner) = self.owner(partition) else { return };
        self.world.injected("two owners of a partition");
        owner.stop_at(self.world.instant(self.world.now() + overlap));
        self.own(partition, (owner.instance + 1) % self.instances.len());
    }

    /// The owner begins again from an older checkpoint.
    pub(crate) fn replay(self: &Arc<Host>, partition: usize, back: u64) {
        let Some(owner) = self.owner(partition) else { return };
        self.world.injected("replay from an older checkpoint");
        owner.stop_at(self.world.instant(self.world.now()));
        let back = usize::try_from(back).expect("small");
        {
            let mut ownership = self.ownership();
            ownership.checkpoints[partition] = ownership.checkpoints[partition].saturating_sub(back);
        }
        self.own(partition, owner.instance);
    }

    /// The owner of a partition that has not been told to stop.
    fn owner(&self, partition: usize) -> Option<Arc<Pump>> {
        let ownership = self.ownership();
        ownership.pumps.iter().find(|pump| pump.partition == partition && !pump.is_leaving()).cloned()
    }

    fn write_checkpoint(&self, partition: usize, next: usize) {
        let mut ownership = self.ownership();
        if next < ownership.checkpoints[partition] {
            self.world.count("checkpoints that went back");
        }
        ownership.checkpoints[partition] = next;
        self.world.tell(|| format!("host: checkpoint of partition {partition} is {next}"));
    }

    /// The handler of an instance ends, or the instance as a whole. Handlers come back; partitions move.
    pub(crate) fn kill(self: &Arc<Host>, number: usize, whole: bool) {
        if !self.instances[number].is_up() {
            return;
        }
        self.instances[number].kill();
        let mut dice = self.world.dice("restart", self.world.now() * 16 + number as u64);
        let (restart, rebalance) = (dice.between(50, 4_000), dice.between(500, 15_000));
        let host = Arc::clone(self);
        let under_way = self.world.begin();
        tokio::spawn(async move {
            sleep(Duration::from_millis(restart)).await;
            host.instances[number].start();
            host.world.tell(|| format!("instance {number} has a new handler"));
            drop(under_way);
        });
        if whole {
            self.lose(number, Duration::from_millis(rebalance));
        }
    }

    fn lose(self: &Arc<Host>, number: usize, rebalance: Duration) {
        let lost: Vec<Arc<Pump>> =
            self.ownership().pumps.iter().filter(|pump| pump.instance == number).cloned().collect();
        for pump in &lost {
            pump.end();
        }
        let host = Arc::clone(self);
        let under_way = self.world.begin();
        tokio::spawn(async move {
            sleep(rebalance).await;
            for pump in lost {
                if host.owner(pump.partition).is_none() {
                    host.own(pump.partition, (number + 1) % host.instances.len());
                }
            }
            drop(under_way);
        });
    }

    /// Whether everything has been delivered by an owner that stays.
    pub(crate) fn is_done(&self) -> bool {
        let partitions = 0..self.world.workload.partitions.len();
        let settled = |partition| self.owner(partition).is_some_and(|owner| owner.has_delivered_all());
        let staying = !self.ownership().pumps.iter().any(|pump| pump.is_leaving());
        staying && partitions.into_iter().all(settled)
    }

    /// A person hands events to the function.
    pub(crate) async fn run_by_hand(self: &Arc<Host>, run: usize) {
        let work = &self.world.workload.manual_runs[run];
        let instance = self.world.dice("manual", run as u64).index(self.instances.len());
        let messages: Vec<&Message> = work.messages.iter().collect();
        self.world.tell(|| format!("manual run {run}: {} events to instance {instance}", messages.len()));
        let envelope = envelope::by_hand(&messages);
        let taken = self.deliver(instance, &messages, envelope, "manual run").await;
        self.world.record().manual_runs.insert(run, taken);
    }

    /// One invocation with a batch; whether the handler took it.
    async fn deliver(
        self: &Arc<Host>,
        instance: usize,
        messages: &[&Message],
        envelope: String,
        name: &str,
    ) -> bool {
        let world = &self.world;
        world.count("invocations");
        world.record().tally.add("events delivered", messages.len() as u64);
        let request = Request::post("/EnvironmentEventTrigger").body(Body::from(envelope));
        match self.call(instance, request.expect("the request is well formed")).await {
            Err(Gone) => {
                world.tell(|| format!("{name}: instance {instance} is gone"));
                false
            }
            Ok((StatusCode::OK, body)) => {
                let line = reply::check(world, messages, &body);
                world.tell(|| format!("{name}: instance {instance} says: {line}"));
                true
            }
            Ok((status, body)) => {
                reply::check_failure(world, status, &body);
                world.tell(|| format!("{name}: instance {instance} fails it"));
                false
            }
        }
    }

    /// A snapshot from some instance; nothing when there is none to be had now.
    pub(crate) async fn snapshot(self: &Arc<Host>, turn: usize, query: &str) -> Option<Snapshot> {
        let request = Request::get(format!("/api/getdevicestate?{query}")).body(Body::empty());
        let instance = turn % self.instances.len();
        let (status, body) = self.call(instance, request.expect("the request is well formed")).await.ok()?;
        if status != StatusCode::OK {
            return None;
        }
        let reply: Value = serde_json::from_slice(&body).ok()?;
        let list = |name: &str| reply.get(name).and_then(Value::as_array).cloned();
        Some(Snapshot {
            devices: list("devices")?,
            elsewhere: list("elsewhere").unwrap_or_default(),
            cursor: reply.get("cursor")?.as_str()?.to_owned(),
        })
    }

    /// Calls a handler that may be killed at every poll.
    async fn call(
        self: &Arc<Host>,
        number: usize,
        request: Request<Body>,
    ) -> Result<(StatusCode, Bytes), Gone> {
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

    fn next_delivery(&self) -> u64 {
        self.deliveries.fetch_add(1, Ordering::Relaxed)
    }

    fn ownership(&self) -> MutexGuard<'_, Ownership> {
        self.ownership.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
