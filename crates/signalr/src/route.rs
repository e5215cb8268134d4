//! The I/O rim: one REST call to one endpoint, tried again where that is safe, within its deadline.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use reqwest::Response;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::{Instant, sleep};

use crate::answer::Answer;
use crate::endpoint::Endpoint;
use crate::health::{Effort, Record, Sign};
use crate::request::{Access, Request};
use crate::retry;
use crate::send_error::SendError;
use crate::settings::NamedEndpoint;
use crate::token::{TokenError, rest_token};

/// Bodies of answers are small; reading them to the end lets the connection be used again.
const ANSWER_BYTES: usize = 16 * 1024;

/// The status has decided already, so a body that dawdles is left behind.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// A trial must not hold up the endpoints that work.
const TRIAL: Duration = Duration::from_secs(1);

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
        http: &reqwest::Client,
        request: &Request,
        effort: Effort,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let result = match effort {
            Effort::Full => self.tries(http, request, deadline).await,
            Effort::Trial => self.attempt(http, request, deadline.min(Instant::now() + TRIAL)).await,
        };
        let sign = result.as_ref().err().map_or(Sign::Alive, SendError::sign);
        self.record().note(sign, Instant::now());
        result
    }

    async fn tries(
        &self,
        http: &reqwest::Client,
        request: &Request,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let mut pauses = retry::pauses(rand::random::<f64>);
        let mut perhaps_delivered = false;
        loop {
            let Err(error) = self.attempt(http, request, deadline).await else {
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

    async fn attempt(
        &self,
        http: &reqwest::Client,
        request: &Request,
        deadline: Instant,
    ) -> Result<(), SendError> {
        let endpoint = &self.named.endpoint;
        let url = format!("{}{}?{}", endpoint.server_base(), request.path, request.query);
        let left = deadline.saturating_duration_since(Instant::now());
        let mut call = http.request(request.method.clone(), url).timeout(left);
        if request.access == Access::Signed {
            call = call.header(AUTHORIZATION, authorization(endpoint, request, SystemTime::now())?);
        }
        if let Some(body) = &request.body {
            call = call.header(CONTENT_TYPE, "application/json; charset=utf-8").body(body.clone());
        }
        let response = call.send().await.map_err(SendError::lost)?;
        SendError::judge(answer(response).await, request.body_length(), &self.named.setting)
    }
}

/// The token is for the service's own address, also where the call takes another way there (`ServerEndpoint`).
fn authorization(endpoint: &Endpoint, request: &Request, now: SystemTime) -> Result<HeaderValue, TokenError> {
    let audience = format!("{}{}", endpoint.origin(), request.path);
    let token = rest_token(endpoint.key(), &audience, now)?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).expect("a token is plain ASCII");
    value.set_sensitive(true);
    Ok(value)
}

async fn answer(mut response: Response) -> Answer {
    let mut body = Vec::new();
    let read = async {
        while let Ok(Some(chunk)) = response.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES {
                break;
            }
        }
    };
    // Late, cut or large: what was read is enough, since at worst an error code is missing.
    let _ = tokio::time::timeout(ANSWER_PATIENCE, read).await;
    Answer::new(response.status().as_u16(), response.headers(), &body, SystemTime::now())
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
        let text = format!("Endpoint=http://{address};AccessKey=k");
        let endpoints = Endpoints::from(Endpoint::parse(&text).expect("a good string"));
        let route = endpoints.into_iter().map(Route::new).next().expect("one endpoint");
        let started = Instant::now();
        let request = Request::health();
        let call = tokio::time::timeout(LONG, route.call(&http, &request, effort, started + LONG));
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
