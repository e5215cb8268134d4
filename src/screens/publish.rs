//! The publisher: the second seam of the handler. A push is a hint; the store is the truth.

mod occupancy;
mod recorded;
mod sending;
mod signalr;

use std::time::Duration;

pub use occupancy::{GroupOccupancy, Occupied, SETTLES_AFTER};
pub use recorded::RecordedPublisher;
pub use signalr::{PublishMode, SignalRPublisher};

use crate::devices::state::DeviceState;
use crate::primitives::ids::DeviceId;
use crate::telemetry::catalogue::Catalogue;
use futures_util::future::BoxFuture;

/// The target that pages listen on, fixed by the predecessor's page.
pub const TARGET: &str = "newMessage";

/// How long an announcement may hold up the acknowledgement of a batch. The state is already kept; a screen that
/// misses this push converges with the next one or with a snapshot.
pub const PUSH_PATIENCE: Duration = Duration::from_secs(2);

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// Everybody who watches the devices: every connection of the hub, or the groups that follow them.
    Watchers,
    /// The connections of one user.
    User(&'a str),
    /// One connection.
    Connection(&'a str),
}

/// A device state to be announced, and whom it concerns.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// What has changed: a device, or a part of one.
    pub source: DeviceId,
    /// The device that it is or belongs to.
    pub device: DeviceId,
    /// The area it is in.
    pub area: Option<String>,
    /// The area that it left by this change: who follows that one has to hear that the device is gone.
    pub left: Option<String>,
    /// The state as clients see it, a JSON object.
    pub state: Vec<u8>,
}

impl Change {
    /// A state as it is now.
    pub fn to(state: &DeviceState, left: Option<String>, catalogue: &Catalogue) -> Change {
        let area = state.geo.as_ref().map(|geo| geo.value.clone());
        Change {
            source: state.device.clone(),
            device: state.device.whole(),
            area,
            left,
            state: state.view(catalogue).to_json(),
        }
    }
}

/// Why states did not reach the service. Screens catch up by version, so this is reported and not repaired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PublishError(pub String);

/// Where changed device states are announced.
///
/// Contract: the states arrive, for each receiver in the given order, in arrays that are the one argument of [`TARGET`]
/// messages; a state may arrive twice (clients apply by version); the call returns within `patience`. One announcement to
/// watchers costs a bounded number of requests, whatever the service does; what is left out for that is said.
pub trait Publisher: Send + Sync {
    /// Announces states.
    fn publish<'a>(
        &'a self,
        audience: Audience<'a>,
        changes: &'a [Change],
        patience: Duration,
    ) -> BoxFuture<'a, Result<(), PublishError>>;
}

#[cfg(test)]
mod tests;
