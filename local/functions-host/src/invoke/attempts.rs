//! One execution and its retries: counts attempts, pauses between them, and says when to give up.

use std::{fmt::Display, time::Duration};

use crate::{app::retry::RetryPolicy, envelope::RetryContext, failure::Failure, status::StatusBoard};

/// The state of one execution under an optional retry policy.
pub(crate) struct Attempts<'a> {
    policy: Option<&'a RetryPolicy>,
    retries: u32,
    last_failure: Option<String>,
}

impl<'a> Attempts<'a> {
    pub(crate) fn new(policy: Option<&'a RetryPolicy>) -> Attempts<'a> {
        Attempts { policy, retries: 0, last_failure: None }
    }

    /// What the handler gets to know about this attempt; nothing without a policy.
    pub(crate) fn context(&self) -> Option<RetryContext> {
        self.policy.map(|policy| RetryContext {
            retry_count: self.retries,
            max_retry_count: policy.max_retry_count(),
            exception: self.last_failure.clone(),
        })
    }

    /// Pauses until the next attempt is due. Returns the failure when there is none.
    pub(crate) async fn pause_after(
        &mut self,
        failure: Failure,
        status: &StatusBoard,
        announce: impl FnOnce(&dyn Display),
    ) -> Result<(), Failure> {
        let pause = self.next_pause(&failure, rand::random()).ok_or_else(|| failure.clone())?;
        announce(&format_args!("retry {} follows in {pause:?}", self.retries));
        tokio::time::sleep(pause).await;
        status.update(|status| status.retries += 1);
        Ok(())
    }

    fn next_pause(&mut self, failure: &Failure, jitter: f64) -> Option<Duration> {
        if *failure == Failure::HostStopped {
            return None;
        }
        let pause = self.policy?.pause_before(self.retries.saturating_add(1), jitter)?;
        self.retries = self.retries.saturating_add(1);
        self.last_failure = Some(failure.to_string());
        Some(pause)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::json;

    use super::*;
    use crate::app::fields::Field;

    #[test]
    fn every_failure_is_retried_under_an_unlimited_policy_but_not_the_end_of_the_host() {
        let section = json!({"strategy": "fixedDelay", "maxRetryCount": -1, "delayInterval": "00:00:01"});
        let policy = RetryPolicy::parse(&Field::root(Path::new("host.json"), &section)).unwrap();
        let mut attempts = Attempts::new(Some(&policy));
        for retry in 1..=50 {
            assert!(attempts.next_pause(&Failure::TimedOut, 0.5).is_some());
            assert_eq!(attempts.context().unwrap().retry_count, retry);
        }
        assert_eq!(attempts.next_pause(&Failure::HostStopped, 0.5), None);
    }
}
