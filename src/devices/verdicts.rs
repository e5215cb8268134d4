//! Verdicts: which readings of recent events were rejected for their range. They are part of the device's row, so that
//! "counted" or "rejected" is decided once, in the conditional write that also moves the watermark. A second delivery, or
//! a second owner of the partition, finds the verdict there and does not judge again with a calibration of its own.
//!
//! A verdict is needed until its rejection is kept in `RejectedTelemetry`. The hub goes on behind an event only after an
//! invocation with it has succeeded, so a batch that begins behind an event proves that its verdict can be forgotten.

use std::collections::BTreeMap;

use crate::primitives::ids::HubPartition;

/// Rejected readings by partition, sequence number and index within the event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verdicts(BTreeMap<HubPartition, BTreeMap<i64, Indices>>);

/// A set of small numbers, one bit each: an event has up to 20,000 readings, and all of them may be rejected.
#[derive(Clone, Debug, Default, PartialEq)]
struct Indices(Vec<u8>);

impl Verdicts {
    /// Notes that a reading was rejected.
    pub fn reject(&mut self, partition: &HubPartition, sequence: i64, index: usize) {
        let events = self.0.entry(partition.clone()).or_default();
        events.entry(sequence).or_default().insert(index);
    }

    /// Whether the reading at this place was rejected. Events without a sequence number have no verdicts.
    pub fn is_rejected(&self, partition: &HubPartition, sequence: Option<i64>, index: usize) -> bool {
        let found = sequence.and_then(|sequence| self.0.get(partition)?.get(&sequence));
        found.is_some_and(|indices| indices.contains(index))
    }

    /// Moves what is known of a partition to another name, in place of what was there.
    pub fn rename(&mut self, from: &HubPartition, to: HubPartition) {
        match self.0.remove(from) {
            Some(events) => self.0.insert(to, events),
            None => self.0.remove(&to),
        };
    }

    /// Drops the verdicts of a partition below a sequence number: a delivery that begins there follows a success.
    pub fn forget_before(&mut self, partition: &HubPartition, sequence: i64) {
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

    /// About how many bytes the packed form has; never less.
    pub fn packed_length(&self) -> usize {
        /// Numbers of up to ten bytes each: the partition and how many events follow; the event and how many bytes.
        const NUMBERS: usize = 20;
        let event = |indices: &Indices| NUMBERS + indices.0.len();
        let events = |events: &BTreeMap<i64, Indices>| NUMBERS + events.values().map(event).sum::<usize>();
        self.0.values().map(events).sum()
    }

    /// Each partition with its events and their bits, for the packed column.
    pub(crate) fn events(&self) -> impl Iterator<Item = (&HubPartition, impl Iterator<Item = (i64, &[u8])>)> {
        self.0.iter().map(|(partition, events)| {
            (partition, events.iter().map(|(&sequence, indices)| (sequence, indices.0.as_slice())))
        })
    }

    /// Each event with the indices of its rejected readings.
    pub fn listed(&self) -> Vec<(&HubPartition, i64, Vec<usize>)> {
        let mut list = Vec::new();
        for (partition, events) in &self.0 {
            for (sequence, indices) in events {
                let rejected = (0..indices.0.len() * 8).filter(|&index| indices.contains(index));
                list.push((partition, *sequence, rejected.collect()));
            }
        }
        list
    }

    /// Adds an event with its bits, as it was packed.
    pub(crate) fn insert(&mut self, partition: &HubPartition, sequence: i64, bits: Vec<u8>) {
        self.0.entry(partition.clone()).or_default().insert(sequence, Indices(bits));
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

    fn partition(name: &str) -> HubPartition {
        HubPartition::new("hub", name)
    }

    fn verdicts(rejected: &[(&str, i64, usize)]) -> Verdicts {
        let mut verdicts = Verdicts::default();
        for (partition, sequence, index) in rejected {
            verdicts.reject(&HubPartition::new("hub", partition), *sequence, *index);
        }
        verdicts
    }

    #[test]
    fn only_what_was_rejected_is_rejected() {
        let verdicts = verdicts(&[("0", 7, 0), ("0", 7, 9)]);
        let rejected = (0..20).filter(|&index| verdicts.is_rejected(&partition("0"), Some(7), index));
        assert_eq!(rejected.collect::<Vec<_>>(), [0, 9]);
        assert!(!verdicts.is_rejected(&partition("1"), Some(7), 0));
        assert!(!verdicts.is_rejected(&partition("0"), Some(8), 0));
        assert!(!verdicts.is_rejected(&partition("0"), None, 0));
    }

    #[test]
    fn what_lies_before_a_delivery_is_forgotten() {
        let mut verdicts = verdicts(&[("0", 7, 0), ("0", 8, 0), ("1", 1, 0)]);
        verdicts.forget_before(&HubPartition::new("hub", "0"), 8);
        assert_eq!(verdicts, self::verdicts(&[("0", 8, 0), ("1", 1, 0)]));
        verdicts.forget_before(&HubPartition::new("hub", "0"), 9);
        verdicts.forget_before(&HubPartition::new("hub", "1"), 9);
        assert!(verdicts.is_empty());
    }
}
