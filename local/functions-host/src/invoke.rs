//! Executions of functions by the handler: what is sent, what counts as success, how long it may take.

pub(crate) mod attempts;
pub(crate) mod guid;
pub(crate) mod reply;
pub(crate) mod request;

pub(crate) use guid::Guid;

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header, response::Parts},
};
use thiserror::Error;
use tokio::sync::Notify;

use crate::{
    app::host_json::Forwarding,
    faults::KillMoment,
    handler::{Handler, Line},
    log::LogSink,
    status::StatusBoard,
    wire,
};
use reply::{Reply, Verdict};

/// Why an execution failed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum Failure {
    #[error("no reply from the handler: {0}")]
    NoReply(String),
    #[error("the handler answered {0}")]
    Status(StatusCode),
    #[error("the handler's reply cannot be read: {0}")]
    BadReply(String),
    #[error("the function ran longer than functionTimeout allows")]
    TimedOut,
    #[error("the trigger's value cannot be bound: {0}")]
    NotBound(String),
    #[error("the host has stopped")]
    HostStopped,
}

/// The pause between a time-out and the kill (WebJobs SDK, `TimeoutAttribute.GracePeriod`).
const GRACE: Duration = Duration::from_secs(2);

/// .NET's `HttpClientHandler.MaxAutomaticRedirections`.
const MAX_REDIRECTS: usize = 50;

/// The way to the handler for every trigger.
pub(crate) struct Invoker {
    pub(crate) handler: Arc<Handler>,
    pub(crate) function_timeout: Option<Duration>,
    pub(crate) forwarding: Forwarding,
    pub(crate) log: LogSink,
    pub(crate) status: StatusBoard,
}

impl Invoker {
    /// Executes a function in default mode: the envelope in, the reply object out.
    pub(crate) async fn run(
        &self,
        function: &str,
        envelope: String,
        kill: Option<KillMoment>,
    ) -> Result<Reply, Failure> {
        let line = self.begin().await?;
        let exchange = self.default_exchange(&line, function, Bytes::from(envelope), kill);
        let reply = self.within_timeout(&line, function, exchange).await?;
        reply.logs.iter().for_each(|entry| self.log.info(function, entry));
        Ok(reply)
    }

    /// Executes a function by sending the client's own request on; every answer counts as success.
    pub(crate) async fn forward(
        &self,
        function: &str,
        request: Request<Bytes>,
    ) -> Result<(Parts, Bytes), Failure> {
        let line = self.begin().await?;
        let exchange = async {
            let request = request::address(request, &line).map(Body::from);
            wire::exchange(&line.client, request).await.map_err(Failure::NoReply)
        };
        self.within_timeout(&line, function, exchange).await
    }

    /// Counts an execution whose input could not be bound: it failed before the handler was asked.
    pub(crate) fn refuse(&self, function: &str, problem: String) -> Failure {
        self.status.update(|status| status.invocations += 1);
        let failure = Failure::NotBound(problem);
        self.note(function, &failure);
        failure
    }

    /// Counts an execution whose output could not be used.
    pub(crate) fn reject_output(&self, function: &str, problem: String) -> Failure {
        let failure = Failure::BadReply(problem);
        self.note(function, &failure);
        failure
    }

    async fn begin(&self) -> Result<Line, Failure> {
        let line = self.handler.line().await?;
        self.status.update(|status| status.invocations += 1);
        Ok(line)
    }

    fn note(&self, function: &str, failure: &Failure) {
        self.status.update(|status| status.failures += 1);
        self.log.error(function, format_args!("execution failed: {failure}"));
    }

    /// A function that runs too long takes the whole handler with it, uncounted, after a short grace.
    async fn within_timeout<T>(
        &self,
        line: &Line,
        function: &str,
        exchange: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let mut exchange = pin!(exchange);
        let result = match self.function_timeout {
            None => exchange.await,
            Some(limit) => match tokio::time::timeout(limit, &mut exchange).await {
                Ok(result) => result,
                Err(_) => {
                    self.log.error(function, format!("timed out after {limit:?}; the handler is killed"));
                    // The handler is not told: its request stays open until the kill.
                    tokio::time::sleep(GRACE).await;
                    line.process.kill_uncounted();
                    Err(Failure::TimedOut)
                }
            },
        };
        result.inspect_err(|failure| self.note(function, failure))
    }

    async fn default_exchange(
        &self,
        line: &Line,
        function: &str,
        envelope: Bytes,
        kill: Option<KillMoment>,
    ) -> Result<Reply, Failure> {
        let sent = Arc::new(Notify::new());
        let exchange = self.send_envelope(line, function, &envelope, &sent);
        let (parts, body) = match kill {
            Some(KillMoment::AfterSending(delay)) => {
                let strike = async {
                    sent.notified().await;
                    tokio::time::sleep(delay).await;
                    line.process.kill();
                    std::future::pending::<Infallible>().await
                };
                tokio::select! { reply = exchange => reply?, never = strike => match never {} }
            }
            _ => exchange.await?,
        };
        if kill == Some(KillMoment::ReplyLost) {
            line.process.kill();
            return Err(Failure::NoReply("the reply was lost".to_owned()));
        }
        match reply::judge(parts.status, parts.headers.get(header::CONTENT_TYPE), &body) {
            Verdict::Success(reply) => Ok(reply),
            Verdict::Failed(failure) => Err(failure),
            // The real host never signals completion: only the time-out ends this.
            Verdict::NeverCompletes => {
                self.log
                    .warn(function, "the handler's success reply is empty: the execution cannot complete");
                std::future::pending().await
            }
        }
    }

    /// Posts the envelope; with forwarding off the real host's client also follows redirects.
    async fn send_envelope(
        &self,
        line: &Line,
        function: &str,
        envelope: &Bytes,
        sent: &Arc<Notify>,
    ) -> Result<(Parts, Bytes), Failure> {
        let mut method = Method::POST;
        let mut path = format!("/{function}");
        let invocation = Guid::random();
        for _ in 0..MAX_REDIRECTS {
            let body = (method == Method::POST).then(|| request::chunked(envelope.clone(), sent));
            let request = request::default_mode(line, &method, &path, invocation, body);
            let (parts, body) = wire::exchange(&line.client, request).await.map_err(Failure::NoReply)?;
            let target =
                request::redirect(&parts, &line.authority).filter(|_| self.forwarding == Forwarding::Off);
            let Some(target) = target else {
                return Ok((parts, body));
            };
            path = target;
            if !matches!(parts.status, StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT) {
                method = Method::GET;
            }
        }
        Err(Failure::BadReply("too many redirects".to_owned()))
    }
}
