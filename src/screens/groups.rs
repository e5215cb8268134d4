//! SignalR groups: what clients can follow, and the names that the groups have at the service.

use std::fmt;

use crate::primitives::ids::{DeviceId, DeviceIdError};
use crate::primitives::stable_hash::stable_hash;

/// The most bytes of an area as it stands in an address, percent-encoded. An address is also part of the token that goes
/// with it, of which the service takes 4,096 characters.
const LONGEST_AREA: usize = 2_000;

/// Devices are spread over so many buckets: a fleet of 10,000 with one followed device is looked after with some 500
/// questions to the service instead of 10,000, and with a hundred followed devices with some 2,300.
const BUCKETS: u64 = 512;

/// What a client can follow.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Every device.
    All,
    /// The devices of an area.
    Area(String),
    /// One device.
    Device(DeviceId),
    /// Not to be followed as such: everybody who follows a device of this bucket is in it. While it is empty, nobody
    /// follows any of its devices.
    Bucket(u64),
}

/// Why a text names no group that can be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Of no known form.
    #[error("a group is `all`, `geo:<area>` or `device:<device id>`, percent-encoded in the address")]
    Unknown,
    /// No area, or only white space.
    #[error("the area of the group is blank")]
    BlankArea,
    /// More than anybody calls an area.
    #[error("the area of the group takes {0} bytes percent-encoded, at most {LONGEST_AREA} are allowed")]
    LongArea(usize),
    /// Line breaks and the like, which the service does not take.
    #[error("the area of the group contains a control character")]
    ForbiddenInArea,
    /// No device can be called so.
    #[error(transparent)]
    Device(#[from] DeviceIdError),
}

impl Group {
    /// Reads the name of a group that can be followed.
    pub fn parse(text: &str) -> Result<Group, GroupError> {
        match text.split_once(':') {
            None if text == "all" => Ok(Group::All),
            Some(("geo", area)) => Group::area(area),
            Some(("device", device)) => Ok(Group::Device(DeviceId::parse(device)?)),
            _ => Err(GroupError::Unknown),
        }
    }

    /// The group of an area, if it can be followed.
    pub fn area(area: &str) -> Result<Group, GroupError> {
        match encoded_length(area) {
            _ if area.trim().is_empty() => Err(GroupError::BlankArea),
            length if length > LONGEST_AREA => Err(GroupError::LongArea(length)),
            _ if area.contains(char::is_control) => Err(GroupError::ForbiddenInArea),
            _ => Ok(Group::Area(area.to_owned())),
        }
    }

    /// The bucket of a device.
    pub fn bucket(device: &DeviceId) -> Group {
        Group::Bucket(stable_hash(device.as_str().as_bytes()) % BUCKETS)
    }
}

fn encoded_length(text: &str) -> usize {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if stays(byte) { 1 } else { 3 }).sum()
}

/// The name at the service.
impl fmt::Display for Group {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Group::All => out.write_str("all"),
            Group::Area(area) => write!(out, "geo:{area}"),
            Group::Device(device) => write!(out, "device:{}", device.device()),
            Group::Bucket(bucket) => write!(out, "devices:{bucket}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_are_read_from_their_names() {
        let device = DeviceId::parse("d:1").unwrap();
        for (text, group) in [
            ("all", Group::All),
            ("geo:Sydney", Group::Area("Sydney".into())),
            ("geo: N/S: ü", Group::Area(" N/S: ü".into())),
            ("device:d:1", Group::Device(device)),
        ] {
            assert_eq!(Group::parse(text), Ok(group.clone()));
            assert_eq!(group.to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_its_reason() {
        let long = "ü".repeat(LONGEST_AREA / 6) + "abc";
        assert!(Group::area(&long[..long.len() - 1]).is_ok());
        for (text, error) in [
            ("", GroupError::Unknown),
            ("All", GroupError::Unknown),
            ("..", GroupError::Unknown),
            ("devices:3", GroupError::Unknown),
            ("GEO:Sydney", GroupError::Unknown),
            ("geo:", GroupError::BlankArea),
            ("geo: \t", GroupError::BlankArea),
            ("geo:a\nb", GroupError::ForbiddenInArea),
            (&format!("geo:{long}"), GroupError::LongArea(LONGEST_AREA + 1)),
            ("device:", DeviceIdError::Empty.into()),
            ("device:a\u{1}b", DeviceIdError::Forbidden('\u{1}').into()),
        ] {
            assert_eq!(Group::parse(text), Err(error), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_group_that_is_taken_keeps_its_name(text in any::<String>()) {
            for text in [text.clone(), format!("geo:{text}"), format!("device:{text}")] {
                if let Ok(group) = Group::parse(&text) {
                    prop_assert_eq!(group.to_string(), text);
                }
            }
        }
    }
}
