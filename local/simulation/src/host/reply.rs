//! What a reply must be true of: a batch that was taken is accounted for to the last reading, and is kept already.

use axum::http::StatusCode;
use fieldcast::devices::state::DeviceState;
use fieldcast::rejected::body::RejectedBody;
use serde_json::Value;

use crate::workload::{Message, Reading};
use crate::world::World;

/// Checks a reply of success and gives its log line.
pub(super) fn check(world: &World, messages: &[&Message], body: &[u8]) -> String {
    let reply: Value = serde_json::from_slice(body).unwrap_or_default();
    let line = reply["Logs"][0].as_str().unwrap_or_default().to_owned();
    let delivered: usize = messages.iter().map(|message| message.readings.len()).sum();
    if totals(&line).iter().sum::<usize>() != delivered {
        let detail = format!("{delivered} readings were delivered, the reply says: {line}");
        world.violated("counted + known + rejected = delivered", detail);
    }
    let (states, rejected) = (world.tables.states(), world.tables.rejected_bodies());
    for message in messages {
        check_kept(world, message, &states, &rejected);
    }
    line
}

/// Checks a reply that asks for the batch again.
pub(super) fn check_failure(world: &World, status: StatusCode, body: &[u8]) {
    world.record().failed_batches += 1;
    if status != StatusCode::SERVICE_UNAVAILABLE || body.is_empty() {
        let detail = format!("{status}: {}", String::from_utf8_lossy(body));
        world.violated("only the store fails a batch", detail);
    }
}

/// `… readings: 3 counted, 1 known already, 0 rejected`
fn totals(line: &str) -> Vec<usize> {
    let readings = line.rsplit_once("readings: ").map_or("", |(_, readings)| readings);
    let number = |part: &str| part.split_whitespace().next()?.parse().ok();
    readings.split(", ").take(3).filter_map(number).collect()
}

/// What was acknowledged is in a row or among the rejected readings: the process may be killed now.
fn check_kept(world: &World, message: &Message, states: &[DeviceState], rejected: &[RejectedBody]) {
    let Some(sequence) = message.sequence else { return };
    let device = format!("device-{}", message.device);
    let state = states.iter().find(|state| state.device.as_str() == device);
    let folded = state.is_some_and(|state| state.watermarks.values().any(|mark| mark.sequence >= sequence));
    let of_event = rejected.iter().filter(|body| body.position.sequence == Some(sequence));
    let rejected: usize = of_event.map(|body| body.rejected.count()).sum();
    let poison = message.readings.iter().filter(|reading| **reading == Reading::Poison).count();
    let missing = rejected < poison || !(folded || rejected >= message.readings.len());
    if missing {
        let detail = format!("event {sequence} of {device} was acknowledged and is nowhere");
        world.violated("acknowledged is kept", detail);
    }
}
