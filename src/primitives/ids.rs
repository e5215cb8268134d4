//! Names that arrive from outside and become storage keys: device ids and positions in the event stream.

use std::fmt;
use std::sync::Arc;

/// Characters that Table Storage refuses in partition and row keys.
pub(crate) fn forbidden_in_key(c: char) -> bool {
    matches!(c, '/' | '\\' | '#' | '?') || c.is_control()
}

/// A device's identity: what the hub stamped, or the body's id where no hub did. Always usable as a row key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId(Arc<str>);

/// Why a text cannot be a device id. The text itself is not repeated: it may be long or unprintable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceIdError {
    /// No characters at all.
    #[error("the device id is empty")]
    Empty,
    /// Longer than IoT Hub allows.
    #[error("the device id has {0} characters, at most 128 are allowed")]
    TooLong(usize),
    /// A character that Table Storage refuses in keys.
    #[error("the device id contains {0:?}; / \\ # ? and control characters cannot be stored as a key")]
    Forbidden(char),
}

impl DeviceId {
    /// IoT Hub's own limit for device ids; far below Table Storage's 1 KiB for keys.
    pub const MAX_CHARS: usize = 128;

    /// Checks length and characters. IoT Hub allows `#` and `?` in ids, Table Storage does not allow them in keys.
    pub fn parse(text: &str) -> Result<DeviceId, DeviceIdError> {
        // Nearly all ids are short and plain, which one look at each byte settles.
        let is_plain = |byte: u8| byte.is_ascii_graphic() && !forbidden_in_key(byte.into());
        if (1..=Self::MAX_CHARS).contains(&text.len()) && text.bytes().all(is_plain) {
            return Ok(DeviceId(text.into()));
        }
        if text.is_empty() {
            return Err(DeviceIdError::Empty);
        }
        let length = text.chars().count();
        if length > Self::MAX_CHARS {
            return Err(DeviceIdError::TooLong(length));
        }
        match text.chars().find(|&c| forbidden_in_key(c)) {
            Some(forbidden) => Err(DeviceIdError::Forbidden(forbidden)),
            None => Ok(DeviceId(text.into())),
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?}", &*self.0)
    }
}

/// One partition of one hub, as `<event hub>/<partition>`. The hub's name is part of it because a deleted and
/// re-created hub starts again at sequence number 0 under a new Event Hub-compatible name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HubPartition(Arc<str>);

impl HubPartition {
    /// The partition that the host named.
    pub fn new(event_hub: &str, partition_id: &str) -> HubPartition {
        HubPartition(format!("{event_hub}/{partition_id}").into())
    }

    /// The partition of events whose host did not say where they came from (a manual run).
    pub fn unknown() -> HubPartition {
        HubPartition("?".into())
    }

    /// A partition as it was written to storage.
    pub fn from_stored(text: &str) -> HubPartition {
        HubPartition(text.into())
    }

    /// `<event hub>/<partition>`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where an event stands in the stream. Sequence numbers grow by one per event within a partition; an event without
/// one cannot be recognised when it is delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// The partition.
    pub partition: HubPartition,
    /// The sequence number in it, where the host gave one.
    pub sequence: Option<i64>,
}

#[cfg(test)]
mod tests {
    use super::{DeviceId, DeviceIdError};

    #[test]
    fn ids_that_cannot_be_keys_are_refused() {
        for (text, forbidden) in [
            ("a/b", '/'),
            ("a\\b", '\\'),
            ("a#b", '#'),
            ("a?b", '?'),
            ("a\u{1}b", '\u{1}'),
            ("\u{9f}", '\u{9f}'),
        ] {
            assert_eq!(DeviceId::parse(text), Err(DeviceIdError::Forbidden(forbidden)));
        }
        assert_eq!(DeviceId::parse(""), Err(DeviceIdError::Empty));
        assert_eq!(DeviceId::parse(&"x".repeat(129)), Err(DeviceIdError::TooLong(129)));
    }

    #[test]
    fn ids_that_iot_hub_and_storage_both_allow_are_kept() {
        for text in ["sensor-1", "a.b:c_d@e=f", "O'Brien", "%(x)+$*!,", "ü", &"x".repeat(128)] {
            assert_eq!(DeviceId::parse(text).unwrap().as_str(), text);
        }
    }
}
