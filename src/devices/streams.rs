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

/// The stream that an event belongs to. Without both enqueued times, numbers alone decide.
pub(super) fn of(watermarks: &Watermarks, position: &Position, enqueued_at: Option<Millis>) -> Stream {
    let partition = &position.partition;
    let (Some(sequence), Some(told), Some(mark)) =
        (position.sequence, enqueued_at, watermarks.get(partition))
    else {
        return Stream::Current;
    };
    let Some(marked) = mark.enqueued_at else { return Stream::Current };
    if sequence > mark.sequence && told >= marked {
        return Stream::Current;
    }
    if sequence <= mark.sequence && is_later(told, marked) {
        return Stream::New;
    }
    let earlier = || watermarks.get(&partition.earlier())?.enqueued_at;
    // The next stream began more than a step later, so half a step tells both apart whichever clock stepped.
    let is_of_earlier = earlier().is_some_and(|last| told.0 <= last.0.saturating_add(STEP / 2));
    match is_of_earlier || (sequence > mark.sequence && is_later(marked, told)) {
        true => Stream::Earlier,
        false => Stream::Current,
    }
}

/// Whether a time is later than another by more than a step of the clock.
fn is_later(one: Millis, other: Millis) -> bool {
    one.0 > other.0.saturating_add(STEP)
}
