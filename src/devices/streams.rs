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

/// What tells the order of events of one partition.
pub(super) trait InStream {
    /// The sequence number, where the host gave one.
    fn sequence(&self) -> Option<i64>;
    /// When the hub enqueued it, where the host said so.
    fn enqueued_at(&self) -> Option<Millis>;
}

/// Sorts events as their streams had them, an earlier stream first; events without a sequence number come last. Events
/// that compare equal stay as they came.
pub(super) fn sort<T: InStream>(events: &mut [T]) {
    events.sort_by_key(|event| event.sequence().unwrap_or(i64::MAX));
    let runs_back = |pair: &[T]| match (pair[0].enqueued_at(), pair[1].enqueued_at()) {
        (Some(one), Some(next)) => pair[1].sequence().is_some() && is_later(one, next),
        _ => false,
    };
    if events.windows(2).any(runs_back) {
        let streams = numbers_of_streams(events);
        let mut numbered: Vec<usize> = (0..events.len()).collect();
        numbered.sort_by_key(|&at| streams[at]);
        permute(events, &numbered);
    }
}

/// The number of each event's stream, of events that are sorted by sequence number: from 0, in the order of time.
fn numbers_of_streams<T: InStream>(events: &[T]) -> Vec<usize> {
    let mut by_time: Vec<usize> = (0..events.len()).collect();
    by_time.sort_by_key(|&at| events[at].enqueued_at());
    let mut streams = vec![usize::MAX; events.len()];
    let (mut stream, mut highest): (usize, Option<(i64, Millis)>) = (0, None);
    for at in by_time {
        let (Some(sequence), Some(told)) = (events[at].sequence(), events[at].enqueued_at()) else {
            if events[at].sequence().is_some() {
                streams[at] = stream;
            }
            continue;
        };
        if highest.is_some_and(|(number, time)| sequence <= number && is_later(told, time)) {
            (stream, highest) = (stream + 1, None);
        }
        if highest.is_none_or(|(number, _)| sequence > number) {
            highest = Some((sequence, told));
        }
        streams[at] = stream;
    }
    streams
}

/// Puts the elements in the order that `order` names them in.
fn permute<T>(events: &mut [T], order: &[usize]) {
    let mut place: Vec<usize> = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new;
    }
    for at in 0..events.len() {
        while place[at] != at {
            let to = place[at];
            events.swap(at, to);
            place.swap(at, to);
        }
    }
}
