//! The I/O rim: one REST call to one endpoint, tried again where that is safe, within its deadline.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::endpoint::Endpoint;
use crate::health::{Effort, Record, Sign};
use crate::request::{Access, Request};
use crate::retry;
use crate::send_error::SendError;
use crate::settings::NamedEndpoint;
use crate::token::{TokenError, rest_token};
use crate::transport::{Transport, TransportError};

/// A trial must not hold up the endpoints that work.
const TRIAL: Duration = Duration::from_secs(1);

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
}

impl Route {
    pub(crate) fn new(named: NamedEndpoint) -> Route {
        Route { named, record: Mutex::default() }
    }

    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn call(
        &self,
        wire: &Wire,
        request: &Request,
        effort: Effort,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let result = match effort {
            Effort::Full => self.tries(wire, request, deadline).await,
            Effort::Trial => self.attempt(wire, request, deadline.min(Instant::now() + TRIAL)).await,
        };
        let sign = result.as_ref().err().map_or(Sign::Alive, SendError::sign);
        self.record().note(sign, Instant::now());
        result
    }

    async fn tries(&self, wire: &Wire, request: &Request, deadline: Instant) -> Result<(), SendError> {
        let mut pauses = retry::pauses(&*wire.jitter);
        let mut perhaps_delivered = false;
        loop {
            let Err(error) = self.attempt(wire, request, deadline).await else {
                return Ok(());
            };
            let left = deadline.saturating_duration_since(Instant::now());
            let wait = retry::wait(&error, request.resend, &mut pauses, left);
            perhaps_delivered |= matches!(error, SendError::Unknown { .. });
            match wait {
                Some(wait) => sleep(wait).await,
                None if perhaps_delivered => return Err(error.after_unknown()),
                None => return Err(error),
            }
        }
    }

    async fn attempt(&self, wire: &Wire, request: &Request, deadline: Instant) -> Result<(), SendError> {
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
