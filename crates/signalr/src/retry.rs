//! When a failed call is tried again, and how long to wait first. Jitter and time are passed in.

use std::time::Duration;

use crate::request::Resend;
use crate::send_error::SendError;

/// Long enough for a restarted front end to be back, short enough for a live page.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// Pauses of 0.2, 0.4, 0.8 and 1.6 s: five tries within 3 s, after which a live message is no longer live.
const PAUSES: u32 = 4;

/// The waits between tries, each between half and all of twice the one before. `jitter` gives numbers from 0 to 1.
pub(crate) fn pauses(mut jitter: impl FnMut() -> f64) -> impl Iterator<Item = Duration> {
    (0..PAUSES).map(move |n| (FIRST_PAUSE * 2_u32.pow(n)).mul_f64(0.5 + jitter().clamp(0.0, 1.0) / 2.0))
}

/// How long to wait before the next try; `None` when this error is final, the tries are used up, or the wait would not
/// end within the time `left`.
pub(crate) fn wait(
    error: &SendError,
    resend: Resend,
    pauses: &mut impl Iterator<Item = Duration>,
    left: Duration,
) -> Option<Duration> {
    let asked = match (error, resend) {
        (SendError::Unavailable { retry_after, .. }, _) => retry_after.unwrap_or_default(),
        (SendError::Unknown { .. }, Resend::Allowed) => Duration::ZERO,
        _ => return None,
    };
    let wait = asked.saturating_add(pauses.next()?);
    (wait < left).then_some(wait)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn unavailable(retry_after: Option<u64>) -> SendError {
        let retry_after = retry_after.map(Duration::from_secs);
        SendError::Unavailable { status: Some(429), retry_after, source: None }
    }

    fn unknown() -> SendError {
        SendError::Unknown { status: Some(500), source: None }
    }

    fn first_wait(error: &SendError, resend: Resend, left: Duration) -> Option<Duration> {
        wait(error, resend, &mut pauses(|| 1.0), left)
    }

    #[test]
    fn what_may_have_been_delivered_is_only_sent_again_if_allowed() {
        assert_eq!(first_wait(&unknown(), Resend::Never, LONG), None);
        assert_eq!(first_wait(&unknown(), Resend::Allowed, LONG), Some(FIRST_PAUSE));
        assert_eq!(first_wait(&unavailable(None), Resend::Never, LONG), Some(FIRST_PAUSE));
    }

    #[test]
    fn refusals_are_final() {
        let refused = SendError::Refused { status: 400, code: None };
        assert_eq!(first_wait(&refused, Resend::Allowed, LONG), None);
    }

    #[test]
    fn retry_after_is_honoured_and_a_wait_past_the_deadline_is_not_begun() {
        let asked = Duration::from_secs(7) + FIRST_PAUSE;
        assert_eq!(first_wait(&unavailable(Some(7)), Resend::Never, LONG), Some(asked));
        assert_eq!(first_wait(&unavailable(Some(7)), Resend::Never, asked), None);
        assert_eq!(first_wait(&unavailable(Some(u64::MAX)), Resend::Never, LONG), None);
    }

    #[test]
    fn tries_end() {
        let mut pauses = pauses(|| 0.0);
        let mut again = || wait(&unavailable(None), Resend::Never, &mut pauses, LONG);
        let waits: Vec<u128> = std::iter::from_fn(&mut again).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800]);
        assert_eq!(again(), None);
    }

    proptest! {
        #[test]
        fn no_jitter_leaves_the_schedule(jitter in any::<f64>()) {
            for (n, pause) in pauses(|| if jitter.is_nan() { 0.5 } else { jitter }).enumerate() {
                let full = FIRST_PAUSE * (1 << n);
                prop_assert!(pause >= full / 2 && pause <= full);
            }
        }
    }
}
