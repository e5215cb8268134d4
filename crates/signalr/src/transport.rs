//! The boundary to the network: one HTTP request out, one answer back. Everything else, such as tokens, retries and the
//! choice of endpoints, stands above it.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio::time::{Instant, timeout};

/// Bodies of answers are small; reading them to the end lets the connection be used again.
const ANSWER_BYTES: usize = 16 * 1024;

/// The status has decided already, so a body that dawdles is left behind.
const ANSWER_PATIENCE: Duration = Duration::from_secs(1);

/// Carries HTTP requests. [`reqwest::Client`] is one; another one can stand for a service that is not there.
///
/// Contract: the request is sent at most once and as it is; an answer is handed back whatever its status says; the result
/// is there by `deadline`; a call that is dropped may still have arrived.
pub trait Transport: Send + Sync {
    /// Sends a request and waits for its answer. The body of the answer may be cut short: only an error code at its
    /// beginning is of interest.
    fn exchange(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>>;
}

type Source = Box<dyn Error + Send + Sync>;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent, because there was no time left for it or the service is being left alone.
    #[error("no connection was tried")]
    NotTried(#[source] Source),
    /// Nothing was sent.
    #[error("no connection could be made")]
    NotConnected(#[source] Source),
    /// The request may have arrived.
    #[error("no answer came in time")]
    TimedOut(#[source] Source),
    /// The request may have arrived.
    #[error("the connection ended before the answer")]
    CutOff(#[source] Source),
}

impl Transport for reqwest::Client {
    fn exchange(
        &self,
        request: Request<Bytes>,
        deadline: Instant,
    ) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let left = deadline.saturating_duration_since(Instant::now());
            let call = self.request(parts.method, parts.uri.to_string()).headers(parts.headers).timeout(left);
            let call = if body.is_empty() { call } else { call.body(body) };
            let answer = call.send().await.map_err(reqwest::Error::without_url)?;
            Ok(read(answer).await)
        })
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> TransportError {
        let kind = match &error {
            error if error.is_connect() || error.is_builder() => TransportError::NotConnected,
            error if error.is_timeout() => TransportError::TimedOut,
            _ => TransportError::CutOff,
        };
        kind(error.into())
    }
}

async fn read(mut answer: reqwest::Response) -> Response<Bytes> {
    let mut body = Vec::new();
    let reading = async {
        while let Ok(Some(chunk)) = answer.chunk().await {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER_BYTES {
                break;
            }
        }
    };
    // Late, cut or large: what was read is enough, since at worst an error code is missing.
    let _ = timeout(ANSWER_PATIENCE, reading).await;
    let mut whole = Response::new(body.into());
    *whole.status_mut() = answer.status();
    *whole.headers_mut() = std::mem::take(answer.headers_mut());
    whole
}
