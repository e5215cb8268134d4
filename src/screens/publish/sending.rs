//! The messages of one announcement: how many there may be, and when it is better to stop.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use fieldcast_signalr::{BODY_LIMIT, HubClient, Message, Resend, Target};
use tokio::time::Instant;

use super::occupancy::is_about_service;
use super::{PublishError, TARGET};
use crate::primitives::chain::chain;

/// The most messages of one batch. At 16 at a time and 50 ms each they take a third of a second. A service takes some
/// thousand a second, which all processes of the app share.
pub(super) const MOST_MESSAGES: usize = 100;

/// Groups of a kind that are sent to although the service did not say whether they have members. A few lost answers are an
/// accident; more are a service in trouble, which a message for each would not help.
pub(super) const MOST_UNCERTAIN: usize = 4;

/// What is sent for one announcement, and what is not.
pub(super) struct Sending<'a> {
    hub: &'a HubClient,
    deadline: Instant,
    /// Messages that may still be sent.
    left: AtomicUsize,
    /// The service is in trouble: what has not begun is not sent.
    stopped: AtomicBool,
    /// The first one.
    failure: Mutex<Option<PublishError>>,
    unsent: AtomicUsize,
    unasked: AtomicUsize,
}

impl<'a> Sending<'a> {
    /// Nothing sent yet.
    pub(super) fn new(hub: &'a HubClient, deadline: Instant, most: usize) -> Sending<'a> {
        Sending {
            hub,
            deadline,
            left: AtomicUsize::new(most),
            stopped: AtomicBool::new(false),
            failure: Mutex::new(None),
            unsent: AtomicUsize::new(0),
            unasked: AtomicUsize::new(0),
        }
    }

    /// Those of the groups of which nothing is known that are sent to all the same: all if they are few, else none.
    pub(super) fn few<T>(&self, uncertain: Vec<T>) -> Vec<T> {
        if uncertain.len() <= MOST_UNCERTAIN {
            return uncertain;
        }
        self.unasked.fetch_add(uncertain.len(), Ordering::Relaxed);
        Vec::new()
    }

    /// Sends states, in as few messages as take them.
    pub(super) async fn send(&self, target: Target<'_>, states: &[&[u8]]) {
        let frames = match Message::frames(TARGET, states, BODY_LIMIT) {
            Ok(frames) => frames,
            Err(error) => return self.fail(&error),
        };
        for frame in frames {
            let message = match frame {
                Ok(frame) => frame.message,
                Err(error) => return self.fail(&error),
            };
            if !self.may_send() {
                self.unsent.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            // A message that arrives twice does no harm: pages apply states by version.
            if let Err(error) = self.hub.send(target, &message, Resend::Allowed, left).await {
                if is_about_service(&error) {
                    self.stopped.store(true, Ordering::Relaxed);
                }
                return self.fail(&error);
            }
        }
    }

    /// How it went; the first failure stands for the others.
    pub(super) fn finish(self) -> Result<(), PublishError> {
        let failure = self.failure.into_inner().unwrap_or_else(PoisonError::into_inner);
        let unsent = match (self.unsent.into_inner(), self.stopped.into_inner()) {
            (0, _) => None,
            (count, true) => Some(format!("{count} messages were not tried after that")),
            (count, false) => Some(format!("{count} messages were left out, a batch has {MOST_MESSAGES}")),
        };
        let unasked = Some(self.unasked.into_inner()).filter(|count| *count > 0);
        let unasked = unasked.map(|count| {
            format!("{count} groups were left out, the service did not say whether they have members")
        });
        let parts: Vec<String> =
            failure.map(|error| error.0).into_iter().chain(unsent).chain(unasked).collect();
        if parts.is_empty() { Ok(()) } else { Err(PublishError(parts.join("; "))) }
    }

    fn may_send(&self) -> bool {
        let take = |left: usize| left.checked_sub(1);
        !self.stopped.load(Ordering::Relaxed)
            && self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn fail(&self, error: &(dyn std::error::Error + 'static)) {
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.get_or_insert_with(|| PublishError(chain(error)));
    }
}
