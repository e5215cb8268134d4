//! The checks after quiet: what the tables and the screens hold against what the devices said.

mod expected;
mod screens;

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldcast::devices::state::DeviceState;
use fieldcast::rejected::body::RejectedBody;

use self::expected::{Device, Told};
use crate::plan::Fault;
use crate::screens::Screens;
use crate::world::World;

/// The promise that everything else serves.
pub(crate) const COUNTED_ONCE: &str = "every reading is counted once or rejected once";

/// Looks at everything.
pub(crate) fn check_all(world: &World, screens: &Arc<Screens>) {
    check_rejected(world);
    let states = world.tables.states();
    if states.len() < world.tables.device_rows() {
        world.violated("every row can be read", format!("only {states:?}"));
    }
    for (number, device) in world.workload.devices.iter().enumerate() {
        let told = Device::of(world, number);
        let state = states.iter().find(|state| state.device.as_str() == device);
        check_sides(world, device, &told);
        check_count(world, device, &told, state);
        if let Some(state) = state {
            check_values(world, device, &told, state);
        }
    }
    screens::check_screens(world, screens);
    check_failures(world);
}

/// Where a rejected reading stands: partition, enqueued time, sequence number, index, and its bytes.
type RejectedPlace = (String, Option<i64>, Option<i64>, usize, Vec<u8>);

/// Each rejected reading stands once.
fn check_rejected(world: &World) {
    let mut seen: BTreeMap<RejectedPlace, usize> = BTreeMap::new();
    for RejectedBody { position, enqueued_at, body, rejected, .. } in world.tables.rejected_bodies() {
        let (partition, enqueued_at) = (position.partition.as_str(), enqueued_at.map(|at| at.0));
        for index in rejected.all().iter() {
            let place = (partition.to_owned(), enqueued_at, position.sequence, index, body.to_vec());
            *seen.entry(place).or_default() += 1;
        }
    }
    for ((partition, _, sequence, index, _), times) in seen {
        if times > 1 {
            let detail = format!("partition {partition}, event {sequence:?}, reading {index}: {times} rows");
            world.violated("each rejected reading stands once", detail);
        }
    }
}

/// A reading that no calibration changes the verdict of is where it belongs.
fn check_sides(world: &World, device: &str, told: &Device) {
    for reading in told.readings.iter().filter(|reading| reading.is_certain()) {
        let Told { place, may_count, rejected, .. } = reading;
        if *may_count && *rejected {
            world.violated("valid readings are not rejected", format!("{device}: {place}"));
        }
        if !may_count && !rejected {
            world.violated("each rejected reading stands once", format!("{device}: {place} does not"));
        }
    }
}

/// Each distinct reading is counted once or rejected once, never both, never neither.
fn check_count(world: &World, device: &str, told: &Device, state: Option<&DeviceState>) {
    let count = state.map_or(0, |state| state.count);
    let (least, most) = told.count();
    if !(least..=most).contains(&count) {
        let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
        let rejected = told.readings.iter().filter(|reading| reading.rejected).count();
        let detail = format!(
            "{device}: the row says {count}, expected {expected} ({} readings, {rejected} of them rejected)",
            told.readings.len()
        );
        world.violated(COUNTED_ONCE, detail);
    }
}

/// The values are those of the last counted reading.
fn check_values(world: &World, device: &str, told: &Device, state: &DeviceState) {
    let Some(last) = told.last() else { return };
    let value = |at: usize| state.values[at].as_ref().and_then(|latest| latest.value.as_number());
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
    for (what, found, expected) in [
        ("reported time", &state.reported, last.reported_at),
        ("measured time", &state.measured, last.measured_at),
    ] {
        let found = found.as_ref().map(|stamp| stamp.at.0);
        if found != Some(expected) {
            wrong(what, format!("{found:?}"), expected.to_string());
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
