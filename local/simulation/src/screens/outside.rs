//! What is outside of a screen: the way to the functions, the way to SignalR Service, and what breaks on either.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{Request, Response, StatusCode};
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use super::network::Network;
use crate::browser::Step;
use crate::plan::Outage;
use crate::scenario::Moment;
use crate::signalr::{Connection, SignalR};
use crate::world::World;

/// How an HTTP call reaches a handler; nothing when the handler is gone.
pub(crate) type Forward =
    Arc<dyn Fn(Request<Body>) -> BoxFuture<'static, Option<Response<Bytes>>> + Send + Sync>;

/// The longest time until the service notices that the other end of a connection is gone: it pings every 15 s.
const NOTICES_WITHIN: Moment = 30_000;

/// Networks of all screens.
pub(super) struct Outside {
    world: Arc<World>,
    signalr: Arc<SignalR>,
    forward: Forward,
    networks: Mutex<Vec<Network>>,
    /// Journeys so far, for their dice.
    journeys: AtomicU64,
}

/// Why there is no connection.
pub(super) enum NoConnection {
    /// Nobody says so: it takes for ever.
    Silence,
    /// A step failed, with this status or without an answer.
    Failed(Step, Option<u16>),
}

impl Outside {
    pub(super) fn new(world: &Arc<World>, signalr: &Arc<SignalR>, forward: Forward) -> Outside {
        let networks = world.workload.screens.iter().map(|_| Network::default()).collect();
        Outside {
            world: Arc::clone(world),
            signalr: Arc::clone(signalr),
            forward,
            networks: Mutex::new(networks),
            journeys: AtomicU64::new(0),
        }
    }

    /// An HTTP call to the functions; nothing when there is no answer.
    pub(super) async fn fetch(
        &self,
        screen: usize,
        method: &str,
        path: &str,
        body: Option<String>,
    ) -> Option<Response<Bytes>> {
        let breaks = self.networks()[screen].breaks;
        let (there, back, polite) = self.journey();
        sleep(there).await;
        if self.networks()[screen].is_offline(self.world.now()) {
            return None;
        }
        let body = body.map_or_else(Body::empty, Body::from);
        let request = Request::builder().method(method).uri(path).body(body);
        let answer = (self.forward)(request.expect("the page's calls are well formed")).await;
        sleep(back).await;
        if self.networks()[screen].breaks > breaks {
            return None;
        }
        // The host says that it has no handler, or is gone with it.
        answer.or_else(|| polite.then(unavailable))
    }

    /// A connection to SignalR Service, as the functions say where it is.
    pub(super) async fn connect(&self, screen: usize, connection: u64) -> Result<Connection, NoConnection> {
        let breaks = self.networks()[screen].breaks;
        let negotiated = self.fetch(screen, "POST", "/api/negotiate?negotiateVersion=1", None).await;
        match negotiated.map(|answer| answer.status()) {
            Some(StatusCode::OK) => {}
            status => {
                let status = status.map(|status| status.as_u16());
                return Err(NoConnection::Failed(Step::Negotiate, status));
            }
        }
        let (there, back, _) = self.journey();
        sleep(there).await;
        if let Some((manner, _, kind)) = self.world.faults.signalr_outage(self.world.now()) {
            self.world.injected(kind);
            return Err(match manner {
                Outage::Unavailable => NoConnection::Failed(Step::Push, Some(503)),
                Outage::Silent => NoConnection::Silence,
                Outage::Unreachable => NoConnection::Failed(Step::Push, None),
                Outage::Throttled => NoConnection::Failed(Step::Push, Some(429)),
                Outage::Failing => NoConnection::Failed(Step::Push, Some(500)),
            });
        }
        let opened = self.signalr.connect();
        sleep(back).await;
        let mut networks = self.networks();
        if networks[screen].breaks > breaks {
            self.signalr.close(&opened.id);
            return Err(NoConnection::Failed(Step::Push, None));
        }
        if !networks[screen].opened(connection, &opened.id) {
            self.signalr.close(&opened.id);
            return Err(NoConnection::Silence);
        }
        Ok(opened)
    }

    /// The page has ended a connection, which the service learns a moment later.
    pub(super) fn end(&self, screen: usize, connection: u64) {
        if let Some(id) = self.networks()[screen].ended(connection) {
            let (there, _, _) = self.journey();
            self.notice(id, there);
        }
    }

    /// A screen's network breaks; the connections that it has lost. The service notices that on its own.
    pub(super) fn disconnect(&self, screen: usize, until: Moment) -> Vec<u64> {
        let lost = self.networks()[screen].break_until(until);
        for id in lost.values() {
            let mut dice = self.world.dice(&format!("end of {id}"), 0);
            let late = if dice.percent(50) { 0 } else { dice.below(NOTICES_WITHIN) };
            self.notice(id.clone(), Duration::from_millis(late));
        }
        lost.into_keys().collect()
    }

    fn notice(&self, id: String, late: Duration) {
        let signalr = Arc::clone(&self.signalr);
        tokio::spawn(async move {
            sleep(late).await;
            signalr.close(&id);
        });
    }

    /// What is sent to a screen is lost for a while, and nobody notices.
    pub(super) fn deafen(&self, screen: usize, until: Moment) {
        self.networks()[screen].deafen_until(until);
    }

    pub(super) fn is_deaf(&self, screen: usize) -> bool {
        self.networks()[screen].is_deaf(self.world.now())
    }

    /// There and back, and whether a host without a handler says so.
    fn journey(&self) -> (Duration, Duration, bool) {
        let mut dice = self.world.dice("journey", self.journeys.fetch_add(1, Ordering::Relaxed));
        let mut some = || Duration::from_millis(dice.between(1, 60));
        (some(), some(), dice.percent(50))
    }

    fn networks(&self) -> MutexGuard<'_, Vec<Network>> {
        self.networks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unavailable() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    answer
}
