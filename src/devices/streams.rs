//! Which stream of a hub partition an event belongs to. A hub that is deleted and made again under its name numbers its
//! events from 0 again, and events of the hub before it may still be delivered. Pure.

use litemap::LiteMap;

use super::state::Watermark;
use crate::primitives::ids::{HubPartition, Position};
use crate::primitives::instant::Millis;

/// A broker's clock may step by up to this much. Enqueued times that run against the numbers by more are those of another
/// stream.
const STEP: i64 = 60_000;

/// The stream of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// The one that the partition's mark stands in.
    Current,
    /// A new one: the hub was made again since the mark.
    New,
    /// The one before.
    Earlier,
}

/// Per partition, how far each stream has been folded in. That of an earlier stream stands under
/// [`HubPartition::earlier`].
type Watermarks = LiteMap<HubPartition, Watermark>;

/// The stream that an event belongs to. Without the enqueued times, numbers alone decide.
pub(super) fn of(watermarks: &Watermarks, position: &Position, enqueued_at: Option<Millis>) -> Stream {
    let (Some(sequence), Some(told), Some(mark)) =
        (position.sequence, enqueued_at, watermarks.get(&position.partition))
    else {
        return Stream::Current;
    };
    let Some(marked) = mark.enqueued_at else { return Stream::Current };
    if sequence > mark.sequence && told >= marked {
        return Stream::Current;
    }
    if mark.began.is_some_and(|began| is_later(began, told)) {
        return Stream::Earlier;
    }
    match sequence <= mark.sequence && is_later(told, marked) {
        true => Stream::New,
        false => Stream::Current,
    }
}

/// Whether a time is later than another by more than a step of the clock.
fn is_later(one: Millis, other: Millis) -> bool {
    one.0 > other.0.saturating_add(STEP)
}
