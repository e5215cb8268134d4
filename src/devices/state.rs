//! What is known of one device: the row that is kept exact. Plain data; how it changes is in `fold`.

use litemap::LiteMap;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

use crate::devices::verdicts::Verdicts;
use crate::primitives::ids::{DeviceId, HubPartition};
use crate::primitives::instant::Millis;
use crate::primitives::json::to_json;
use crate::telemetry::catalogue::Catalogue;
use crate::telemetry::measured::Measured;

/// When something was said, as a total order: the time, then the partition. The time is when it was measured, where somebody
/// said so, and otherwise when the hub enqueued it. Enqueued times never run backwards within a partition (see
/// [`Watermark`]), so their order agrees with the order of the stream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Measured or enqueued.
    pub at: Millis,
    /// The partition it came from.
    pub partition: HubPartition,
}

/// A value with its stamp: the greatest stamp wins, in whatever order readings are folded.
#[derive(Clone, Debug, PartialEq)]
pub struct Latest<T> {
    /// The value.
    pub value: T,
    /// When it was said.
    pub stamp: Stamp,
}

/// How far one partition has been folded into a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watermark {
    /// The highest sequence number folded in. Events at or below it have been counted.
    pub sequence: i64,
    /// When the hub enqueued the event with that number. Unknown in rows of version 0.1.0.
    pub enqueued_at: Option<Millis>,
    /// When the hub enqueued the first event that was folded in. What it enqueued long before is of an earlier stream. Unknown
    /// where version 0.1.0 folded it in.
    pub began: Option<Millis>,
    /// The latest enqueued time of a counted reading up to there. A hub's clock may step back; order within a partition
    /// is by sequence number, so a later event never gets an earlier time than this. Rejected readings do not move it:
    /// they may be seen again in another batch.
    pub at: Millis,
}

/// Names a write of a device's row. Every try to make it carries the same name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteId {
    /// The invocation, by its random number.
    pub invocation: u64,
    /// The first of the device's arrivals in that invocation that this write folds in.
    pub from: u32,
}

/// One device's state.
#[derive(Clone, Debug, PartialEq)]
pub struct DeviceState {
    /// The device.
    pub device: DeviceId,
    /// The area it last named.
    pub geo: Option<Latest<String>>,
    /// The last message id.
    pub message_id: Option<Latest<String>>,
    /// The last value of each measurement, by position in the catalogue.
    pub values: Vec<Option<Latest<Measured>>>,
    /// Valid readings ever.
    pub count: i64,
    /// Grows by one with every write; screens converge by it.
    pub version: i64,
    /// Per partition, how far it has been folded in. A sorted list, since nearly every device has one partition, and ten
    /// thousand devices are kept in memory: a tree takes 400 bytes for its first entry.
    pub watermarks: LiteMap<HubPartition, Watermark>,
    /// Which readings of recent events were rejected for their range.
    pub verdicts: Verdicts,
    /// Names the write that the row stems from, so that a write whose answer was lost is recognised.
    pub write_id: WriteId,
    /// When the newest reading was enqueued.
    pub reported: Option<Stamp>,
    /// When the newest values were measured; the same where nobody said so.
    pub measured: Option<Stamp>,
    /// When a value last became a different one: a steady device is told from a silent one.
    pub changed_at: Option<Millis>,
    /// The calibration that was applied last; empty where there was none.
    pub calibration: String,
}

impl DeviceState {
    /// A device that has not been heard of.
    pub fn new(device: DeviceId, catalogue: &Catalogue) -> DeviceState {
        DeviceState {
            device,
            geo: None,
            message_id: None,
            values: vec![None; catalogue.measurements().len()],
            count: 0,
            version: 0,
            watermarks: LiteMap::with_capacity(1),
            verdicts: Verdicts::default(),
            write_id: WriteId::default(),
            reported: None,
            measured: None,
            changed_at: None,
            calibration: String::new(),
        }
    }

    /// Whether anything was ever counted. A device of which everything was rejected has a row, for the verdicts, but
    /// nothing to show.
    pub fn is_heard(&self) -> bool {
        self.count > 0
    }

    /// The state as clients see it, in the snapshot and in live messages alike.
    pub fn view<'a>(&'a self, catalogue: &'a Catalogue) -> View<'a> {
        View { state: self, catalogue }
    }
}

/// A device state with the names that its catalogue gives to its values; serialises to the one client schema.
pub struct View<'a> {
    state: &'a DeviceState,
    catalogue: &'a Catalogue,
}

impl View<'_> {
    /// The client schema as JSON.
    pub fn to_json(&self) -> Vec<u8> {
        to_json(self).into_bytes()
    }
}

impl Serialize for View<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let state = self.state;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("deviceId", &state.device.device())?;
        for (name, part) in [("module", state.device.module()), ("component", state.device.component())] {
            if let Some(part) = part {
                map.serialize_entry(name, &part)?;
            }
        }
        for (measurement, value) in self.catalogue.measurements().iter().zip(&state.values) {
            map.serialize_entry(&measurement.name, &value.as_ref().map(|latest| &latest.value))?;
        }
        map.serialize_entry("geo", &state.geo.as_ref().map(|latest| &latest.value))?;
        map.serialize_entry("count", &state.count)?;
        map.serialize_entry("version", &state.version)?;
        let time = |stamp: &Option<Stamp>| stamp.as_ref().map(|stamp| stamp.at.to_text());
        map.serialize_entry("reportedAt", &time(&state.reported))?;
        map.serialize_entry("measuredAt", &time(&state.measured))?;
        map.serialize_entry("changedAt", &state.changed_at.map(Millis::to_text))?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_schema_is_fixed() {
        let catalogue = Catalogue::environment();
        let mut state = DeviceState::new(DeviceId::parse("sensor-1").unwrap(), &catalogue);
        let stamp = Stamp { at: Millis(1_732_150_631_123), partition: HubPartition::new("hub", "0") };
        state.values[0] = Some(Latest { value: 0.0.into(), stamp: stamp.clone() });
        state.geo = Some(Latest { value: "Sydney".to_owned(), stamp: stamp.clone() });
        state.measured = Some(Stamp { at: Millis(1_732_150_600_000), ..stamp.clone() });
        state.reported = Some(stamp);
        state.changed_at = Some(Millis(1_732_150_631_000));
        (state.count, state.version) = (7, 3);
        assert_eq!(
            serde_json::to_string(&state.view(&catalogue)).unwrap(),
            concat!(
                r#"{"deviceId":"sensor-1","temperature":0.0,"pressure":null,"humidity":null,"light":null,"#,
                r#""latitude":null,"longitude":null,"geo":"Sydney","count":7,"version":3,"#,
                r#""reportedAt":"2024-11-21T00:57:11.123Z","measuredAt":"2024-11-21T00:56:40.000Z","#,
                r#""changedAt":"2024-11-21T00:57:11.000Z"}"#
            )
        );
    }

    #[test]
    fn parts_of_a_device_are_told_apart_by_their_names() {
        let catalogue = Catalogue::environment();
        let device = DeviceId::parse("L#1").unwrap().part(Some("edge"), Some("a|b")).unwrap();
        let json = serde_json::to_value(DeviceState::new(device, &catalogue).view(&catalogue)).unwrap();
        assert_eq!(
            (&json["deviceId"], &json["module"], &json["component"]),
            (&"L#1".into(), &"edge".into(), &"a|b".into())
        );
    }
}
