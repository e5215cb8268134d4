//! When to try again: the schedule of delays, and the time that a call has. Pure but for [`Deadline`], which
//! reads tokio's clock.

use std::iter;
use std::time::Duration;

use tokio::time::Instant;

/// When a call has to be over, retries included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So much time from now.
    #[must_use]
    pub fn after(time: Duration) -> Deadline {
        /// Stands for "never", far enough from where adding to a clock would overflow.
        const THIRTY_YEARS: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
        Deadline(Instant::now() + time.min(THIRTY_YEARS))
    }

    /// At this moment.
    #[must_use]
    pub fn at(moment: Instant) -> Deadline {
        Deadline(moment)
    }

    /// The time that is left, zero when it has passed.
    #[must_use]
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// How requests are repeated that may be repeated: with exponential backoff and full jitter, until the
/// call's deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The upper limit of the first delay; it doubles with each further one.
    pub first_delay: Duration,
    /// The upper limit of every delay.
    pub longest_delay: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
}

impl Default for Retry {
    fn default() -> Retry {
        Retry {
            // An answer takes 5 to 10 ms, and a moved partition is back within seconds.
            first_delay: Duration::from_millis(100),
            // Microsoft suggests up to 30 s, but then several times the size of a usual deadline is slept.
            longest_delay: Duration::from_secs(4),
            // Queries may take 5 s by the service's own rule before it answers with part of the rows.
            attempt_timeout: Duration::from_secs(10),
        }
    }
}

impl Retry {
    /// The delays between attempts, without end. `jitter` gives numbers from 0 to 1, evenly distributed.
    pub fn delays(self, mut jitter: impl FnMut() -> f64) -> impl Iterator<Item = Duration> {
        let double = move |limit: &Duration| Some(limit.saturating_mul(2).min(self.longest_delay));
        let limits = iter::successors(Some(self.first_delay.min(self.longest_delay)), double);
        limits.map(move |limit| limit.mul_f64(jitter().clamp(0.0, 1.0)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let delays: Vec<_> = Retry::default().delays(|| 1.0).take(8).map(|delay| delay.as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1600, 3200, 4000, 4000]);
    }

    #[test]
    fn deadline_that_is_far_away_does_not_overflow() {
        assert!(Deadline::after(Duration::MAX).remaining() > Duration::from_secs(1_000_000));
    }

    proptest! {
        #[test]
        fn no_delay_is_longer_than_the_limit(first in 0_u64..=u64::MAX, longest in 0_u64..100_000, jitter: f64) {
            let retry = Retry {
                first_delay: Duration::from_millis(first),
                longest_delay: Duration::from_millis(longest),
                ..Retry::default()
            };
            for delay in retry.delays(|| jitter).take(80) {
                prop_assert!(delay <= retry.longest_delay);
            }
        }
    }
}
