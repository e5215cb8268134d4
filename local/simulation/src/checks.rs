//! The checks after quiet: what the tables and the screens hold against what the devices said.

mod expected;

use std::collections::BTreeMap;

use fieldcast::devices::state::DeviceState;
use fieldcast::rejected::refusal::Refusal;

use self::expected::{Device, Told};
use crate::plan::Fault;
use crate::screens::{Screens, WATCHING};
use crate::world::World;

/// The promise that everything else serves.
pub(crate) const COUNTED_ONCE: &str = "every reading is counted once or refused once";

/// Looks at everything.
pub(crate) fn check_all(world: &World, screens: &Screens) {
    check_refusals(world);
    for (number, device) in world.workload.devices.iter().enumerate() {
        let told = Device::of(world, number);
        let state = world.tables().state(device).cloned();
        check_sides(world, device, &told);
        check_count(world, device, &told, state.as_ref());
        if let Some(state) = &state {
            check_values(world, device, &told, state);
        }
    }
    check_screens(world, screens);
    check_failures(world);
}

/// Each refused reading stands once.
fn check_refusals(world: &World) {
    let mut seen: BTreeMap<(String, Option<i64>, usize, Vec<u8>), usize> = BTreeMap::new();
    for refusal in world.tables().refusals() {
        let Refusal { position, index, body, .. } = refusal;
        let place = (position.partition.as_str().to_owned(), position.sequence, *index, body.clone());
        *seen.entry(place).or_default() += 1;
    }
    for ((partition, sequence, index, _), times) in seen {
        if times > 1 {
            let detail = format!("partition {partition}, event {sequence:?}, reading {index}: {times} rows");
            world.violated("each refused reading stands once", detail);
        }
    }
}

/// A reading that no calibration changes the verdict of is where it belongs.
fn check_sides(world: &World, device: &str, told: &Device) {
    for reading in told.readings.iter().filter(|reading| reading.is_certain()) {
        let Told { place, may_count, refused, .. } = reading;
        if *may_count && *refused {
            world.violated("valid readings are not refused", format!("{device}: {place}"));
        }
        if !may_count && !refused {
            world.violated("each refused reading stands once", format!("{device}: {place} does not"));
        }
    }
}

/// Each distinct reading is counted once or refused once, never both, never neither.
fn check_count(world: &World, device: &str, told: &Device, state: Option<&DeviceState>) {
    let count = state.map_or(0, |state| state.count);
    let (least, most) = told.count();
    if !(least..=most).contains(&count) {
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let refused = told.readings.iter().filter(|reading| reading.refused).count();
        let detail = format!(
            "{device}: the row says {count}, expected {expected} ({} readings, {refused} of them refused)",
            told.readings.len()
        );
        world.violated(COUNTED_ONCE, detail);
    }
}

/// The values are those of the last counted reading.
fn check_values(world: &World, device: &str, told: &Device, state: &DeviceState) {
    let Some(last) = told.last() else { return };
    let value = |at: usize| state.values[at].as_ref().map(|latest| latest.value);
    let wrong = |what: &str, found: String, expected: String| {
        let detail = format!("{device}: {what} is {found}, expected {expected}");
        world.violated("values are those of the last reading", detail);
    };
    let message_id = state.message_id.as_ref().map(|latest| latest.value.as_str());
    if message_id != Some(last.message_id.as_str()) {
        wrong("message id", format!("{message_id:?}"), last.message_id.clone());
    }
    if !last.temperatures.iter().any(|valid| Some(*valid) == value(0)) {
        wrong("temperature", format!("{:?}", value(0)), format!("one of {:?}", last.temperatures));
    }
    if last.humidity != value(2) {
        wrong("humidity", format!("{:?}", value(2)), format!("{:?}", last.humidity));
    }
    let reported = state.reported.as_ref().map(|stamp| stamp.at.0);
    if reported != Some(last.at) {
        wrong("reported time", format!("{reported:?}"), last.at.to_string());
    }
}

/// Every screen shows what is stored.
fn check_screens(world: &World, screens: &Screens) {
    let mut stored = BTreeMap::new();
    for state in world.tables().states().filter(|state| state.count > 0) {
        let view = serde_json::to_value(state.view(&world.catalogue)).expect("a view is JSON");
        stored.insert(state.device.to_string(), view);
    }
    for screen in 0..screens.count() {
        let mut expected = stored.clone();
        if let Some(area) = screens.area(screen) {
            expected.retain(|_, state| state["geo"] == area);
        }
        let mut shown = screens.devices(screen);
        if screen == WATCHING {
            // A manual run that nobody sends again announces once, or never.
            if world.faults.plan().iter().any(Fault::concerns_pushes) {
                continue;
            }
            let unsure = expected::devices_of_failed_manual_runs(world);
            expected.retain(|device, _| !unsure.contains(device));
            shown.retain(|device, _| !unsure.contains(device));
        }
        if shown != expected {
            let detail = format!("screen {screen} shows {shown:?}, stored is {expected:?}");
            world.violated("every screen equals the store after quiet", detail);
        }
    }
}

/// Batches come back because of the store (or of a pause that outlasts the deadline), and of nothing else.
fn check_failures(world: &World) {
    let excused = |fault: &Fault| {
        matches!(fault, Fault::Store { .. } | Fault::StoreOutage { .. } | Fault::Pause { .. })
    };
    let failed = world.record().failed_batches;
    if failed > 0 && !world.faults.plan().iter().any(excused) {
        world.violated("only the store fails a batch", format!("{failed} batches failed with a good store"));
    }
}
