//! The hub's rate limit: a token bucket that holds the sends of one second and refills steadily. Pure: the time is a
//! parameter.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Limits sends per second, with a burst of one second.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    per_second: f64,
    level: f64,
    filled: Instant,
}

impl RateLimiter {
    pub(crate) fn new(per_second: NonZeroU32, now: Instant) -> RateLimiter {
        let per_second = f64::from(per_second.get());
        RateLimiter { per_second, level: per_second, filled: now }
    }

    /// Takes one send from the bucket, or returns how long until there is one.
    pub(crate) fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(self.per_second);
        self.filled = now;
        if self.level < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.level) / self.per_second));
        }
        self.level -= 1.0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_one_second_passes_and_then_the_rate_holds() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(NonZeroU32::new(4).expect("not zero"), start);
        assert!((0..4).all(|_| limiter.take(start).is_ok()));
        assert_eq!(limiter.take(start), Err(Duration::from_millis(250)));
        assert_eq!(limiter.take(start + Duration::from_millis(250)), Ok(()));
        assert!(limiter.take(start + Duration::from_millis(250)).is_err());
    }

    #[test]
    fn an_idle_hour_saves_up_one_second_only() {
        let start = Instant::now();
        let mut limiter = RateLimiter::new(NonZeroU32::new(2).expect("not zero"), start);
        let later = start + Duration::from_hours(1);
        assert!(limiter.take(later).is_ok() && limiter.take(later).is_ok());
        assert!(limiter.take(later).is_err());
    }
}
