//! Verdicts: which readings of recent events were refused for their range. They are part of the device's row, so that
//! "counted" or "refused" is decided once, in the conditional write that also moves the watermark. A second delivery, or
//! a second owner of the partition, finds the verdict there and does not judge again with a calibration of its own.
//!
//! A verdict is needed until its refusal is kept in `RejectedTelemetry`. The hub goes on behind an event only after an
//! invocation with it has succeeded, so a batch that begins behind an event proves that its verdict can be forgotten.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::primitives::ids::{Partition, Position};

/// Refused readings by partition, sequence number and index within the event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts(BTreeMap<Partition, BTreeMap<i64, Indices>>);

/// A set of small numbers, one bit each: an event has up to 20,000 readings, and all of them may be refused.
#[derive(Clone, Debug, Default, PartialEq)]
struct Indices(Vec<u8>);

/// The stored form: per partition the sequence numbers with their bits as base64.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct StoredVerdicts(BTreeMap<String, Vec<(i64, String)>>);

/// Why stored verdicts cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the readings of event {0} are not base64")]
pub(crate) struct VerdictError(i64);

impl Verdicts {
    /// Notes that a reading was refused.
    pub fn refuse(&mut self, partition: &Partition, sequence: i64, index: usize) {
        let events = self.0.entry(partition.clone()).or_default();
        events.entry(sequence).or_default().insert(index);
    }

    /// Whether the reading at this place was refused. Events without a sequence number have no verdicts.
    pub fn is_refused(&self, position: &Position, index: usize) -> bool {
        let found = position.sequence.and_then(|sequence| self.0.get(&position.partition)?.get(&sequence));
        found.is_some_and(|indices| indices.contains(index))
    }

    /// Drops the verdicts of a partition below a sequence number: a delivery that begins there follows a success.
    pub fn forget_before(&mut self, partition: &Partition, sequence: i64) {
        if let Some(events) = self.0.get_mut(partition) {
            events.retain(|&event, _| event >= sequence);
            if events.is_empty() {
                self.0.remove(partition);
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// About how many characters the stored form has; never less.
    pub fn stored_length(&self) -> usize {
        /// `"":[],` and the braces around all.
        const PARTITION: usize = 8;
        /// `[9223372036854775807,""],`
        const EVENT: usize = 26;
        let event = |indices: &Indices| EVENT + indices.0.len() * 4 / 3 + 4;
        let partition = |(name, events): (&Partition, &BTreeMap<i64, Indices>)| {
            PARTITION + name.as_str().len() + events.values().map(event).sum::<usize>()
        };
        self.0.iter().map(partition).sum()
    }

    pub(crate) fn to_stored(&self) -> StoredVerdicts {
        let event = |(&sequence, indices): (&i64, &Indices)| (sequence, STANDARD_NO_PAD.encode(&indices.0));
        StoredVerdicts(
            self.0
                .iter()
                .map(|(partition, events)| {
                    (partition.as_str().to_owned(), events.iter().map(event).collect())
                })
                .collect(),
        )
    }

    pub(crate) fn from_stored(stored: &StoredVerdicts) -> Result<Verdicts, VerdictError> {
        let event = |(sequence, bits): &(i64, String)| match STANDARD_NO_PAD.decode(bits) {
            Ok(bits) => Ok((*sequence, Indices(bits))),
            Err(_) => Err(VerdictError(*sequence)),
        };
        let partition = |(name, events): (&String, &Vec<(i64, String)>)| {
            let events = events.iter().map(event).collect::<Result<_, _>>()?;
            Ok((Partition::from_stored(name), events))
        };
        stored.0.iter().map(partition).collect::<Result<_, _>>().map(Verdicts)
    }
}

impl Indices {
    fn insert(&mut self, index: usize) {
        let byte = index / 8;
        if self.0.len() <= byte {
            self.0.resize(byte + 1, 0);
        }
        self.0[byte] |= 1 << (index % 8);
    }

    fn contains(&self, index: usize) -> bool {
        self.0.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn position(partition: &str, sequence: impl Into<Option<i64>>) -> Position {
        Position { partition: Partition::new("hub", partition), sequence: sequence.into() }
    }

    fn verdicts(refused: &[(&str, i64, usize)]) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for (partition, sequence, index) in refused {
            verdicts.refuse(&Partition::new("hub", partition), *sequence, *index);
        }
        verdicts
    }

    #[test]
    fn only_what_was_refused_is_refused() {
        let verdicts = verdicts(&[("0", 7, 0), ("0", 7, 9)]);
        let refused = (0..20).filter(|&index| verdicts.is_refused(&position("0", 7), index));
        assert_eq!(refused.collect::<Vec<_>>(), [0, 9]);
        assert!(!verdicts.is_refused(&position("1", 7), 0));
        assert!(!verdicts.is_refused(&position("0", 8), 0));
        assert!(!verdicts.is_refused(&position("0", None), 0));
    }

    #[test]
    fn what_lies_before_a_delivery_is_forgotten() {
        let mut verdicts = verdicts(&[("0", 7, 0), ("0", 8, 0), ("1", 1, 0)]);
        verdicts.forget_before(&Partition::new("hub", "0"), 8);
        assert_eq!(verdicts, self::verdicts(&[("0", 8, 0), ("1", 1, 0)]));
        verdicts.forget_before(&Partition::new("hub", "0"), 9);
        verdicts.forget_before(&Partition::new("hub", "1"), 9);
        assert!(verdicts.is_empty());
    }

    #[test]
    fn damaged_verdicts_are_an_error() {
        let stored: StoredVerdicts = serde_json::from_str(r#"{"hub/0":[[7,"!"]]}"#).unwrap();
        assert_eq!(Verdicts::from_stored(&stored), Err(VerdictError(7)));
    }

    proptest! {
        #[test]
        fn the_stored_form_holds_everything_and_is_no_longer_than_said(
            refused in proptest::collection::vec((0_u8..3, 0_i64..20, 0_usize..20_000), 0..40),
        ) {
            let mut verdicts = Verdicts::default();
            for (partition, sequence, index) in refused {
                verdicts.refuse(&Partition::new("hub", &partition.to_string()), sequence, index);
            }
            let stored = serde_json::to_string(&verdicts.to_stored()).unwrap();
            prop_assert!(verdicts.is_empty() || stored.len() <= verdicts.stored_length());
            let read = serde_json::from_str(&stored).unwrap();
            prop_assert_eq!(Verdicts::from_stored(&read), Ok(verdicts));
        }
    }
}
