//! What was rejected of a batch and is not kept yet, by event, so that a body is one value however many of its readings are
//! rejected and by which stage. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::host::envelope::Event;
use crate::primitives::instant::Millis;
use crate::rejected::body::{RejectedBody, RejectedElements};
use crate::rejected::reading::Rejection;
use crate::telemetry::body;

/// Texts that are looked up for the samples of one body. A later sample may take an earlier one's place, and each look-up may
/// unpack the body again.
const MOST_TEXTS: usize = 32;

/// What is rejected of one event.
#[derive(Default)]
struct Rejected {
    elements: RejectedElements,
    /// Texts that were looked up for samples.
    texts: usize,
}

/// Rejected readings of a batch.
#[derive(Default)]
pub(super) struct Rejections {
    events: BTreeMap<usize, Rejected>,
    readings: usize,
    /// The event whose body was unpacked last, with its text: a body is not unpacked once for each of its readings.
    unpacked: Option<(usize, Vec<u8>)>,
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
        let (unpacked, found) = (&mut self.unpacked, &events[event]);
        let Rejected { elements, texts } = self.events.entry(event).or_default();
        let text = || {
            *texts += 1;
            match *texts <= MOST_TEXTS {
                true => part_of(unpacked, event, found, span),
                false => Vec::new(),
            }
        };
        elements.reject(index, rejection, text);
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
        let body = |(event, Rejected { elements, .. }): (usize, Rejected)| {
            let Event { position, enqueued_at, body, .. } = &events[event];
            RejectedBody {
                position: position.clone(),
                enqueued_at: *enqueued_at,
                rejected_at: now,
                body: body.clone(),
                body_length: body.len(),
                rejected: elements,
            }
        };
        std::mem::take(&mut self.events).into_iter().map(body).collect()
    }
}

/// The bytes of a reading within the text of its body.
fn part_of(
    unpacked: &mut Option<(usize, Vec<u8>)>,
    number: usize,
    event: &Event,
    span: Range<usize>,
) -> Vec<u8> {
    let cut = |text: &[u8]| text.get(span).unwrap_or_default().to_vec();
    if let Some((known, text)) = unpacked
        && *known == number
    {
        return cut(text);
    }
    match body::text_of(&event.body, event.content_encoding.as_deref()) {
        Cow::Borrowed(text) => cut(text),
        Cow::Owned(text) => {
            let part = cut(&text);
            *unpacked = Some((number, text));
            part
        }
    }
}
