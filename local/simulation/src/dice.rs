//! Dice that fall the same way for the same seed, on every machine and with every version of every library: a stream of
//! SplitMix64. Each use has a stream of its own, so that a fault that is left out changes nothing else of the world.

/// One stream of numbers.
pub(crate) struct Dice(u64);

impl Dice {
    /// The stream of one use (`purpose`), and of one thing in it (`number`), in the world of a seed.
    pub(crate) fn of(seed: u64, purpose: &str, number: u64) -> Dice {
        let mut state = mixed(seed ^ 0x66_6965_6c64);
        for byte in purpose.bytes() {
            state = mixed(state ^ u64::from(byte));
        }
        Dice(mixed(state ^ number))
    }

    /// Any number.
    pub(crate) fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed(self.0)
    }

    /// A number of `0..end`; `end` is at least 1.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.any() % end
    }

    /// A number of `first..=last`.
    pub(crate) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    /// True in so many of a hundred throws.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// An index into something of this length, which is at least 1.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("an index fits")
    }

    /// One of several.
    pub(crate) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.index(of.len())]
    }
}

fn mixed(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn a_seed_means_the_same_for_ever() {
        let thrown = |mut dice: Dice| (0..6).map(|_| dice.below(100)).collect::<Vec<u64>>();
        assert_eq!(thrown(Dice::of(1, "example", 2)), [40, 45, 79, 38, 48, 52]);
        assert_ne!(Dice::of(1, "example", 3).any(), Dice::of(1, "example", 2).any());
        assert_ne!(Dice::of(2, "example", 2).any(), Dice::of(1, "example", 2).any());
    }
}
