//! Executes functions in the handler: what is sent, what counts as success, and how long it may take.

pub(crate) mod attempts;
pub(crate) mod reply;
pub(crate) mod request;

use std::{convert::Infallible, future::Future, pin::pin, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, Request, StatusCode, header, response::Parts},
};
use tokio::sync::Notify;

use crate::{
    app::host_json::Forwarding,
    failure::Failure,
    faults::KillMoment,
    guid::Guid,
    handler::{Handler, HandlerConnection},
    log::LogSink,
    status::StatusBoard,
    wire,
};
use reply::{Reply, Verdict};

/// The pause between a time-out and the kill (WebJobs SDK, `TimeoutAttribute.GracePeriod`).
const GRACE: Duration = Duration::from_secs(2);

/// .NET's `HttpClientHandler.MaxAutomaticRedirections`.
const MAX_REDIRECTS: usize = 50;

/// Executes functions for every trigger.
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
        let connection = self.begin().await?;
        let exchange = self.default_exchange(&connection, function, Bytes::from(envelope), kill);
        let reply = self.within_timeout(&connection, function, exchange).await?;
        reply.logs.iter().for_each(|entry| self.log.info(function, entry));
        Ok(reply)
    }

    /// Executes a function by forwarding the client's request. Every response counts as success.
    pub(crate) async fn forward(
        &self,
        function: &str,
        request: Request<Bytes>,
    ) -> Result<(Parts, Bytes), Failure> {
        let connection = self.begin().await?;
        let exchange = async {
            let request = request::address(request, &connection).map(Body::from);
            wire::exchange(&connection.client, request).await.map_err(Failure::NoReply)
        };
        self.within_timeout(&connection, function, exchange).await
    }

    /// Counts an execution whose input could not be bound, so that it failed without a request to the handler.
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

    async fn begin(&self) -> Result<HandlerConnection, Failure> {
        let connection = self.handler.connection().await?;
        self.status.update(|status| status.invocations += 1);
        Ok(connection)
    }

    fn note(&self, function: &str, failure: &Failure) {
        self.status.update(|status| status.failures += 1);
        self.log.error(function, format_args!("execution failed: {failure}"));
    }

    /// When a function runs too long, the host kills the handler after a short grace. This does not count as a crash.
    async fn within_timeout<T>(
        &self,
        connection: &HandlerConnection,
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
                    // The handler is not notified: its request stays open until the kill.
                    tokio::time::sleep(GRACE).await;
                    connection.process.kill_uncounted();
                    Err(Failure::TimedOut)
                }
            },
        };
        result.inspect_err(|failure| self.note(function, failure))
    }

    async fn default_exchange(
        &self,
        connection: &HandlerConnection,
        function: &str,
        envelope: Bytes,
        kill: Option<KillMoment>,
    ) -> Result<Reply, Failure> {
        let sent = Arc::new(Notify::new());
        let exchange = self.send_envelope(connection, function, &envelope, &sent);
        let (parts, body) = match kill {
            Some(KillMoment::AfterSending(delay)) => {
                let strike = async {
                    sent.notified().await;
                    tokio::time::sleep(delay).await;
                    connection.process.kill();
                    std::future::pending::<Infallible>().await
                };
                tokio::select! { reply = exchange => reply?, never = strike => match never {} }
            }
            _ => exchange.await?,
        };
        if kill == Some(KillMoment::ReplyLost) {
            connection.process.kill();
            return Err(Failure::NoReply("the reply was lost".to_owned()));
        }
        match reply::judge(parts.status, parts.headers.get(header::CONTENT_TYPE), &body) {
            Verdict::Success(reply) => Ok(reply),
            Verdict::Failed(failure) => Err(failure),
            // The real host never completes this execution: only the time-out ends it.
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
        connection: &HandlerConnection,
        function: &str,
        envelope: &Bytes,
        sent: &Arc<Notify>,
    ) -> Result<(Parts, Bytes), Failure> {
        let mut method = Method::POST;
        let mut path = format!("/{function}");
        let invocation = Guid::random();
        for _ in 0..MAX_REDIRECTS {
            let body = (method == Method::POST).then(|| request::chunked(envelope.clone(), sent));
            let request = request::default_mode(connection, &method, &path, invocation, body);
            let (parts, body) =
                wire::exchange(&connection.client, request).await.map_err(Failure::NoReply)?;
            let target = request::redirect(&parts, &connection.authority)
                .filter(|_| self.forwarding == Forwarding::Off);
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
