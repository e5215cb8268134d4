//! SignalR groups: what clients can follow, and the names that the groups have at the service.

use std::fmt;

use crate::primitives::area::{self, AreaError};
use crate::primitives::ids::{DeviceId, DeviceIdError};
use crate::primitives::stable_hash::stable_hash;

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
    /// No text of an area.
    #[error("the area of the group {0}")]
    Area(#[from] AreaError),
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
        area::check(area)?;
        Ok(Group::Area(area.to_owned()))
    }

    /// The bucket of a device.
    pub fn bucket(device: &DeviceId) -> Group {
        Group::Bucket(stable_hash(device.as_str().as_bytes()) % BUCKETS)
    }
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
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::rejected::reading::Reason;
    use crate::telemetry::body;
    use crate::telemetry::catalogue::Catalogue;

    static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::environment);

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
        let long = "ü".repeat(333) + "abc";
        assert!(Group::area(&long[..long.len() - 1]).is_ok());
        for (text, error) in [
            ("", GroupError::Unknown),
            ("All", GroupError::Unknown),
            ("..", GroupError::Unknown),
            ("devices:3", GroupError::Unknown),
            ("GEO:Sydney", GroupError::Unknown),
            ("geo:", AreaError::Blank.into()),
            ("geo: \t", AreaError::Blank.into()),
            ("geo:a\nb", AreaError::Forbidden.into()),
            (&format!("geo:{long}"), AreaError::Long(2_001).into()),
            ("device:", DeviceIdError::Empty.into()),
            ("device:a\u{1}b", DeviceIdError::Forbidden('\u{1}').into()),
        ] {
            assert_eq!(Group::parse(text), Err(error), "{text:?}");
        }
    }

    /// Areas as devices write them: short ones, long ones, and texts around the limits.
    fn areas() -> impl Strategy<Value = String> {
        let long = ("[a🜚ü ]", 100..260_usize).prop_map(|(text, times)| text.repeat(times));
        prop_oneof![any::<String>(), "[ \\t\\u{a0}a]{0,3}", "(?s).{250,260}", long]
    }

    proptest! {
        /// What a page offers it can also join.
        #[test]
        fn an_area_that_telemetry_accepts_can_be_followed(area in areas()) {
            let body = serde_json::json!({ "temperature": 20, "geo": area }).to_string();
            let [found] = &body::read(body.as_bytes(), None, Some("a"), &CATALOGUE)[..] else { panic!("one reading") };
            match &found.outcome {
                Ok(reading) => {
                    let followed = reading.geo.as_deref().map(Group::area);
                    prop_assert_eq!(followed, (!area.trim().is_empty()).then_some(Ok(Group::Area(area))));
                }
                Err(rejection) => prop_assert_eq!(rejection.reason, Reason::BadText),
            }
        }

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
