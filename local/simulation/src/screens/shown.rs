//! What one screen shows: states by version, of everything or of one area.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::plan::Moment;
use crate::protection::Protection;
use crate::world::World;

/// A reply of `getdevicestate`.
pub(crate) struct Snapshot {
    pub(crate) devices: Vec<Value>,
    /// Devices that changed and are not in the area asked for.
    pub(crate) elsewhere: Vec<Value>,
    pub(crate) cursor: String,
}

/// The state of a screen.
pub(super) struct Shown {
    /// Which one it is.
    screen: usize,
    /// The area that it follows, where it does not follow everything.
    pub(super) area: Option<&'static str>,
    pub(super) listening: bool,
    /// Live messages that wait for a snapshot.
    pub(super) held: Option<Vec<Value>>,
    /// States as they were last heard. One that is in another area is kept, and not shown: an older one must not bring
    /// it back.
    devices: BTreeMap<String, Value>,
    /// From where the store is asked for changes.
    pub(super) cursor: Option<String>,
    /// When the snapshot was asked for that was loaded last.
    pub(super) loaded: Option<Moment>,
}

impl Shown {
    /// A screen that has heard of nothing yet.
    pub(super) fn new(screen: usize, area: Option<&'static str>) -> Shown {
        Shown {
            screen,
            area,
            listening: false,
            held: None,
            devices: BTreeMap::new(),
            cursor: None,
            loaded: None,
        }
    }

    /// An announcement arrives.
    pub(super) fn hear(&mut self, world: &World, states: &[Value]) {
        if !self.listening {
            return;
        }
        match &mut self.held {
            Some(held) => held.extend_from_slice(states),
            None => self.show(world, states),
        }
    }

    /// Shows a snapshot and what was held back meanwhile.
    pub(super) fn take_snapshot(&mut self, world: &World, asked: Moment, snapshot: &Snapshot) {
        self.show(world, &snapshot.devices);
        if world.without != Some(Protection::Elsewhere) {
            self.show(world, &snapshot.elsewhere);
        }
        let held = self.held.take().unwrap_or_default();
        self.show(world, &held);
        self.cursor = Some(snapshot.cursor.clone());
        self.loaded = Some(asked);
    }

    /// Devices that have been counted and are in the area.
    pub(super) fn devices(&self) -> BTreeMap<String, Value> {
        let counted = self.devices.iter().filter(|(_, state)| whole(state, "count") > 0);
        let here = counted.filter(|(_, state)| self.follows(state));
        here.map(|(device, state)| (device.clone(), state.clone())).collect()
    }

    fn follows(&self, state: &Value) -> bool {
        self.area.is_none_or(|area| state["geo"] == json!(area))
    }

    fn show(&mut self, world: &World, states: &[Value]) {
        let screen = self.screen;
        for state in states {
            let device = state["deviceId"].as_str().unwrap_or_default().to_owned();
            let version = whole(state, "version");
            let Some(before) = self.devices.get(&device) else {
                if self.follows(state) {
                    self.devices.insert(device, state.clone());
                }
                continue;
            };
            let shows = whole(before, "version");
            let older = version < shows;
            let whole_states = is_whole(before) && is_whole(state);
            if version == shows && whole_states && before != state {
                let detail = format!("screen {screen}, {device}: {before} and {state}");
                world.violated("one version is one state", detail);
            }
            if older && world.without == Some(Protection::ScreenVersion) {
                let detail = format!("screen {screen}, {device}: version {version} after {shows}");
                world.violated("no screen shows older after newer", detail);
            }
            if version > shows || world.without == Some(Protection::ScreenVersion) {
                self.devices.insert(device, state.clone());
            }
        }
    }
}

/// Of a device elsewhere a snapshot tells only where, and in which version.
fn is_whole(state: &Value) -> bool {
    state.get("count").is_some()
}

fn whole(state: &Value, field: &str) -> i64 {
    state[field].as_i64().unwrap_or_default()
}
