//! The handler process for the rest of the host: a connection to call it through, or the reason why there is none.

pub(crate) mod launch;
mod port;
pub(crate) mod process;
pub(crate) mod restarts;
mod supervise;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::http::Uri;
use tokio::sync::watch;

use crate::{HostError, failure::Failure, log::LogSink, status::StatusBoard, wire::Client};
use launch::Launch;
use process::Process;
use restarts::Restarts;

/// The handler, across all its restarts.
pub(crate) struct Handler {
    launch: Launch,
    initialization_timeout: Duration,
    log: LogSink,
    status: StatusBoard,
    state: watch::Sender<State>,
    current: Mutex<Option<Arc<Process>>>,
    restarts: Mutex<Restarts>,
}

/// How to reach one handler process. The pooled connections end with the process.
#[derive(Clone)]
pub(crate) struct HandlerConnection {
    pub(crate) client: Client,
    pub(crate) authority: Arc<str>,
    pub(crate) process: Arc<Process>,
}

#[derive(Clone)]
enum State {
    /// Started but not ready yet, or about to be restarted.
    Starting,
    Ready(HandlerConnection),
    /// It exited with code 0, which the real host never notices: every call fails from then on.
    Left,
    /// The host ended it or gave up on it, and does not start it again.
    Ended(Shutdown),
}

/// Why the handler was ended for good.
#[derive(Clone, Debug)]
pub(crate) enum Shutdown {
    Stopped,
    GaveUp { reason: String, last_errors: Vec<String> },
}

impl HandlerConnection {
    pub(crate) fn uri(&self, path: &str) -> Uri {
        format!("http://{}{path}", self.authority).parse().unwrap_or_else(|_| {
            format!("http://{}/", self.authority).parse().expect("an address and a slash are a URI")
        })
    }
}

impl Handler {
    pub(crate) fn new(
        launch: Launch,
        initialization_timeout: Duration,
        log: LogSink,
        status: StatusBoard,
    ) -> Handler {
        Handler {
            launch,
            initialization_timeout,
            log,
            status,
            state: watch::Sender::new(State::Starting),
            current: Mutex::new(None),
            restarts: Mutex::new(Restarts::default()),
        }
    }

    /// Waits until the handler is ready for the first time.
    pub(crate) async fn first_ready(&self) -> Result<(), HostError> {
        let failed = |ending: &str, errors| HostError::HandlerFailed { ending: ending.to_owned(), errors };
        match self.settled().await {
            State::Ready(_) => Ok(()),
            State::Left => Err(failed("it exited with code 0", self.last_errors())),
            State::Ended(Shutdown::GaveUp { reason, last_errors }) => Err(failed(&reason, last_errors)),
            State::Starting | State::Ended(Shutdown::Stopped) => Err(failed("it was stopped", Vec::new())),
        }
    }

    /// A connection to the handler. Waits while it restarts.
    pub(crate) async fn connection(&self) -> Result<HandlerConnection, Failure> {
        match self.settled().await {
            State::Ready(connection) => Ok(connection),
            State::Left => Err(self.refused()),
            State::Starting | State::Ended(_) => Err(Failure::HostStopped),
        }
    }

    /// Waits while the handler starts; after four times the initialization timeout the host gives up
    /// (azure-functions-host, `WorkerFunctionInvoker`).
    async fn settled(&self) -> State {
        let mut state = self.state.subscribe();
        if matches!(*state.borrow(), State::Starting) {
            self.log.info("host", "waiting for the handler to be ready");
        }
        let wait = state.wait_for(|state| !matches!(state, State::Starting));
        match tokio::time::timeout(4 * self.initialization_timeout, wait).await {
            Ok(settled) => settled.expect("the sender lives in self").clone(),
            Err(_) => {
                self.give_up("the handler did not become ready while a call waited for it".to_owned());
                self.state.borrow().clone()
            }
        }
    }

    fn refused(&self) -> Failure {
        self.status.update(|status| {
            status.invocations += 1;
            status.failures += 1;
        });
        Failure::NoReply("connection refused: the handler exited with code 0 and is not restarted".to_owned())
    }

    /// Resolves when the host gave up on the handler, and never after an ordinary stop.
    pub(crate) async fn given_up(&self) {
        let mut state = self.state.subscribe();
        let ended = |state: &State| matches!(state, State::Ended(Shutdown::GaveUp { .. }));
        // Waiting cannot fail: the sender lives in self.
        drop(state.wait_for(ended).await);
    }

    /// Resolves when the handler has ended for good, for any reason.
    pub(crate) async fn ended(&self) {
        let mut state = self.state.subscribe();
        drop(state.wait_for(|state| matches!(state, State::Ended(_))).await);
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.current()?.pid()
    }

    /// Kills the handler with SIGKILL, which counts as a crash.
    pub(crate) fn kill(&self) {
        if let Some(process) = self.current() {
            process.kill();
        }
    }

    /// From now on restarts the handler after any number of crashes.
    pub(crate) fn restart_without_limit(&self) {
        self.restarts.lock().unwrap_or_else(PoisonError::into_inner).lift_limit();
    }

    /// Ends the handler for good: kills it with SIGKILL, does not restart it, and fails every waiting call.
    pub(crate) fn stop(&self) {
        self.end(Shutdown::Stopped);
    }

    fn give_up(&self, reason: String) {
        self.log.error("host", format_args!("the host stops: {reason}"));
        self.end(Shutdown::GaveUp { reason, last_errors: self.last_errors() });
    }

    fn end(&self, shutdown: Shutdown) {
        self.state.send_if_modified(|state| {
            let first = !matches!(state, State::Ended(_));
            if first {
                *state = State::Ended(shutdown);
            }
            first
        });
        self.kill();
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(*self.state.borrow(), State::Ended(_))
    }

    fn current(&self) -> Option<Arc<Process>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn last_errors(&self) -> Vec<String> {
        self.current().map(|process| process.last_errors()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, path::Path};

    use super::*;
    use crate::app::{host_json::Description, settings::Settings};

    fn never_started() -> Handler {
        let description = Description {
            executable: "absent".to_owned(),
            arguments: Vec::new(),
            worker_path: None,
            worker_arguments: Vec::new(),
            working_directory: None,
            worker_directory: None,
        };
        let settings = Settings::new(BTreeMap::new());
        let launch = Launch::prepare(Path::new("/"), &description, &settings).unwrap();
        Handler::new(launch, Duration::from_secs(30), LogSink::Quiet, StatusBoard::new())
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_waits_two_minutes_for_a_handler_and_then_the_host_stops() {
        let handler = never_started();
        let begun = tokio::time::Instant::now();
        assert_eq!(handler.connection().await.err(), Some(Failure::HostStopped));
        assert_eq!(begun.elapsed(), Duration::from_secs(120));
        handler.given_up().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_handler_fails_calls_at_once_and_has_not_been_given_up() {
        let handler = never_started();
        handler.stop();
        assert_eq!(handler.connection().await.err(), Some(Failure::HostStopped));
        handler.ended().await;
        assert!(tokio::time::timeout(Duration::from_secs(1), handler.given_up()).await.is_err());
    }
}
