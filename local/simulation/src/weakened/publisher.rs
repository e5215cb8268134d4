//! A publisher that tells nobody that a device has left an area.

use std::time::Duration;

use fieldcast::screens::publish::{Audience, Change, PublishError, Publisher};
use futures_util::future::BoxFuture;

/// Hides what was left from a publisher.
pub(crate) struct WeakenedPublisher<P>(pub(crate) P);

impl<P: Publisher> Publisher for WeakenedPublisher<P> {
    fn publish<'a>(
        &'a self,
        audience: Audience<'a>,
        changes: &'a [Change],
        patience: Duration,
    ) -> BoxFuture<'a, Result<(), PublishError>> {
        Box::pin(async move {
            let staying: Vec<Change> =
                changes.iter().map(|change| Change { left: None, ..change.clone() }).collect();
            self.0.publish(audience, &staying, patience).await
        })
    }
}
