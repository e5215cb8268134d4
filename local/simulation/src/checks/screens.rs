//! What every screen has to show after quiet.

use std::collections::BTreeMap;
use std::sync::Arc;

use fieldcast::screens::publish::PublishMode;
use serde_json::Value;

use super::expected::devices_of_failed_manual_runs;
use crate::browser::Device;
use crate::plan::{Fault, SignalRCall, SignalRTrouble};
use crate::screens::Screens;
use crate::world::World;

/// Every screen shows what is stored of what it follows.
pub(super) fn check_screens(world: &World, screens: &Arc<Screens>) {
    for (number, plan) in world.workload.screens.iter().enumerate() {
        let Some(shown) = screens.shown(number) else { continue };
        let takes = |device: &Device| shown.following.takes(&device.device_id, device.geo.as_deref());
        let mut expected = stored(world);
        expected.retain(|_, device| takes(device));
        let mut found: BTreeMap<String, Device> =
            shown.devices.iter().map(|device| (device.device_id.clone(), device.clone())).collect();
        if plan.relies_on_pushes {
            if pushes_may_be_lost(world, number) {
                continue;
            }
            let unsure = devices_of_failed_manual_runs(world);
            expected.retain(|device, _| !unsure.contains(device));
            found.retain(|device, _| !unsure.contains(device));
        }
        if found != expected {
            let detail = format!(
                "screen {number} follows {} and shows {found:?}, stored is {expected:?}",
                shown.following
            );
            world.violated("every screen equals the store after quiet", detail);
        }
    }
}

/// The view of every device that has been counted, in the form in which screens tell what they show.
fn stored(world: &World) -> BTreeMap<String, Device> {
    let states = world.tables.states();
    let counted = states.iter().filter(|state| state.count > 0);
    let device = |view: Value| Device {
        device_id: view["deviceId"].as_str().unwrap_or_default().to_owned(),
        geo: text(&view["geo"]),
        values: measurements(world)
            .filter_map(|name| Some((name.to_owned(), view[name].as_f64()?)))
            .collect(),
        count: view["count"].as_i64().unwrap_or_default(),
        version: view["version"].as_i64().unwrap_or_default(),
        reported_at: text(&view["reportedAt"]),
        changed_at: text(&view["changedAt"]),
    };
    counted
        .map(|state| serde_json::to_value(state.view(&world.catalogue)).expect("a view is JSON"))
        .map(device)
        .map(|device| (device.device_id.clone(), device))
        .collect()
}

fn measurements(world: &World) -> impl Iterator<Item = &str> {
    world.catalogue.measurements().iter().map(|measurement| measurement.name.as_str())
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// A push that is lost is made good by the next question to the store, which a screen that relies on pushes does not ask.
fn pushes_may_be_lost(world: &World, screen: usize) -> bool {
    let in_groups = world.workload.publish_mode == PublishMode::Groups;
    let loses = |fault: &Fault| match fault {
        Fault::SignalROutage { .. } => true,
        Fault::Deaf { screen: deaf, .. } => *deaf == screen,
        // Nothing is sent for so long, and what a batch has left after a failure is not tried.
        Fault::SignalR { trouble: SignalRTrouble::Throttled(_), .. } => true,
        Fault::SignalR { call: SignalRCall::Send, trouble, .. } => matches!(
            trouble,
            SignalRTrouble::TimeoutBefore | SignalRTrouble::SlowAnswer(_) | SignalRTrouble::Unheard
        ),
        // Where nobody says who watches, only few groups are sent to.
        Fault::SignalR { call: SignalRCall::Ask | SignalRCall::Join, .. } => in_groups,
        // Who sleeps between asking who watches and sending has no time left to send.
        Fault::Pause { .. } => in_groups,
        _ => false,
    };
    // After a failure the next call is tried once, and may meet the next one.
    let fails = |fault: &&Fault| matches!(fault, Fault::SignalR { call: SignalRCall::Send, .. });
    world.faults.plan().iter().any(loses) || world.faults.plan().iter().filter(fails).count() > 1
}
