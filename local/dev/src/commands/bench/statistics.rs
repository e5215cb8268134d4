//! Medians and quantiles of measured values.

use std::time::Duration;

pub(super) type Milliseconds = f64;

pub(super) fn milliseconds(time: Duration) -> Milliseconds {
    time.as_secs_f64() * 1_000.0
}

/// The middle value, or the upper one of two.
pub(super) fn median<T: Copy + Default + Ord>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// The value below which a share of the sorted values lies.
pub(super) fn quantile(sorted: &[Milliseconds], share: f64) -> Option<Milliseconds> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|share| quantile(&hundred, share)),
            [1.0, 51.0, 100.0, 100.0].map(Some)
        );
        assert_eq!((quantile(&[7.0], 0.99), quantile(&[], 0.5)), (Some(7.0), None));
    }
}
