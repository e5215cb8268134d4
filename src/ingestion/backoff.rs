//! How long to wait after a conflict: a pure schedule, with the dice thrown by the caller.

use std::time::Duration;

/// The shortest wait, milliseconds: about one round trip to storage in the same region, so that the other writer is done.
const SHORTEST: u64 = 40;
/// The longest wait, milliseconds: a device's reading should not be older than about a second because of a conflict.
const LONGEST: u64 = 1_000;

/// The wait before try `attempt + 1` (the first failed try is attempt 0): uniform between 40 ms and
/// `min(1000, 40 × 2^attempt)` ms. `roll` is any random number.
pub(super) fn pause(attempt: u32, roll: u64) -> Duration {
    let doubled = SHORTEST.saturating_mul(1_u64.checked_shl(attempt).unwrap_or(u64::MAX));
    let ceiling = doubled.clamp(SHORTEST, LONGEST);
    Duration::from_millis(SHORTEST + roll % (ceiling - SHORTEST + 1))
}

#[cfg(test)]
mod tests {
    use super::pause;
    use proptest::prelude::*;

    #[test]
    fn the_ceiling_doubles_up_to_one_second() {
        let longest = |attempt| (0..2_000).map(|roll| pause(attempt, roll).as_millis()).max().unwrap();
        let ceilings: Vec<u128> = (0..8).map(longest).collect();
        assert_eq!(ceilings, [40, 80, 160, 320, 640, 1_000, 1_000, 1_000]);
    }

    proptest! {
        #[test]
        fn every_pause_lies_between_40_ms_and_1_s(attempt: u32, roll: u64) {
            let millis = pause(attempt, roll).as_millis();
            prop_assert!((40..=1_000).contains(&millis));
        }
    }
}
