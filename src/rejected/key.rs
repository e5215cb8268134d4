//! Where a rejected body is kept: in a partition of its day, under a key that puts the newest first. Pure.
//!
//! - `PartitionKey`: the day on which the hub enqueued the event, counted backwards, and one of sixteen slots. The slots
//!   spread the rows of a day over partitions, each of which takes some 2,000 rows a second; the day lets old rows be
//!   found, and deleted, without a look at the others.
//! - `RowKey`: the enqueued time, counted backwards, then the hub's partition and the sequence number. So the order of row
//!   keys is newest first over all slots of a day, and an Event Hub that was made again under its name, whose numbers begin
//!   anew, does not meet old rows: its times are others.
//!
//! Every delivery of an event has the same key. An event without a sequence number is known by its bytes. One without an
//! enqueued time counts as enqueued in 1970, the last day of all.

use crate::primitives::ids::{HubPartition, Position, forbidden_in_key};
use crate::primitives::instant::Millis;
use crate::primitives::stable_hash::stable_hash;

/// Partitions of one day.
pub(super) const SLOTS: u64 = 16;

const MILLIS_OF_A_DAY: i64 = 24 * 60 * 60 * 1_000;

/// The greatest day, in the year 2243, and the number of digits of a day in a key. It begins with a 0, which names of Event
/// Hubs seldom do, so that rows of earlier versions, whose partitions begin with such a name, come last.
const LAST_DAY: i64 = 99_999;

/// The greatest time, in the year 2286.
const LAST_MILLI: i64 = 9_999_999_999_999;

/// Bytes of a hub partition's name in a key, which has room for 512.
const LONGEST_NAME: usize = 200;

/// The keys of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `PartitionKey`
    pub partition: String,
    /// `RowKey`
    pub row: String,
}

/// The keys of an event.
pub(super) fn of_position(position: &Position, enqueued_at: Option<Millis>, body: &[u8]) -> Key {
    let at = enqueued_at.unwrap_or_default();
    let event = match position.sequence {
        Some(sequence) => format!("{:019}", i64::MAX - sequence.max(0)),
        None => format!("x{:016x}-{}", stable_hash(body), body.len()),
    };
    let time = LAST_MILLI - at.0.clamp(0, LAST_MILLI);
    let row = format!("{time:013}-{}-{event}", name(&position.partition));
    let slot = stable_hash(row.as_bytes()) % SLOTS;
    Key { partition: format!("{}-{slot:02}", day(at)), row }
}

/// What the partition keys of a time's day begin with.
pub(super) fn day(at: Millis) -> String {
    format!("{:06}", LAST_DAY - (at.0 / MILLIS_OF_A_DAY).clamp(0, LAST_DAY))
}

/// The rows that belong together: those of a day, or of a hub partition in the layout of earlier versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group<'a> {
    /// A day, with [`SLOTS`] partitions.
    Day(&'a str),
    /// One partition.
    Earlier(&'a str),
}

impl<'a> Group<'a> {
    /// The group of a partition.
    pub(super) fn of_partition(partition: &'a str) -> Group<'a> {
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match partition.split_once('-') {
            Some((day, slot)) if day.len() == 6 && slot.len() == 2 && is_number(day) && is_number(slot) => {
                Group::Day(day)
            }
            _ => Group::of_name(partition),
        }
    }

    /// The group with this name.
    pub(super) fn of_name(name: &'a str) -> Group<'a> {
        match name.len() == 6 && name.bytes().all(|byte| byte.is_ascii_digit()) {
            true => Group::Day(name),
            false => Group::Earlier(name),
        }
    }

    /// The name.
    pub(super) fn name(self) -> &'a str {
        match self {
            Group::Day(name) | Group::Earlier(name) => name,
        }
    }

    /// Its partitions.
    pub(super) fn partitions(self) -> Vec<String> {
        match self {
            Group::Day(day) => (0..SLOTS).map(|slot| format!("{day}-{slot:02}")).collect(),
            Group::Earlier(partition) => vec![partition.to_owned()],
        }
    }

    /// A key that is not before any of its partitions, and before those of the next group.
    pub(super) fn end(self) -> String {
        match self {
            Group::Day(day) => format!("{day}-99"),
            Group::Earlier(partition) => partition.to_owned(),
        }
    }

    /// Whether the times of its events say how old its rows are.
    pub(super) fn is_dated(self) -> bool {
        matches!(self, Group::Day(name) if name != day(Millis::default()))
    }
}

/// The name of a hub partition as part of a key: what keys cannot hold is written as `~` and two hexadecimal digits, and a
/// name that is too long ends in a hash of the whole.
fn name(partition: &HubPartition) -> String {
    let mut name = String::new();
    for c in partition.as_str().chars() {
        match forbidden_in_key(c) || c == '~' || !c.is_ascii() {
            true => c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| name += &format!("~{byte:02x}")),
            false => name.push(c),
        }
    }
    if name.len() > LONGEST_NAME {
        name.truncate(LONGEST_NAME - 17);
        name += &format!("~{:016x}", stable_hash(partition.as_str().as_bytes()));
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(
        partition: &str,
        sequence: impl Into<Option<i64>>,
        at: impl Into<Option<i64>>,
        body: &[u8],
    ) -> Key {
        let position =
            Position { partition: HubPartition::from_stored(partition), sequence: sequence.into() };
        of_position(&position, at.into().map(Millis), body)
    }

    #[test]
    fn keys_are_what_is_written_to_storage() {
        let key = key("hub/3", 12, 1_732_150_631_123, b"{}");
        assert_eq!(key.partition, "079951-13");
        assert_eq!(key.row, "8267849368876-hub~2f3-9223372036854775795");
    }

    #[test]
    fn events_without_a_sequence_number_are_known_by_their_bytes() {
        assert_eq!(key("hub/3", None, 1, b"a"), key("hub/3", None, 1, b"a"));
        assert_ne!(key("hub/3", None, 1, b"a"), key("hub/3", None, 1, b"b"));
        assert_eq!(key("hub/3", None, None, b"a").partition[..6], *"099999");
    }

    #[test]
    fn a_hub_that_was_made_again_does_not_meet_old_rows() {
        assert_ne!(key("hub/3", 0, 1_000, b"a"), key("hub/3", 0, 2_000, b"a"));
    }

    #[test]
    fn names_in_keys_are_told_apart() {
        let names = [
            "hub/3",
            "hub-3",
            "hub~2f3",
            "hub\\3",
            "hub\u{1}3",
            "hübsch/3",
            &"n".repeat(999),
            &"n".repeat(998),
        ];
        for (at, one) in names.iter().enumerate() {
            let row = key(one, 1, 1, b"").row;
            assert!(row.len() < 300 && !row.contains(forbidden_in_key), "{row}");
            assert!(names[..at].iter().all(|other| key(other, 1, 1, b"").row != row), "{one}");
        }
    }

    #[test]
    fn groups_follow_from_partitions() {
        assert_eq!(Group::of_partition("079951-15"), Group::Day("079951"));
        assert!(Group::of_partition("079951-15").is_dated());
        assert!(!Group::of_partition("099999-15").is_dated(), "events without a time");
        assert_eq!(Group::of_partition("hub-15"), Group::Earlier("hub-15"));
        assert_eq!(Group::of_partition("079951-15").partitions().len(), 16);
    }

    proptest! {
        #[test]
        fn the_newest_comes_first_and_days_are_together(
            one in 0..9_999_999_999_999_i64, other in 0..9_999_999_999_999_i64, sequence: i64,
        ) {
            let (older, newer) = (key("hub/0", sequence, one.min(other), b""), key("hub/0", sequence, one.max(other), b""));
            prop_assert!(newer.row <= older.row);
            prop_assert!(newer.partition[..6] <= older.partition[..6]);
            let Group::Day(day) = Group::of_partition(&newer.partition) else { panic!("{newer:?}") };
            prop_assert!(Group::Day(day).partitions().contains(&newer.partition));
            let later = key("hub/0", 8, one, b"");
            prop_assert!(later.row < key("hub/0", 7, one, b"").row);
        }
    }
}
