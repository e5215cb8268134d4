//! What was rejected of a batch and is not kept yet, by event, so that a body is one value however many of its readings are
//! rejected and by which stage. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::host::envelope::Event;
use crate::primitives::instant::Millis;
use crate::rejected::body::{RejectedBody, RejectedElements};
use crate::rejected::reading::Rejection;

/// Rejected readings of a batch.
#[derive(Default)]
pub(super) struct Rejections {
    events: BTreeMap<usize, RejectedElements>,
    readings: usize,
}

impl Rejections {
    /// Adds a reading: which one of which event, and its bytes within the body.
    pub(super) fn reject(
        &mut self,
        events: &[Event],
        event: usize,
        index: usize,
        span: Range<usize>,
        rejection: Rejection,
    ) {
        self.readings += 1;
        let text = events[event].body.get(span).unwrap_or_default();
        self.events.entry(event).or_default().reject(index, rejection, text);
    }

    /// How many readings were rejected, kept or not.
    pub(super) fn readings(&self) -> usize {
        self.readings
    }

    /// How many bodies are to be kept.
    pub(super) fn bodies(&self) -> usize {
        self.events.len()
    }

    /// The bodies, to be kept.
    pub(super) fn take(&mut self, events: &[Event], now: Millis) -> Vec<RejectedBody> {
        let body = |(event, rejected): (usize, RejectedElements)| {
            let Event { position, enqueued_at, body, .. } = &events[event];
            RejectedBody {
                position: position.clone(),
                enqueued_at: *enqueued_at,
                rejected_at: now,
                body: body.clone(),
                body_length: body.len(),
                rejected,
            }
        };
        std::mem::take(&mut self.events).into_iter().map(body).collect()
    }
}
