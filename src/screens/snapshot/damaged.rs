//! A device whose row cannot be read, as clients see it: it must not vanish from the screens. The members are those of a
//! device state, all of them null, and the problem.

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::primitives::ids::DeviceId;
use crate::telemetry::catalogue::Catalogue;

/// The device and what is wrong with its row.
pub(super) struct DamagedView<'a> {
    pub(super) device: &'a DeviceId,
    pub(super) problem: &'a str,
    pub(super) catalogue: &'a Catalogue,
}

impl Serialize for DamagedView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("deviceId", &self.device.device())?;
        for (name, part) in [("module", self.device.module()), ("component", self.device.component())] {
            if let Some(part) = part {
                map.serialize_entry(name, &part)?;
            }
        }
        map.serialize_entry("problem", self.problem)?;
        let measured = self.catalogue.measurements().iter().map(|measurement| measurement.name.as_str());
        for name in measured.chain(["geo", "count"]) {
            map.serialize_entry(name, &())?;
        }
        // Lower than any state's: a client that holds an older state of the device replaces it when the row is repaired.
        map.serialize_entry("version", &0)?;
        for name in ["reportedAt", "measuredAt", "changedAt"] {
            map.serialize_entry(name, &())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_are_those_of_a_state() {
        let device = DeviceId::parse("sensor-1").unwrap();
        let catalogue = Catalogue::environment();
        let view = DamagedView { device: &device, problem: "why", catalogue: &catalogue };
        assert_eq!(
            serde_json::to_string(&view).unwrap(),
            concat!(
                r#"{"deviceId":"sensor-1","problem":"why","temperature":null,"pressure":null,"humidity":null,"#,
                r#""light":null,"latitude":null,"longitude":null,"geo":null,"count":null,"version":0,"#,
                r#""reportedAt":null,"measuredAt":null,"changedAt":null}"#,
            )
        );
    }
}
