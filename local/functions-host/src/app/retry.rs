//! Retry policies: how often a failed execution is repeated, and after which pauses.

use std::time::Duration;

use super::fields::Field;
use crate::HostError;

/// A `retry` section of `function.json` or `host.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    limit: Limit,
    pause: Pause,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit {
    Times(u32),
    Forever,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pause {
    Fixed(Duration),
    Exponential { minimum: Duration, maximum: Duration },
}

impl RetryPolicy {
    /// Reads the section at `field`. With a `maxRetryCount` of -1 retries never end.
    pub(crate) fn parse(field: &Field<'_>) -> Result<RetryPolicy, HostError> {
        let strategy = field.require(&["strategy"])?;
        let pause = match strategy.text()?.to_ascii_lowercase().as_str() {
            "fixeddelay" => Pause::Fixed(field.require(&["delayInterval"])?.time_span()?),
            "exponentialbackoff" => Self::parse_exponential(field)?,
            _ => return Err(strategy.must_be("fixedDelay or exponentialBackoff")),
        };
        let count = field.require(&["maxRetryCount"])?.whole_number(-1..=i64::from(i32::MAX))?;
        // Within the range only -1 is no u32.
        let limit = u32::try_from(count).map_or(Limit::Forever, Limit::Times);
        Ok(RetryPolicy { limit, pause })
    }

    fn parse_exponential(field: &Field<'_>) -> Result<Pause, HostError> {
        let minimum = field.require(&["minimumInterval"])?.time_span()?;
        let longest = field.require(&["maximumInterval"])?;
        let maximum = longest.time_span()?;
        if minimum > maximum {
            return Err(longest.must_be("at least minimumInterval"));
        }
        Ok(Pause::Exponential { minimum, maximum })
    }

    /// The pause before retry number `retry` (from 1), or `None` when no more are allowed.
    ///
    /// `jitter` is drawn evenly from 0 to 1. The exponential pause is that of the WebJobs SDK's
    /// `RandomizedExponentialBackoffStrategy`: first the minimum, then the minimum plus an increment that doubles
    /// each time and varies by up to a fifth, until the maximum.
    pub(crate) fn pause_before(&self, retry: u32, jitter: f64) -> Option<Duration> {
        if matches!(self.limit, Limit::Times(times) if retry > times) {
            return None;
        }
        Some(match self.pause {
            Pause::Fixed(pause) => pause,
            Pause::Exponential { minimum, maximum } if retry == 1 => minimum.min(maximum),
            Pause::Exponential { minimum, maximum } => {
                let factor = (0.8 + 0.4 * jitter) * f64::from(retry - 2).exp2();
                let increment = Duration::try_from_secs_f64(minimum.as_secs_f64() * factor);
                increment.map_or(maximum, |increment| minimum.saturating_add(increment).min(maximum))
            }
        })
    }

    /// `MaxRetryCount` as the handler gets it.
    pub(crate) fn max_retry_count(&self) -> i64 {
        match self.limit {
            Limit::Forever => -1,
            Limit::Times(times) => i64::from(times),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};

    use super::*;

    fn policy(section: Value) -> Result<RetryPolicy, String> {
        let value = json!({ "retry": section });
        let root = Field::root(Path::new("F/function.json"), &value);
        root.require(&["retry"])
            .and_then(|field| RetryPolicy::parse(&field))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_fixed_delay_is_kept_until_the_count_is_used_up() {
        let policy =
            policy(json!({"strategy": "fixedDelay", "maxRetryCount": 2, "delayInterval": "00:00:10"}))
                .unwrap();
        let pauses: Vec<_> = (1..=3).map(|retry| policy.pause_before(retry, 0.5)).collect();
        assert_eq!(pauses, [Some(Duration::from_secs(10)), Some(Duration::from_secs(10)), None]);
        assert_eq!(policy.max_retry_count(), 2);
    }

    #[test]
    fn an_exponential_pause_grows_from_the_minimum_to_the_maximum_and_never_beyond() {
        let policy = policy(json!({
            "strategy": "exponentialBackoff", "maxRetryCount": -1,
            "minimumInterval": "00:00:01", "maximumInterval": "00:00:10"
        }))
        .unwrap();
        let seconds = |retry, jitter| policy.pause_before(retry, jitter).unwrap().as_secs_f64();
        assert_eq!([1, 2, 3, 4, 5, 6].map(|retry| seconds(retry, 0.5)), [1.0, 2.0, 3.0, 5.0, 9.0, 10.0]);
        assert_eq!((seconds(3, 0.0), seconds(3, 1.0)), (2.6, 3.4));
        assert_eq!(seconds(u32::MAX, 1.0), 10.0);
        assert_eq!(policy.max_retry_count(), -1);
    }

    #[test]
    fn a_broken_policy_is_refused_by_field() {
        let error = |section| policy(section).unwrap_err();
        assert_eq!(
            error(json!({"strategy": "sometimes", "maxRetryCount": 1})),
            "F/function.json: retry.strategy must be fixedDelay or exponentialBackoff"
        );
        assert_eq!(
            error(json!({"strategy": "fixedDelay", "maxRetryCount": 1})),
            "F/function.json: retry.delayInterval is missing"
        );
        assert_eq!(
            error(json!({"strategy": "fixedDelay", "delayInterval": "00:00:01"})),
            "F/function.json: retry.maxRetryCount is missing"
        );
        assert_eq!(
            error(json!({"strategy": "fixedDelay", "delayInterval": "1 s", "maxRetryCount": 1})),
            "F/function.json: retry.delayInterval must be a time span such as \"00:00:30\""
        );
        assert_eq!(
            error(json!({
                "strategy": "exponentialBackoff", "maxRetryCount": 1,
                "minimumInterval": "00:00:02", "maximumInterval": "00:00:01"
            })),
            "F/function.json: retry.maximumInterval must be at least minimumInterval"
        );
    }
}
