//! The publisher: the second seam of the handler. A push is a hint; the store is the truth.

mod recorded;
mod signalr;

use std::time::Duration;

pub use recorded::RecordedPublisher;
pub use signalr::SignalRPublisher;

use crate::store::Reply;

/// The target that pages listen on, fixed by the predecessor's page.
pub const TARGET: &str = "newMessage";

/// Who receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience<'a> {
    /// Every connection of the hub.
    Everyone,
    /// One connection.
    Connection(&'a str),
}

/// Why states did not reach the service. Screens catch up by version, so this is reported and not repaired.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PublishError(pub String);

/// Where changed device states are announced.
///
/// Contract: the given states (each a JSON object) arrive as one argument, an array, of one or more [`TARGET`] messages
/// in the given order; a message may arrive twice (clients apply by version); the call returns within `patience`.
pub trait Publisher: Send + Sync {
    /// Announces states.
    fn publish<'a>(
        &'a self,
        audience: Audience<'a>,
        states: &'a [Vec<u8>],
        patience: Duration,
    ) -> Reply<'a, Result<(), PublishError>>;
}
