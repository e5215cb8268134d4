//! Decides what happens when the handler ends (azure-functions-host, `HttpFunctionInvocationDispatcher`).

use std::time::{Duration, Instant};

/// How a handler process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProcessEnd {
    /// The exit code, or `None` for a signal.
    Exit(Option<i32>),
    /// It was not ready within the initialization timeout.
    StartTimedOut,
    /// A function ran too long and the host killed it.
    FunctionTimedOut,
}

/// What the host does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestartDecision {
    Restart,
    /// Does nothing: the real host does not notice that the handler is gone.
    LeaveDead,
    StopHost,
}

/// The errors counted so far.
#[derive(Debug, Default)]
pub(crate) struct Restarts {
    errors: u32,
    last_error: Option<Instant>,
    unlimited: bool,
}

/// The host stops at this error.
const LAST_ERROR: u32 = 3;

/// After a longer time without errors than this, counting starts again.
const FORGIVEN_AFTER: Duration = Duration::from_secs(30 * 60);

impl Restarts {
    pub(crate) fn lift_limit(&mut self) {
        self.unlimited = true;
    }

    pub(crate) fn after(&mut self, end: ProcessEnd, now: Instant) -> RestartDecision {
        match end {
            ProcessEnd::Exit(Some(0)) => RestartDecision::LeaveDead,
            ProcessEnd::Exit(Some(200)) | ProcessEnd::FunctionTimedOut => RestartDecision::Restart,
            ProcessEnd::Exit(_) | ProcessEnd::StartTimedOut => self.count(now),
        }
    }

    fn count(&mut self, now: Instant) -> RestartDecision {
        if self.last_error.is_some_and(|last| now.duration_since(last) > FORGIVEN_AFTER) {
            self.errors = 0;
        }
        self.last_error = Some(now);
        self.errors = self.errors.saturating_add(1);
        if self.errors >= LAST_ERROR && !self.unlimited {
            RestartDecision::StopHost
        } else {
            RestartDecision::Restart
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CRASH: ProcessEnd = ProcessEnd::Exit(Some(1));

    fn after_minutes(steps: &[(u64, ProcessEnd)]) -> Vec<RestartDecision> {
        let start = Instant::now();
        let mut restarts = Restarts::default();
        let mut now = start;
        let step = |(minutes, end): &(u64, ProcessEnd)| {
            now += Duration::from_secs(minutes * 60);
            restarts.after(*end, now)
        };
        steps.iter().map(step).collect()
    }

    #[test]
    fn an_exit_with_code_0_is_left_alone_and_one_with_200_is_free() {
        assert_eq!(after_minutes(&[(0, ProcessEnd::Exit(Some(0)))]), [RestartDecision::LeaveDead]);
        assert_eq!(after_minutes(&[(0, ProcessEnd::Exit(Some(200))); 5]), [RestartDecision::Restart; 5]);
        assert_eq!(after_minutes(&[(0, ProcessEnd::FunctionTimedOut); 5]), [RestartDecision::Restart; 5]);
    }

    #[test]
    fn the_third_error_stops_the_host() {
        let expected = [RestartDecision::Restart, RestartDecision::Restart, RestartDecision::StopHost];
        assert_eq!(
            after_minutes(&[(0, CRASH), (1, ProcessEnd::Exit(None)), (2, ProcessEnd::StartTimedOut)]),
            expected
        );
        // Restarts in between that are not errors do not change the count.
        let mixed = [
            (0, CRASH),
            (0, ProcessEnd::Exit(Some(200))),
            (0, CRASH),
            (0, ProcessEnd::FunctionTimedOut),
            (0, CRASH),
        ];
        assert_eq!(after_minutes(&mixed).last(), Some(&RestartDecision::StopHost));
    }

    #[test]
    fn only_a_quiet_time_of_more_than_half_an_hour_forgives() {
        let expected = [RestartDecision::Restart, RestartDecision::Restart, RestartDecision::StopHost];
        assert_eq!(after_minutes(&[(0, CRASH), (30, CRASH), (30, CRASH)]), expected);
        assert_eq!(after_minutes(&[(0, CRASH), (1, CRASH), (31, CRASH)]), [RestartDecision::Restart; 3]);
    }

    #[test]
    fn without_a_limit_every_error_restarts() {
        let mut restarts = Restarts::default();
        restarts.lift_limit();
        assert!((0..9).all(|_| restarts.after(CRASH, Instant::now()) == RestartDecision::Restart));
    }
}
