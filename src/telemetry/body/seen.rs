//! Which fields an object had, so that none counts twice. Pure.

use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::paths::Target;

/// A bit for each field. A catalogue has at most 200 measurements; the texts follow.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen([u64; 4]);

impl Seen {
    /// Whether a field was there before; now it was.
    pub(super) fn before(&mut self, field: usize) -> bool {
        let before = self.has(field);
        self.0[field / 64] |= 1 << (field % 64);
        before
    }

    pub(super) fn has(self, field: usize) -> bool {
        self.0[field / 64] & (1 << (field % 64)) != 0
    }
}

/// The number of a field that may be there once.
pub(super) fn field(target: Target) -> Option<usize> {
    const TEXTS: usize = 250;
    match target {
        Target::Measurement(at) => Some(usize::from(at)),
        Target::Device => Some(TEXTS),
        Target::MessageId => Some(TEXTS + 1),
        Target::Geo => Some(TEXTS + 2),
        Target::Unit(_) | Target::Time(_) | Target::Ignored => None,
    }
}

pub(super) fn duplicate(name: &str) -> Rejection {
    Rejection::new(
        Reason::DuplicateField,
        format!("{name} is there twice (all spellings of one field count as the same)"),
    )
}
