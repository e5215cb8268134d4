//! The hub's rate limit: a bucket of one second's sends that refills steadily. Pure: the time is given.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

/// Sends allowed per second, with a burst of one second.
#[derive(Debug)]
pub(crate) struct Bucket {
    per_second: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    pub(crate) fn new(per_second: NonZeroU32, now: Instant) -> Bucket {
        let per_second = f64::from(per_second.get());
        Bucket { per_second, level: per_second, filled: now }
    }

    /// Takes one send out, or says how long until there is one.
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
        let mut bucket = Bucket::new(NonZeroU32::new(4).expect("not zero"), start);
        assert!((0..4).all(|_| bucket.take(start).is_ok()));
        assert_eq!(bucket.take(start), Err(Duration::from_millis(250)));
        assert_eq!(bucket.take(start + Duration::from_millis(250)), Ok(()));
        assert!(bucket.take(start + Duration::from_millis(250)).is_err());
    }

    #[test]
    fn an_idle_hour_saves_up_one_second_only() {
        let start = Instant::now();
        let mut bucket = Bucket::new(NonZeroU32::new(2).expect("not zero"), start);
        let later = start + Duration::from_hours(1);
        assert!(bucket.take(later).is_ok() && bucket.take(later).is_ok());
        assert!(bucket.take(later).is_err());
    }
}
