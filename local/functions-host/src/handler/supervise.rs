//! Supervises the handler: starts it, probes it until it is ready, waits for its end, and decides what follows.

use std::{
    io,
    process::ExitStatus,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Handler, HandlerConnection, State,
    process::Process,
    restarts::{ProcessEnd, RestartDecision},
};
use crate::{HostError, wire};

/// The pause between two readiness probes of the real host.
const PROBE_PAUSE: Duration = Duration::from_millis(25);

impl Handler {
    /// Starts the process. Fails when the program cannot be executed.
    pub(crate) fn start(&self) -> Result<Arc<Process>, HostError> {
        let process = Arc::new(self.launch.start(&self.log)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&process));
        self.status.update(|status| status.handler_starts += 1);
        // A stop between two processes had nothing to kill.
        if self.has_ended() {
            process.kill();
        }
        Ok(process)
    }

    /// Supervises a started process and its successors, until none is started any more.
    pub(crate) async fn supervise(self: Arc<Self>, first: Arc<Process>) {
        let mut process = first;
        loop {
            let end = self.live(&process).await;
            if self.has_ended() {
                return;
            }
            match self.next(end) {
                RestartDecision::Restart => match self.start() {
                    Ok(next) => process = next,
                    // As in the real host, calls wait for a handler that never becomes ready, then the host stops.
                    Err(error) => return self.log.error("host", error),
                },
                RestartDecision::LeaveDead => {
                    self.log.error(
                        "host",
                        "the handler exited with code 0: it is not restarted and every call fails",
                    );
                    return self.become_state(State::Left);
                }
                RestartDecision::StopHost => {
                    return self.give_up(format!("{} was the handler's third error", describe(end)));
                }
            }
        }
    }

    fn next(&self, end: ProcessEnd) -> RestartDecision {
        let next = self.restarts.lock().unwrap_or_else(PoisonError::into_inner).after(end, Instant::now());
        if next == RestartDecision::Restart {
            self.log.warn("host", format_args!("{}; it is restarted", describe(end)));
        }
        next
    }

    /// Follows one process from its start to its end.
    async fn live(&self, process: &Arc<Process>) -> ProcessEnd {
        let probe = tokio::time::timeout(self.initialization_timeout, self.probe(process));
        tokio::select! {
            status = process.ended() => return self.end_of(process, status),
            ready = probe => match ready {
                Ok(connection) => self.become_state(State::Ready(connection)),
                Err(_) => {
                    process.kill();
                    drop(process.ended().await);
                    return ProcessEnd::StartTimedOut;
                }
            },
        }
        let status = process.ended().await;
        let end = self.end_of(process, status);
        if end != ProcessEnd::Exit(Some(0)) {
            self.become_state(State::Starting);
        }
        end
    }

    async fn probe(&self, process: &Arc<Process>) -> HandlerConnection {
        let authority: Arc<str> = format!("127.0.0.1:{}", self.launch.port()).into();
        let client = wire::client();
        while !wire::answers(&client, &authority).await {
            tokio::time::sleep(PROBE_PAUSE).await;
        }
        HandlerConnection { client, authority, process: Arc::clone(process) }
    }

    fn end_of(&self, process: &Process, status: io::Result<ExitStatus>) -> ProcessEnd {
        let code = status.ok().and_then(|status| status.code());
        if process.is_uncounted() {
            return ProcessEnd::FunctionTimedOut;
        }
        let errors = process.last_errors();
        if code != Some(0) && !errors.is_empty() && !self.has_ended() {
            self.log.error("host", format_args!("the handler's last errors: {}", errors.join(" | ")));
        }
        ProcessEnd::Exit(code)
    }

    /// Changes the state, unless the handler was ended for good.
    fn become_state(&self, next: State) {
        self.state.send_if_modified(|state| {
            let alive = !matches!(state, State::Ended(_));
            if alive {
                *state = next;
            }
            alive
        });
    }
}

fn describe(end: ProcessEnd) -> String {
    match end {
        ProcessEnd::Exit(Some(code)) => format!("the handler's exit with code {code}"),
        ProcessEnd::Exit(None) => "the handler's end by a signal".to_owned(),
        ProcessEnd::StartTimedOut => {
            "the handler's start without an answer within initializationTimeout".to_owned()
        }
        ProcessEnd::FunctionTimedOut => "the handler's end after a function time-out".to_owned(),
    }
}
