//! The I/O rim: one REST call to one endpoint, tried again where that is safe, within its deadline.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::{Instant, sleep, timeout_at};

use crate::answer::Answer;
use crate::endpoint::Endpoint;
use crate::health::{Effort, PATIENCE, Purpose, Record, Sign};
use crate::request::{Access, Request};
use crate::retry;
use crate::send_error::SendError;
use crate::settings::NamedEndpoint;
use crate::token::{TokenError, rest_token};
use crate::transport::{Transport, TransportError};

/// A trial must not hold up the endpoints that work, nor batches; but it has to show something.
const TRIAL: Duration = Duration::from_secs(1);
const _: () = assert!(TRIAL.as_millis() > PATIENCE.as_millis());

/// What calls go out over, and the dice that spread their tries.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) transport: Arc<dyn Transport>,
    /// Gives numbers from 0 to 1.
    pub(crate) jitter: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl Wire {
    pub(crate) fn new(transport: Arc<dyn Transport>) -> Wire {
        Wire { transport, jitter: Arc::new(rand::random::<f64>) }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire(..)")
    }
}

/// An endpoint and what is known about it.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) named: NamedEndpoint,
    record: Mutex<Record>,
    /// For each purpose, held by the call that tries an endpoint in trouble.
    turns: [tokio::sync::Mutex<()>; 2],
}

type Turn<'a> = tokio::sync::MutexGuard<'a, ()>;

impl Route {
    pub(crate) fn new(named: NamedEndpoint) -> Route {
        Route { named, record: Mutex::default(), turns: Default::default() }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call with its tries. An endpoint that wants a rest gets it; of the calls that meet one in trouble, one at a
    /// time tries it, and those that waited for that one go on only if it was answered.
    pub(crate) async fn call(
        &self,
        wire: &Wire,
        request: &Request,
        effort: Effort,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let mut sign = Sign::Nothing;
        let result = match effort {
            Effort::Full => self.tries(wire, request, deadline, &mut sign).await,
            Effort::Trial => self.trial(wire, request, deadline, &mut sign).await,
        };
        self.record().note_call(sign, Instant::now());
        result
    }

    async fn tries(
        &self,
        wire: &Wire,
        request: &Request,
        deadline: Instant,
        sign: &mut Sign,
    ) -> Result<(), SendError> {
        let mut turn = None;
        if self.record().is_in_trouble(request.purpose()) {
            turn = self.turn(request.purpose(), deadline).await?;
            if turn.is_some() {
                return self.trial(wire, request, deadline, sign).await;
            }
        }
        let mut pauses = retry::pauses(&*wire.jitter);
        let mut perhaps_delivered = false;
        loop {
            let Err(error) = self.attempt(wire, request, deadline, sign).await else {
                return Ok(());
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = retry::wait(&error, request.resend, &mut pauses, left);
            perhaps_delivered |= matches!(error, SendError::Unknown { .. });
            let error = if perhaps_delivered { error.after_unknown() } else { error };
            let Some(wait) = wait else { return Err(error) };
            if turn.is_none() {
                match self.turn(request.purpose(), deadline).await {
                    Ok(Some(own)) => turn = Some(own),
                    // Another call tried again meanwhile, and was answered.
                    Ok(None) => continue,
                    Err(_) => return Err(error),
                }
            }
            sleep(wait).await;
        }
    }

    /// Waits until no other call tries an endpoint in trouble: the right to try it, or nothing if it is well again.
    async fn turn(&self, purpose: Purpose, deadline: Instant) -> Result<Option<Turn<'_>>, SendError> {
        let turn = &self.turns[purpose as usize];
        if let Ok(turn) = turn.try_lock() {
            return Ok(Some(turn));
        }
        match timeout_at(deadline, turn.lock()).await {
            Ok(_) if !self.record().is_in_trouble(purpose) => Ok(None),
            _ => Err(SendError::not_tried("the service has just failed another call")),
        }
    }

    /// Once and briefly.
    async fn trial(
        &self,
        wire: &Wire,
        request: &Request,
        deadline: Instant,
        sign: &mut Sign,
    ) -> Result<(), SendError> {
        self.attempt(wire, request, deadline.min(Instant::now() + TRIAL), sign).await
    }

    /// One try. `sign` becomes what it shows, if it shows anything.
    async fn attempt(
        &self,
        wire: &Wire,
        request: &Request,
        deadline: Instant,
        sign: &mut Sign,
    ) -> Result<(), SendError> {
        let begun = Instant::now();
        let rest = self.record().rest(begun);
        if let Some(left) = rest {
            return Err(SendError::resting(left));
        }
        let patience = deadline.saturating_duration_since(begun);
        if patience.is_zero() {
            return Err(SendError::not_tried("no time was left"));
        }
        let result = self.exchange(wire, request, deadline).await;
        let shown = result.as_ref().err().map_or(Sign::Alive, |error| error.sign(patience));
        if shown != Sign::Nothing {
            *sign = shown;
        }
        self.record().note_try(request.purpose(), shown, Instant::now());
        result
    }

    async fn exchange(&self, wire: &Wire, request: &Request, deadline: Instant) -> Result<(), SendError> {
        let call = http_request(&self.named.endpoint, request)?;
        let answer = wire.transport.exchange(call, deadline).await.map_err(SendError::lost)?;
        let (parts, body) = answer.into_parts();
        let answer = Answer::new(parts.status.as_u16(), &parts.headers, &body, SystemTime::now());
        SendError::judge(answer, request.body_length(), &self.named.setting)
    }
}

fn http_request(endpoint: &Endpoint, request: &Request) -> Result<http::Request<Bytes>, SendError> {
    let url = format!("{}{}?{}", endpoint.server_base(), request.path, request.query);
    let mut call = http::Request::builder().method(request.method.clone()).uri(url);
    if request.access == Access::Signed {
        call = call.header(AUTHORIZATION, authorization(endpoint, request, SystemTime::now())?);
    }
    if request.body.is_some() {
        call = call.header(CONTENT_TYPE, "application/json; charset=utf-8");
    }
    let body = request.body.clone().unwrap_or_default();
    // An address that is too long for any request.
    call.body(body).map_err(|error| SendError::lost(TransportError::NotConnected(error.into())))
}

/// The token is for the service's own address, also where the call takes another way there (`ServerEndpoint`).
fn authorization(endpoint: &Endpoint, request: &Request, now: SystemTime) -> Result<HeaderValue, TokenError> {
    let audience = format!("{}{}", endpoint.origin(), request.path);
    let token = rest_token(endpoint.key(), &audience, now)?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is plain ASCII");
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::settings::Endpoints;

    const LONG: Duration = Duration::from_secs(20);

    /// How long a health check takes that never gets an answer.
    async fn unanswered(address: &str, effort: Effort) -> Duration {
        // A second test in this process finds the provider installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().build().expect("a plain client");
        let wire = Wire::new(Arc::new(http));
        let text = format!("Endpoint=http://{address};AccessKey=k");
        let endpoints = Endpoints::from(Endpoint::parse(&text).expect("a good string"));
        let route = endpoints.into_iter().map(Route::new).next().expect("one endpoint");
        let started = Instant::now();
        let request = Request::health();
        let call = tokio::time::timeout(LONG, route.call(&wire, &request, effort, started + LONG));
        call.await.expect("a call keeps to its deadline").expect_err("nobody answers");
        started.elapsed()
    }

    #[tokio::test]
    async fn a_trial_of_a_mute_endpoint_ends_long_before_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener").to_string();
        assert!(unanswered(&address, Effort::Trial).await < LONG / 2);
    }

    #[tokio::test]
    async fn a_trial_is_one_try() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound listener").to_string();
        drop(listener);
        let all_pauses: Duration = retry::pauses(|| 0.0).sum();
        assert!(unanswered(&address, Effort::Full).await >= all_pauses);
        assert!(unanswered(&address, Effort::Trial).await < all_pauses);
    }
}
