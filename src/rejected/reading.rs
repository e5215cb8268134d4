//! Rejected readings: why, what exactly was rejected, and the key that makes a second delivery of it the same row.

use crate::primitives::ids::{HubPartition, Position, forbidden_in_key};
use crate::primitives::instant::Millis;

/// Why a reading was rejected; stable codes that dashboards and scripts may rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not UTF-8, not JSON, empty, or nested too deep.
    Unreadable,
    /// JSON of another shape: no object, a string for a number. A unit that is not known.
    WrongType,
    /// An object in which no measurement, position or area is, by the catalogue's spellings.
    NothingKnown,
    /// One field twice, under one or several spellings.
    DuplicateField,
    /// A text beyond its limit, or with characters that cannot be kept.
    BadText,
    /// More readings in one body than any device sends.
    TooMany,
    /// No device id, or one that cannot be a key.
    DeviceId,
    /// A value outside its valid range after calibration.
    OutOfRange,
    /// The device's row cannot be read, so nobody knows what has been counted. Repair the row, then send again.
    DamagedState,
    /// The store does not take the device's row, for a reason that the detail repeats.
    NotStored,
}

impl Reason {
    /// The code as it is stored.
    pub fn code(self) -> &'static str {
        match self {
            Reason::Unreadable => "unreadable",
            Reason::WrongType => "wrong_type",
            Reason::NothingKnown => "nothing_known",
            Reason::DuplicateField => "duplicate_field",
            Reason::BadText => "bad_text",
            Reason::TooMany => "too_many",
            Reason::DeviceId => "device_id",
            Reason::OutOfRange => "out_of_range",
            Reason::DamagedState => "damaged_state",
            Reason::NotStored => "not_stored",
        }
    }

    /// The reason with this code.
    pub fn of_code(code: &str) -> Option<Reason> {
        let all = [
            Reason::Unreadable,
            Reason::WrongType,
            Reason::NothingKnown,
            Reason::DuplicateField,
            Reason::BadText,
            Reason::TooMany,
            Reason::DeviceId,
            Reason::OutOfRange,
            Reason::DamagedState,
            Reason::NotStored,
        ];
        all.into_iter().find(|reason| reason.code() == code)
    }
}

/// Why one reading cannot be counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejection {
    /// The kind.
    pub reason: Reason,
    /// A sentence for a person: which field, what was found, what is expected.
    pub detail: String,
    /// The device as claimed, where one is known; may be unusable as a key.
    pub device: Option<String>,
}

impl Rejection {
    /// A rejection of a device that is not known yet.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Rejection {
        Rejection { reason, detail: detail.into(), device: None }
    }
}

/// A rejected reading as it is kept in `RejectedTelemetry`.
#[derive(Clone, Debug, PartialEq)]
pub struct RejectedReading {
    /// Why.
    pub rejection: Rejection,
    /// The bytes as they came, at most [`RejectedReading::MOST_BYTES`] of them.
    pub body: Vec<u8>,
    /// How many bytes there were.
    pub body_length: usize,
    /// Where the event stands.
    pub position: Position,
    /// Which reading of the event, counted from 0.
    pub index: usize,
    /// When the hub enqueued the event, where known.
    pub enqueued_at: Option<Millis>,
    /// When it was rejected.
    pub rejected_at: Millis,
}

impl RejectedReading {
    /// A transaction of 100 rows may have 4 MiB; as base64 this is 32 KiB a row, 3.2 MiB in all, which leaves room for
    /// the other columns.
    pub const MOST_BYTES: usize = 24 * 1024;

    /// The device as claimed, fit to be kept and shown: at most 256 characters, control characters replaced.
    pub fn claimed_device(&self) -> Option<String> {
        let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        self.rejection.device.as_ref().map(|device| device.chars().take(256).map(shown).collect())
    }

    /// The partition key: the hub partition. `/` is not allowed in keys.
    pub fn partition_key(&self) -> String {
        partition_key(&self.position.partition)
    }

    /// The row key: the same for every delivery of the same reading, and newest first in key order. An event without
    /// a sequence number is known by its bytes.
    pub fn row_key(&self) -> String {
        match self.position.sequence {
            Some(sequence) => format!("{:019}-{:06}", i64::MAX - sequence.max(0), self.index),
            None => {
                let bytes = crate::primitives::stable_hash::stable_hash(&self.body);
                format!("x{:016x}-{:016x}-{:06}", bytes, self.enqueued_at.unwrap_or_default().0, self.index)
            }
        }
    }
}

/// The partition key under which the rejected readings of a hub partition are kept.
pub fn partition_key(partition: &HubPartition) -> String {
    let allowed = |c: char| if forbidden_in_key(c) { '-' } else { c };
    partition.as_str().chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected(sequence: Option<i64>, index: usize, body: &[u8]) -> RejectedReading {
        RejectedReading {
            rejection: Rejection::new(Reason::Unreadable, "the body is empty"),
            body: body.to_vec(),
            body_length: body.len(),
            position: Position { partition: HubPartition::new("hub", "3"), sequence },
            index,
            enqueued_at: Some(Millis(1)),
            rejected_at: Millis(2),
        }
    }

    #[test]
    fn keys_are_stable_and_newest_first() {
        let (older, newer) = (rejected(Some(12), 0, b"a"), rejected(Some(13), 0, b"b"));
        assert_eq!(older.partition_key(), "hub-3");
        assert!(newer.row_key() < older.row_key());
        assert!(rejected(Some(12), 0, b"a").row_key() < rejected(Some(12), 1, b"a").row_key());
        let mut later = rejected(Some(12), 0, b"a");
        later.rejected_at = Millis(99);
        assert_eq!(later.row_key(), older.row_key());
    }

    #[test]
    fn a_claimed_device_is_fit_to_be_kept() {
        let mut rejected = rejected(Some(1), 0, b"a");
        rejected.rejection.device = Some(format!("a\u{0}b{}", "x".repeat(1_000_000)));
        let claimed = rejected.claimed_device().unwrap();
        assert_eq!((claimed.chars().count(), &claimed[..5]), (256, "a\u{fffd}b"));
    }

    #[test]
    fn events_without_a_sequence_number_are_known_by_their_bytes() {
        assert_eq!(rejected(None, 0, b"a").row_key(), rejected(None, 0, b"a").row_key());
        assert_ne!(rejected(None, 0, b"a").row_key(), rejected(None, 0, b"b").row_key());
        assert_ne!(rejected(None, 0, b"a").row_key(), rejected(None, 1, b"a").row_key());
    }
}
