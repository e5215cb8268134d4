//! The publisher over the REST API of Azure SignalR Service, or the local stand-in.

use std::time::Duration;

use fieldcast_signalr::{BODY_LIMIT, HubClient, Message, Resend, Target};
use tokio::time::Instant;

use super::{Audience, PublishError, Publisher, TARGET};
use crate::store::Reply;

/// Sends to one hub.
pub struct SignalRPublisher {
    hub: HubClient,
}

impl SignalRPublisher {
    /// Names the hub; nothing is sent yet.
    pub fn new(hub: HubClient) -> SignalRPublisher {
        SignalRPublisher { hub }
    }

    async fn send(
        &self,
        audience: Audience<'_>,
        states: &[Vec<u8>],
        patience: Duration,
    ) -> Result<(), PublishError> {
        let deadline = Instant::now() + patience;
        let target = match audience {
            Audience::Everyone => Target::All,
            Audience::Connection(id) => Target::Connection(id),
        };
        let failed = |error: &dyn std::error::Error| PublishError(error.to_string());
        for frame in Message::frames(TARGET, states, BODY_LIMIT).map_err(|error| failed(&error))? {
            let frame = frame.map_err(|error| failed(&error))?;
            let left = deadline.saturating_duration_since(Instant::now());
            // A message that arrives twice does no harm: pages apply states by version.
            self.hub
                .send(target, &frame.message, Resend::Allowed, left)
                .await
                .map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

impl Publisher for SignalRPublisher {
    fn publish<'a>(
        &'a self,
        audience: Audience<'a>,
        states: &'a [Vec<u8>],
        patience: Duration,
    ) -> Reply<'a, Result<(), PublishError>> {
        Box::pin(self.send(audience, states, patience))
    }
}
