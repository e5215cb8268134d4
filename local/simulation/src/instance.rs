//! One handler: the real app behind the real routes, with a life that can end at any await point.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, Response};
use fieldcast::app::{App, Resources, router};
use fieldcast::devices::rows::DeviceRows;
use fieldcast::host::callers::Callers;
use fieldcast::host::host_json::{Calls, HostJson};
use fieldcast::ingestion::{Ingest, Invocation, RowCache, Sources};
use fieldcast::primitives::instant::Millis;
use fieldcast::rejected::retention::Retention;
use fieldcast::rejected::rows::RejectedRows;
use fieldcast::screens::publish::{GroupOccupancy, Publisher, SignalRPublisher};
use fieldcast::screens::snapshot::Broadcast;
use fieldcast::store::Store;
use fieldcast::store::shard::Shards;
use fieldcast::telemetry::calibration::{CalibrationCache, CalibrationSource};
use fieldcast_signalr::{Endpoint, HubClient, HubName};
use fieldcast_tables::TableStore;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::ServiceExt;

use crate::protection::Protection;
use crate::scenario::{HUB_EPOCH, Moment};
use crate::signalr::{SignalR, Wire};
use crate::store::{SimulatedStore, Writes};
use crate::tables::PARTITION_KEY;
use crate::weakened::{WeakenedPublisher, WeakenedStore};
use crate::world::World;

/// How long a handler believes the calibrations that it read.
const CALIBRATIONS_LAST: Duration = Duration::from_secs(5);

/// Not to be found on any network.
const SIGNALR: &str =
    "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";

/// A place where a handler runs, is killed, and is started again.
pub(crate) struct Instance {
    pub(crate) number: usize,
    world: Arc<World>,
    signalr: Arc<SignalR>,
    /// Pauses between tries of calls to SignalR so far, for their dice.
    pauses: Arc<AtomicU64>,
    life: Mutex<Life>,
    /// Milliseconds by which this instance's clock is wrong.
    clock: Arc<Mutex<i64>>,
}

struct Life {
    running: Option<Running>,
    paused_until: Moment,
}

#[derive(Clone)]
struct Running {
    router: Router,
    ended: watch::Sender<bool>,
    writes: Arc<Writes>,
}

/// The handler was gone, or went while it worked.
#[derive(Debug)]
pub(crate) struct Gone;

impl Instance {
    pub(crate) fn new(number: usize, world: &Arc<World>, signalr: &Arc<SignalR>) -> Instance {
        let instance = Instance {
            number,
            world: Arc::clone(world),
            signalr: Arc::clone(signalr),
            pauses: Arc::default(),
            life: Mutex::new(Life { running: None, paused_until: 0 }),
            clock: Arc::default(),
        };
        instance.start();
        instance
    }

    /// Starts a handler that remembers nothing.
    pub(crate) fn start(&self) {
        let writes = Arc::new(Writes::default());
        let hub = self.hub();
        let occupancy = Arc::new(GroupOccupancy::new(hub.clone()));
        let app = App::new(Resources {
            ingest: self.ingest(&writes, &hub, &occupancy),
            new_invocation: self.new_invocation(),
            retention: Retention::of_days(90),
            occupancy,
            hub,
            host: HostJson { calls: Calls::Forwarded, prefix: "api".to_owned() },
            callers: Callers::Anonymous,
            broadcast: Broadcast::Refused,
        });
        let running = Running { router: router(Arc::new(app)), ended: watch::Sender::new(false), writes };
        self.life().running = Some(running);
    }

    /// The client of SignalR Service, whose requests go to the simulated one.
    fn hub(&self) -> HubClient {
        let endpoint = Endpoint::parse(SIGNALR).expect("the endpoint is well formed");
        let name = HubName::new("enviromon").expect("the name is well formed");
        let wire = Arc::new(Wire(Arc::clone(&self.signalr)));
        let (world, pauses, number) = (Arc::clone(&self.world), Arc::clone(&self.pauses), self.number);
        HubClient::with_transport(wire, endpoint.into(), name).with_jitter(move || {
            let this = pauses.fetch_add(1, Ordering::Relaxed);
            world.dice(&format!("pauses of instance {number}"), this).below(1_000) as f64 / 1_000.0
        })
    }

    fn ingest(&self, writes: &Arc<Writes>, hub: &HubClient, occupancy: &Arc<GroupOccupancy>) -> Ingest {
        let world = &self.world;
        let rows =
            SimulatedStore { world: Arc::clone(world), service: self.service(), writes: Arc::clone(writes) };
        let shards = Shards::new(PARTITION_KEY, world.workload.shards);
        let store = Arc::new(Store::new(Arc::new(rows), shards));
        let calibrations = CalibrationSource::table(Arc::clone(&store), Arc::clone(&world.catalogue));
        let publisher =
            SignalRPublisher::new(hub.clone(), world.workload.publish_mode, Arc::clone(occupancy));
        let publisher: Arc<dyn Publisher> = match world.without {
            Some(Protection::LeftArea) => Arc::new(WeakenedPublisher(publisher)),
            _ => Arc::new(publisher),
        };
        Ingest {
            devices: Arc::new(DeviceRows::new(Arc::clone(&store), Arc::clone(&world.catalogue))),
            rejected: Arc::new(RejectedRows::new(store)),
            calibrations: CalibrationCache::new(calibrations, CALIBRATIONS_LAST),
            sources: Sources::Apart,
            publisher,
            cache: RowCache::default(),
        }
    }

    /// The other end of the handler's way to the store.
    fn service(&self) -> Arc<dyn TableStore> {
        match self.world.without {
            Some(without) if without.is_of_the_store() => Arc::new(WeakenedStore::new(&self.world, without)),
            _ => self.world.tables.service(),
        }
    }

    /// Time and dice of this instance's invocations.
    fn new_invocation(&self) -> fieldcast::ingestion::NewInvocation {
        let (world, clock, number) = (Arc::clone(&self.world), Arc::clone(&self.clock), self.number as u64);
        let count = AtomicU64::new(self.world.now() << 16);
        Arc::new(move || {
            let wrong_by = *clock.lock().unwrap_or_else(PoisonError::into_inner);
            let now = HUB_EPOCH + i64::try_from(world.now()).expect("a run is short") + wrong_by;
            let this = count.fetch_add(1, Ordering::Relaxed);
            Invocation { now: Millis(now), seed: world.dice("invocation", this * 16 + number).any() }
        })
    }

    pub(crate) fn is_up(&self) -> bool {
        self.life().running.is_some()
    }

    pub(crate) fn pause(&self, until: Moment) {
        self.life().paused_until = until;
    }

    pub(crate) fn jump(&self, by: i64) {
        *self.clock.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Ends the handler with everything in it; what it had sent is on its way.
    pub(crate) fn kill(&self) {
        let Some(running) = self.life().running.take() else { return };
        if let Some(left_behind) = running.writes.left_behind() {
            self.world.count(left_behind);
        }
        running.ended.send_replace(true);
    }

    /// Calls the handler. `doomed` is asked at each poll of it and after it, and may end the handler there.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        doomed: impl Fn(PollMoment) -> bool,
    ) -> Result<Response<Bytes>, Gone> {
        let running = self.life().running.clone().ok_or(Gone)?;
        let mut ended = running.ended.subscribe();
        let mut work = pin!(async {
            let response =
                running.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("the body is in memory");
            Response::from_parts(parts, body)
        });
        let mut nap: Option<Pin<Box<Sleep>>> = None;
        let mortal = poll_fn(|context| {
            if self.sleeps(&mut nap, context) {
                return Poll::Pending;
            }
            if doomed(PollMoment::Before) {
                return Poll::Ready(Err(Gone));
            }
            let polled = work.as_mut().poll(context);
            match doomed(PollMoment::After) {
                true => Poll::Ready(Err(Gone)),
                false => polled.map(Ok),
            }
        });
        tokio::select! {
            biased;
            _ = ended.wait_for(|ended| *ended) => Err(Gone),
            answer = mortal => answer,
        }
    }

    /// Whether the instance is paused; if so, the caller is woken at its end.
    fn sleeps(&self, nap: &mut Option<Pin<Box<Sleep>>>, context: &mut Context<'_>) -> bool {
        let until = self.world.instant(self.life().paused_until);
        if Instant::now() >= until {
            return false;
        }
        let nap = nap.insert(Box::pin(sleep_until(until)));
        nap.as_mut().poll(context).is_pending()
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Before or after a poll of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PollMoment {
    /// The poll has not happened.
    Before,
    /// The poll has happened.
    After,
}
