//! One handler: the real app behind the real routes, with a life that can end at any await point.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Request, StatusCode};
use fieldcast::app::{App, router};
use fieldcast::https::{Peers, client};
use fieldcast::ingestion::{Ingest, Invocation, Known};
use fieldcast::primitives::instant::Millis;
use fieldcast::screens::publish::Watched;
use fieldcast::settings::Callers;
use fieldcast::store::StateStore;
use fieldcast::store::shard::Shards;
use fieldcast::telemetry::calibration::CalibrationCache;
use fieldcast_signalr::{Endpoint, HubClient, HubName};
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::ServiceExt;

use crate::plan::Moment;
use crate::protection::Weakened;
use crate::publisher::SimulatedPublisher;
use crate::screens::Screens;
use crate::store::{SimulatedStore, Writes};
use crate::workload::HUB_EPOCH;
use crate::world::World;

/// How long a handler believes the calibrations that it read.
const CALIBRATIONS_LAST: Duration = Duration::from_secs(5);

/// Never connected to: clients sign in nowhere here.
const SIGNALR: &str =
    "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";

/// Made once: it reads the list of certificate authorities.
static HTTP: LazyLock<reqwest::Client> =
    LazyLock::new(|| client(Peers::Local).expect("a client without connections can be made"));

/// A place where a handler runs, is killed, and is started again.
pub(crate) struct Instance {
    pub(crate) number: usize,
    world: Arc<World>,
    screens: Arc<Screens>,
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
    pub(crate) fn new(number: usize, world: &Arc<World>, screens: &Arc<Screens>) -> Instance {
        let instance = Instance {
            number,
            world: Arc::clone(world),
            screens: Arc::clone(screens),
            life: Mutex::new(Life { running: None, paused_until: 0 }),
            clock: Arc::default(),
        };
        instance.start();
        instance
    }

    /// Starts a handler that remembers nothing.
    pub(crate) fn start(&self) {
        let writes = Arc::new(Writes::default());
        let hub = HubClient::new(
            HTTP.clone(),
            Endpoint::parse(SIGNALR).expect("the endpoint is well formed"),
            HubName::new("enviromon").expect("the name is well formed"),
        );
        let app = App {
            ingest: self.ingest(&writes),
            invocations: self.invocations(),
            watched: Arc::new(Watched::new(hub.clone())),
            hub,
            callers: Callers::Anonymous,
        };
        let running = Running { router: router(Arc::new(app)), ended: watch::Sender::new(false), writes };
        self.life().running = Some(running);
    }

    fn ingest(&self, writes: &Arc<Writes>) -> Ingest {
        let store = SimulatedStore { world: Arc::clone(&self.world), writes: Arc::clone(writes) };
        let store: Arc<dyn StateStore> = match self.world.without {
            Some(without) if !without.is_of_screens() => {
                Arc::new(Weakened { store: Arc::new(store), without })
            }
            _ => Arc::new(store),
        };
        let publisher =
            SimulatedPublisher { world: Arc::clone(&self.world), screens: Arc::clone(&self.screens) };
        Ingest {
            store,
            publisher: Arc::new(publisher),
            catalogue: Arc::clone(&self.world.catalogue),
            calibrations: CalibrationCache::new(CALIBRATIONS_LAST),
            shards: Shards::new("Sydney", self.world.workload.shards),
            known: Known::default(),
        }
    }

    /// Time and dice of this instance's invocations.
    fn invocations(&self) -> fieldcast::ingestion::Invocations {
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
    ) -> Result<(StatusCode, Bytes), Gone> {
        let running = self.life().running.clone().ok_or(Gone)?;
        let mut ended = running.ended.subscribe();
        let mut work = pin!(async {
            let response =
                running.router.clone().oneshot(request).await.unwrap_or_else(|never| match never {});
            let status = response.status();
            let body = to_bytes(response.into_body(), usize::MAX).await.expect("the body is in memory");
            (status, body)
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
