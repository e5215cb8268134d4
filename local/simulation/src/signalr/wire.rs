//! The way from a handler to the service and back. A call is sent, it is done later or never, and it is answered later or
//! never, whether or not the handler that made it still lives.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, Response, StatusCode};
use fieldcast_signalr::{Transport, TransportError};
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::call::{RestCall, answer, throttled};
use super::service::SignalR;
use crate::plan::{Fault, Outage, SignalRTrouble};

/// One handler's way to the service.
pub(crate) struct Wire(pub(crate) Arc<SignalR>);

type Answer = Result<Response<Bytes>, TransportError>;

impl Transport for Wire {
    fn exchange(&self, request: Request<Bytes>, deadline: Instant) -> BoxFuture<'_, Answer> {
        Box::pin(self.exchange(request, deadline))
    }
}

impl Wire {
    async fn exchange(&self, request: Request<Bytes>, deadline: Instant) -> Answer {
        let Some(call) = RestCall::read(&request) else {
            let detail = format!("{} {}", request.method(), request.uri());
            self.0.world.violated("SignalR Service knows every call", detail);
            return Ok(answer(StatusCode::BAD_REQUEST));
        };
        // As with an HTTP client whose time is up: nothing is sent.
        if deadline <= Instant::now() {
            return Err(TransportError::TimedOut("no time was left".into()));
        }
        let (answer, heard) = oneshot::channel();
        let journey = Journey::new(&self.0, &call);
        let (service, under_way) = (Arc::clone(&self.0), self.0.world.begin());
        tokio::spawn(async move {
            if let Some(said) = journey.travel(&service, call).await {
                // The caller may be gone, which is one of the things to be tried.
                let _ = answer.send(said);
            }
            drop(under_way);
        });
        match timeout_at(deadline, heard).await {
            Ok(Ok(said)) => said,
            _ => {
                sleep_until(deadline).await;
                Err(TransportError::TimedOut("no answer in time".into()))
            }
        }
    }
}

/// How one call travels.
struct Journey {
    number: u64,
    there: Duration,
    back: Duration,
    trouble: Option<SignalRTrouble>,
}

impl Journey {
    fn new(service: &SignalR, call: &RestCall) -> Journey {
        let kind = call.kind();
        let (number, trouble) = service.world.faults.signalr_call(kind);
        let mut dice = service.world.dice("call", number.wrapping_mul(8) + kind as u64);
        if let Some(trouble) = trouble {
            service.world.injected(Fault::SignalR { call: kind, number, trouble }.kind());
        }
        let mut some = || Duration::from_millis(dice.between(1, 15));
        Journey { number, there: some(), back: some(), trouble }
    }

    /// There, the work, and back; `None` when no answer ever comes.
    async fn travel(self, service: &Arc<SignalR>, call: RestCall) -> Option<Answer> {
        sleep(self.there).await;
        if let Some((manner, ends, kind)) = service.world.faults.signalr_outage(service.world.now()) {
            service.world.injected(kind);
            return match manner {
                Outage::Throttled => Some(Ok(throttled((ends - service.world.now()).div_ceil(1_000)))),
                Outage::Failing => Some(Ok(answer(StatusCode::INTERNAL_SERVER_ERROR))),
                Outage::Unavailable => Some(Ok(answer(StatusCode::SERVICE_UNAVAILABLE))),
                Outage::Silent => None,
                Outage::Unreachable => Some(Err(TransportError::NotConnected("nobody listens".into()))),
            };
        }
        let said = match self.trouble {
            Some(SignalRTrouble::TimeoutBefore) => return None,
            Some(SignalRTrouble::Unavailable) => answer(StatusCode::SERVICE_UNAVAILABLE),
            Some(SignalRTrouble::Throttled(seconds)) => throttled(seconds),
            trouble => service.perform(call, self.number, trouble),
        };
        sleep(self.back).await;
        match self.trouble {
            Some(SignalRTrouble::SlowAnswer(delay)) => {
                sleep(Duration::from_millis(delay)).await;
                Some(Ok(said))
            }
            Some(SignalRTrouble::DoneButFails) => Some(Ok(answer(StatusCode::INTERNAL_SERVER_ERROR))),
            Some(SignalRTrouble::LostAnswer) => Some(Err(TransportError::CutOff("told to break".into()))),
            _ => Some(Ok(said)),
        }
    }
}
