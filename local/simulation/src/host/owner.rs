//! One owner of one partition: where it began, and how it comes to an end.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// An instance that delivers a partition.
pub(super) struct Owner {
    pub(super) partition: usize,
    pub(super) instance: usize,
    /// The first message that it delivers.
    pub(super) from: usize,
    /// When it notices that it is no longer the owner.
    stops: watch::Sender<Option<Instant>>,
    ended: watch::Sender<bool>,
    delivered_all: AtomicBool,
}

impl Owner {
    pub(super) fn new(partition: usize, instance: usize, from: usize) -> Owner {
        Owner {
            partition,
            instance,
            from,
            stops: watch::Sender::new(None),
            ended: watch::Sender::new(false),
            delivered_all: AtomicBool::new(false),
        }
    }

    pub(super) fn stop_at(&self, moment: Instant) {
        self.stops.send_replace(Some(moment));
    }

    /// It dies with its instance.
    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    pub(super) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.stops.borrow().is_some() || self.has_ended()
    }

    pub(super) fn has_stopped(&self) -> bool {
        self.stops.borrow().is_some_and(|moment| moment <= Instant::now())
    }

    pub(super) fn has_delivered_all(&self) -> bool {
        self.delivered_all.load(Ordering::Relaxed)
    }

    pub(super) fn note_delivered_all(&self) {
        self.delivered_all.store(true, Ordering::Relaxed);
    }

    /// Returns when it stops.
    pub(super) async fn stopped(&self) {
        let mut stops = self.stops.subscribe();
        let told = stops.wait_for(Option::is_some).await.ok().and_then(|moment| *moment);
        if let Some(moment) = told {
            sleep_until(moment).await;
        }
    }

    /// Returns when it dies.
    pub(super) async fn ended(&self) {
        // The sender lives as long as this does.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }
}
