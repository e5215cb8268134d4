//! The life of the handler: start, probe until ready, wait for its end, decide what follows.

use std::{
    io,
    process::ExitStatus,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use super::{
    Handler, Line, State,
    process::Process,
    restarts::{End, Next},
};
use crate::{HostError, wire};

/// The pause between two readiness probes of the real host.
const PROBE_PAUSE: Duration = Duration::from_millis(25);

impl Handler {
    /// Starts the process; an error means that it cannot be executed at all.
    pub(crate) fn start(&self) -> Result<Arc<Process>, HostError> {
        let process = Arc::new(self.launch.start(&self.log)?);
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&process));
        self.status.update(|status| status.handler_starts += 1);
        // A stop that came between two incarnations found nothing to kill.
        if self.has_ended() {
            process.kill();
        }
        Ok(process)
    }

    /// Watches over a started process and its successors until there is nothing more to start.
    pub(crate) async fn supervise(self: Arc<Self>, first: Arc<Process>) {
        let mut process = first;
        loop {
            let end = self.live(&process).await;
            if self.has_ended() {
                return;
            }
            match self.next(end) {
                Next::Restart => match self.start() {
                    Ok(next) => process = next,
                    // As in the real host: calls wait for a handler that never comes, then the host stops.
                    Err(error) => return self.log.error("host", error),
                },
                Next::LeaveDead => {
                    self.log.error(
                        "host",
                        "the handler exited with code 0: it is not restarted and every call fails",
                    );
                    return self.become_state(State::Left);
                }
                Next::StopHost => {
                    return self.give_up(format!("{} was the handler's third error", describe(end)));
                }
            }
        }
    }

    fn next(&self, end: End) -> Next {
        let next = self.restarts.lock().unwrap_or_else(PoisonError::into_inner).after(end, Instant::now());
        if next == Next::Restart {
            self.log.warn("host", format_args!("{}; it is restarted", describe(end)));
        }
        next
    }

    /// One incarnation from its start to its end.
    async fn live(&self, process: &Arc<Process>) -> End {
        let probe = tokio::time::timeout(self.initialization_timeout, self.probe(process));
        tokio::select! {
            status = process.ended() => return self.end_of(process, status),
            ready = probe => match ready {
                Ok(line) => self.become_state(State::Ready(line)),
                Err(_) => {
                    process.kill();
                    drop(process.ended().await);
                    return End::StartTimedOut;
                }
            },
        }
        let status = process.ended().await;
        let end = self.end_of(process, status);
        if end != End::Exit(Some(0)) {
            self.become_state(State::Starting);
        }
        end
    }

    async fn probe(&self, process: &Arc<Process>) -> Line {
        let authority: Arc<str> = format!("127.0.0.1:{}", self.launch.port()).into();
        let client = wire::client();
        while !wire::answers(&client, &authority).await {
            tokio::time::sleep(PROBE_PAUSE).await;
        }
        Line { client, authority, process: Arc::clone(process) }
    }

    fn end_of(&self, process: &Process, status: io::Result<ExitStatus>) -> End {
        let code = status.ok().and_then(|status| status.code());
        if process.is_uncounted() {
            return End::FunctionTimedOut;
        }
        let errors = process.last_errors();
        if code != Some(0) && !errors.is_empty() && !self.has_ended() {
            self.log.error("host", format_args!("the handler's last errors: {}", errors.join(" | ")));
        }
        End::Exit(code)
    }

    /// Moves on unless the handler was ended for good.
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

fn describe(end: End) -> String {
    match end {
        End::Exit(Some(code)) => format!("the handler's exit with code {code}"),
        End::Exit(None) => "the handler's end by a signal".to_owned(),
        End::StartTimedOut => "the handler's start without an answer within initializationTimeout".to_owned(),
        End::FunctionTimedOut => "the handler's end after a function time-out".to_owned(),
    }
}
