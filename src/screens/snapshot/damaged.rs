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
        map.serialize_entry("deviceId", self.device.as_str())?;
        map.serialize_entry("problem", self.problem)?;
        let measured = self.catalogue.measurements().iter().map(|measurement| measurement.name.as_str());
        for name in measured.chain(["geo", "count"]) {
            map.serialize_entry(name, &())?;
        }
        // Lower than any state's: a client that holds an older state of the device replaces it when the row is repaired.
        map.serialize_entry("version", &0)?;
        for name in ["reportedAt", "changedAt"] {
            map.serialize_entry(name, &())?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use fieldcast_tables::{Deadline, Entity, MemoryStore};
    use tokio::time::Instant;

    use super::super::{Snapshots, Wanted, part, render, sort, to_send};
    use super::*;
    use crate::devices::rows::DeviceRows;
    use crate::screens::publish::RecordedPublisher;
    use crate::store::shard::Shards;
    use crate::store::{Store, tables};

    #[tokio::test(start_paused = true)]
    async fn a_device_whose_row_cannot_be_read_is_shown_with_its_problem() {
        let store = Arc::new(Store::new(Arc::new(MemoryStore::new()), Shards::new("Sydney", 1)));
        let soon = Instant::now() + Duration::from_secs(30);
        let table = store.table(tables::DEVICE_STATE, soon).await.unwrap();
        for (name, count) in [("a", "1"), ("b", "secret"), ("c", "3")] {
            let row = Entity::new("Sydney", name).with("Count", count).with("Schema", 1_i32);
            table.insert(&row, Deadline::at(soon)).await.unwrap();
        }
        let catalogue = Arc::new(Catalogue::environment());
        let devices = Arc::new(DeviceRows::new(store, Arc::clone(&catalogue)));
        let snapshots = Snapshots { devices, publisher: Arc::new(RecordedPublisher::new()) };
        let mut part = part(&snapshots, &Wanted::everything()).await.unwrap();
        sort(&mut part.states);
        let json: serde_json::Value = serde_json::from_str(&render(&part, &catalogue)).unwrap();
        let shown = json["devices"].as_array().unwrap();
        assert_eq!(
            shown.iter().map(|one| one["deviceId"].as_str().unwrap()).collect::<Vec<_>>(),
            ["a", "b", "c"]
        );
        let problem =
            "the column Count of this device's row cannot be read; nothing is counted until it is repaired";
        assert_eq!(shown[1]["problem"], problem);
        assert!(shown[0].get("problem").is_none());
        assert_eq!(to_send(&snapshots).await.unwrap().len(), 3, "posted ones as well");
    }

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
                r#""reportedAt":null,"changedAt":null}"#,
            )
        );
    }
}
