//! What the HTTP routes share: who may send, the intake, and whether the hub is stopping.

use tokio::sync::watch;

use crate::authenticator::Authenticator;
use crate::intake::Intake;

/// The state of the HTTP routes.
#[derive(Debug)]
pub(crate) struct Gateway {
    pub(crate) authenticator: Authenticator,
    pub(crate) intake: Intake,
    pub(crate) stop: watch::Receiver<bool>,
    /// The Event Hub-compatible name of the read side.
    pub(super) entity: String,
}

impl Gateway {
    pub(crate) fn new(
        authenticator: Authenticator,
        intake: Intake,
        entity: String,
        stop: watch::Receiver<bool>,
    ) -> Gateway {
        Gateway { authenticator, intake, stop, entity }
    }
}
