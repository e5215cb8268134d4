//! Which elements of a body are meant: a set of small numbers, one bit each. Pure.

use std::fmt::Write;

/// A set of elements, counted from 0. A body has up to 20,000 of them, which takes 2,500 bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Elements(Vec<u8>);

impl Elements {
    /// The set that these bits stand for.
    pub fn from_bits(mut bits: Vec<u8>) -> Elements {
        let used = bits.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bits.truncate(used);
        Elements(bits)
    }

    /// One bit for each element, eight to a byte, the lowest bit first; without empty bytes at the end.
    pub fn bits(&self) -> &[u8] {
        &self.0
    }

    /// Adds an element.
    pub fn insert(&mut self, index: usize) {
        let byte = index / 8;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (index % 8);
    }

    /// Whether the element is in the set.
    pub fn contains(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }

    /// How many elements there are.
    pub fn count(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The elements in their order.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        (0..self.0.len() * 8).filter(|&index| self.contains(index))
    }

    /// Adds the elements of another set.
    pub fn add(&mut self, other: &Elements) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, others) in self.0.iter_mut().zip(&other.0) {
            *own |= others;
        }
    }

    /// The elements that are not in another set.
    #[must_use]
    pub fn without(&self, other: &Elements) -> Elements {
        let others = other.0.iter().copied().chain(std::iter::repeat(0));
        Elements::from_bits(self.0.iter().zip(others).map(|(own, others)| own & !others).collect())
    }

    /// The set for people, such as `0-3,7`; it ends with `,…` where it would be longer than `most` bytes.
    pub fn to_text(&self, most: usize) -> String {
        let mut text = String::new();
        let mut indices = self.iter().peekable();
        while let Some(first) = indices.next() {
            let mut last = first;
            while indices.next_if_eq(&(last + 1)).is_some() {
                last += 1;
            }
            let before = text.len();
            let separator = if text.is_empty() { "" } else { "," };
            let written = match first == last {
                true => write!(text, "{separator}{first}"),
                false => write!(text, "{separator}{first}-{last}"),
            };
            if written.is_err() || text.len() > most {
                text.truncate(before);
                text.push_str(",…");
                break;
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(indices: &[usize]) -> Elements {
        let mut elements = Elements::default();
        for &index in indices {
            elements.insert(index);
        }
        elements
    }

    #[test]
    fn a_set_is_written_as_ranges() {
        assert_eq!(set(&[]).to_text(100), "");
        assert_eq!(set(&[3, 0, 2, 1, 7]).to_text(100), "0-3,7");
        assert_eq!(set(&(0..20_000).collect::<Vec<_>>()).to_text(100), "0-19999");
        assert_eq!(set(&[0, 2, 4, 6]).to_text(5), "0,2,4,…");
    }

    proptest! {
        #[test]
        fn it_is_a_set(one in prop::collection::btree_set(0..200_usize, 0..60), other in prop::collection::btree_set(0..200_usize, 0..60)) {
            let list = |set: &BTreeSet<usize>| set.iter().copied().collect::<Vec<_>>();
            let (mut union, others) = (set(&list(&one)), set(&list(&other)));
            prop_assert_eq!(union.without(&others).iter().collect::<Vec<_>>(), list(&(&one - &other)));
            prop_assert_eq!(Elements::from_bits(union.bits().to_vec()), union.clone());
            union.add(&others);
            prop_assert_eq!(union.count(), (&one | &other).len());
            prop_assert_eq!(union.iter().collect::<Vec<_>>(), list(&(&one | &other)));
            prop_assert_eq!(union.without(&others).without(&set(&list(&one))), Elements::default());
        }
    }
}
