//! A rejected body: what was rejected of it and why, the first of its rejected elements, and its bytes. Pure.
//!
//! However many elements are rejected, and however often and in whatever parts a body is decided, it is one value and one
//! row: parts are joined by [`RejectedElements::add`], in which an element keeps the reason that it had first.

use std::borrow::Cow;

use bytes::Bytes;

use super::elements::Elements;
use super::key::{Key, of_position};
use super::reading::Rejection;
use crate::primitives::ids::Position;
use crate::primitives::instant::Millis;

/// The code of a reason, as [`Reason::code`](super::reading::Reason::code) gives it, or of a later version's reason.
pub type Code = Cow<'static, str>;

/// Elements that are shown one by one.
pub const MOST_SAMPLES: usize = 5;

/// Bytes of an element's text that a sample has.
const LONGEST_TEXT: usize = 200;

/// Characters of a detail. Details repeat what a device sent, so their length is not ours.
const LONGEST_DETAIL: usize = 512;

/// Characters of what a device claims to be called.
const LONGEST_DEVICE: usize = 256;

/// One rejected element.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Which one, counted from 0.
    pub index: usize,
    /// Why: the code.
    pub reason: Code,
    /// Why: a sentence for a person.
    pub detail: String,
    /// The device as claimed.
    pub device: Option<String>,
    /// The beginning of its text; bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// What was rejected of one body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RejectedElements {
    by_reason: Vec<(Code, Elements)>,
    samples: Vec<Sample>,
}

impl RejectedElements {
    /// What a row says. The samples are the first elements, in their order.
    pub(super) fn of_row(by_reason: Vec<(Code, Elements)>, samples: Vec<Sample>) -> RejectedElements {
        RejectedElements { by_reason, samples }
    }

    /// Adds an element with its text, which is asked for if it becomes a sample. One that is there keeps its reason.
    pub fn reject(&mut self, index: usize, rejection: Rejection, text: impl FnOnce() -> Vec<u8>) {
        if self.by_reason.iter().any(|(_, elements)| elements.contains(index)) {
            return;
        }
        let reason = rejection.reason.code();
        self.of_reason(&Cow::Borrowed(reason)).insert(index);
        let place = self.samples.partition_point(|sample| sample.index < index);
        if place < MOST_SAMPLES {
            self.samples.insert(place, sample(index, rejection, &text()));
            self.samples.truncate(MOST_SAMPLES);
        }
    }

    /// Adds another part of the same body; true if there was something new in it.
    pub fn add(&mut self, other: &RejectedElements) -> bool {
        let known = self.all();
        for (reason, elements) in &other.by_reason {
            let new = elements.without(&known);
            if !new.is_empty() {
                self.of_reason(reason).add(&new);
            }
        }
        let new = other.samples.iter().filter(|sample| !known.contains(sample.index));
        self.samples.extend(new.cloned());
        self.samples.sort_by_key(|sample| sample.index);
        self.samples.truncate(MOST_SAMPLES);
        self.all() != known
    }

    /// All of them.
    pub fn all(&self) -> Elements {
        let mut all = Elements::default();
        for (_, elements) in &self.by_reason {
            all.add(elements);
        }
        all
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.by_reason.iter().map(|(_, elements)| elements.count()).sum()
    }

    /// Each reason's elements; an element has one reason.
    pub fn by_reason(&self) -> &[(Code, Elements)] {
        &self.by_reason
    }

    /// The first elements, in their order.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The first element.
    pub fn first(&self) -> Option<&Sample> {
        self.samples.first()
    }

    fn of_reason(&mut self, reason: &Code) -> &mut Elements {
        let at = self.by_reason.iter().position(|(known, _)| known == reason).unwrap_or_else(|| {
            self.by_reason.push((reason.clone(), Elements::default()));
            self.by_reason.len() - 1
        });
        &mut self.by_reason[at].1
    }
}

/// A body of which something was rejected.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedBody {
    /// Where the event stands.
    pub position: Position,
    /// When the hub enqueued the event, where known.
    pub enqueued_at: Option<Millis>,
    /// When the first part of it was rejected.
    pub rejected_at: Millis,
    /// The bytes as they came, or as many of them as were kept.
    pub body: Bytes,
    /// How many bytes there were.
    pub body_length: usize,
    /// What was rejected of it.
    pub rejected: RejectedElements,
}

impl RejectedBody {
    /// Where it is kept: the same place for every delivery of the event. `body` must be whole.
    pub fn key(&self) -> Key {
        of_position(&self.position, self.enqueued_at, &self.body)
    }

    /// The device as the first rejected element claims it.
    pub fn device(&self) -> Option<&str> {
        self.rejected.first()?.device.as_deref()
    }
}

fn sample(index: usize, rejection: Rejection, text: &[u8]) -> Sample {
    let text = String::from_utf8_lossy(&text[..text.len().min(LONGEST_TEXT)]);
    let device = rejection.device.filter(|device| !device.is_empty());
    Sample {
        index,
        reason: Cow::Borrowed(rejection.reason.code()),
        detail: fit(&rejection.detail, LONGEST_DETAIL),
        device: device.map(|device| fit(&device, LONGEST_DEVICE)),
        text: fit(&text, LONGEST_TEXT),
    }
}

/// A text that can be kept and shown: so many characters at most, those replaced that XML has no place for.
fn fit(text: &str, most: usize) -> String {
    let shown = |c: char| match c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    };
    text.chars().take(most).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::rejected::reading::Reason;

    fn rejection(reason: Reason) -> Rejection {
        Rejection::new(reason, "too hot")
    }

    #[test]
    fn what_a_device_claims_is_fit_to_be_kept() {
        let mut elements = RejectedElements::default();
        let long = format!("a\u{0}b\u{ffff}{}", "x".repeat(1_000_000));
        let claimed = Rejection { device: Some(long.clone()), ..Rejection::new(Reason::BadText, long) };
        elements.reject(0, claimed, || b"\xff\0 {".repeat(1_000));
        let first = elements.first().unwrap();
        let device = first.device.as_deref().unwrap();
        assert_eq!((device.chars().count(), &device[..8]), (256, "a\u{fffd}b\u{fffd}"));
        assert_eq!((first.detail.chars().count(), first.text.chars().count()), (512, 200));
        assert!(first.text.starts_with("\u{fffd}\u{fffd} {"), "{}", first.text);
    }

    #[test]
    fn the_first_elements_are_samples_in_whatever_order_they_are_decided() {
        let mut elements = RejectedElements::default();
        for index in (0..100).rev() {
            elements.reject(index, rejection(Reason::OutOfRange), Vec::new);
        }
        let indices: Vec<usize> = elements.samples().iter().map(|sample| sample.index).collect();
        assert_eq!(indices, [0, 1, 2, 3, 4]);
        assert_eq!(elements.count(), 100);
    }

    const REASONS: [Reason; 3] = [Reason::OutOfRange, Reason::WrongType, Reason::DamagedState];

    proptest! {
        /// Whatever parts a body is decided in, and however often: each element is there once with its first reason.
        #[test]
        fn parts_are_joined_and_an_element_keeps_its_first_reason(
            parts in prop::collection::vec(prop::collection::vec((0..40_usize, 0..3_usize), 0..20), 1..6),
        ) {
            let (mut whole, mut expected) = (RejectedElements::default(), BTreeMap::new());
            for part in &parts {
                let mut elements = RejectedElements::default();
                let before = expected.len();
                for &(index, reason) in part {
                    elements.reject(index, rejection(REASONS[reason]), Vec::new);
                    expected.entry(index).or_insert(REASONS[reason].code());
                }
                prop_assert_eq!(whole.add(&elements), expected.len() > before);
                prop_assert!(!whole.add(&elements), "a second time it brings nothing");
            }
            let mut found = BTreeMap::new();
            for (reason, elements) in whole.by_reason() {
                for index in elements.iter() {
                    prop_assert_eq!(found.insert(index, &**reason), None);
                }
            }
            let samples: Vec<_> = whole.samples().iter().map(|one| (one.index, &*one.reason)).collect();
            let first: Vec<_> = expected.iter().take(MOST_SAMPLES).map(|(&index, &reason)| (index, reason)).collect();
            prop_assert_eq!(samples, first);
            prop_assert_eq!(whole.count(), expected.len());
            prop_assert_eq!(found, expected);
        }
    }
}
