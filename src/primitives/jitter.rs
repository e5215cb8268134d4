//! Random numbers that follow from a seed, so that the same inputs give the same run. Pure.

use super::stable_hash::stable_hash;

/// A source of numbers from 0 to 1, evenly distributed.
#[derive(Clone, Copy, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// The numbers of a seed; different for each name, so that those who share a seed do not move in step.
    pub fn new(seed: u64, name: &str) -> Jitter {
        Jitter(stable_hash(&[&seed.to_be_bytes(), name.as_bytes()].concat()))
    }

    /// The next number.
    pub fn draw(&mut self) -> f64 {
        /// A double holds 53 bits.
        const BITS: u32 = 53;
        self.0 = stable_hash(&self.0.to_be_bytes());
        #[expect(clippy::cast_precision_loss, reason = "the 53 bits that are left fit a double")]
        let number = (self.0 >> (u64::BITS - BITS)) as f64;
        number / (1_u64 << BITS) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(seed: u64, name: &str) -> Vec<f64> {
        let mut jitter = Jitter::new(seed, name);
        (0..1_000).map(|_| jitter.draw()).collect()
    }

    #[test]
    fn the_same_seed_and_name_give_the_same_numbers_and_others_give_others() {
        assert_eq!(numbers(7, "a"), numbers(7, "a"));
        assert_ne!(numbers(7, "a"), numbers(7, "b"));
        assert_ne!(numbers(7, "a"), numbers(8, "a"));
    }

    #[test]
    fn numbers_are_spread_between_0_and_1() {
        let numbers = numbers(7, "sensor-1");
        assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
        let mean = numbers.iter().sum::<f64>() / 1_000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
