//! Folding: a device's state and the events that arrived for it become its next state. Pure, so that a conflict can fold
//! again from what the store really holds, and so that no order of batches and no split of them changes the result.

use crate::devices::state::{DeviceState, Latest, Stamp, Watermark};
use crate::devices::streams::{self, Stream};
use crate::primitives::ids::{DeviceId, HubPartition, Position};
use crate::primitives::instant::Millis;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::body::Reading;
use crate::telemetry::calibration::Calibration;
use crate::telemetry::catalogue::Catalogue;
use crate::telemetry::measured::Measured;

/// A reading with its place in the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// Which event of the batch it came in.
    pub event: usize,
    /// Which reading of that event.
    pub index: usize,
    /// Its bytes within the event's body.
    pub span: std::ops::Range<usize>,
    /// The event's position.
    pub position: Position,
    /// When the hub enqueued the event, where the host said so.
    pub enqueued_at: Option<Millis>,
    /// The same, or when the batch arrived where the host did not say.
    pub at: Millis,
    /// When the values were measured, where somebody said so that can be believed.
    pub measured_at: Option<Millis>,
    /// What was said.
    pub reading: Reading,
}

/// What folding found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Folded {
    /// The state to write; `None` when there is nothing new to count or to decide.
    pub next: Option<DeviceState>,
    /// The state that was folded into, given back where it did not change.
    pub unchanged: Option<DeviceState>,
    /// Readings counted.
    pub accepted: usize,
    /// Readings that had been counted before.
    pub skipped: usize,
    /// Readings outside their valid range, whether decided now or in an earlier delivery: index into the arrivals, and
    /// why. Their rejections have to be kept once the state is written.
    pub rejected: Vec<(usize, Rejection)>,
    /// How many arrivals were folded. The rest has to be folded into the written state: the verdicts of all would not
    /// fit into one row.
    pub arrivals_used: usize,
    /// Whether the numbers of the partition begin again: its hub was deleted and made again.
    pub is_new_stream: bool,
}

/// Verdicts that a row may hold, in bytes of their packed form. The packed column ends at 64 KiB and holds other things as
/// well; an event of 20,000 readings takes 2,500, and a thousand events with one reading each take 21 KB only when all of
/// them are rejected. More is written in turns.
const MOST_VERDICTS: usize = 24 * 1024;

/// Folds a device's arrivals, which must be sorted by [`in_stream_order`], into its state.
pub fn fold(
    device: &DeviceId,
    current: Option<DeviceState>,
    arrivals: &[Arrival],
    calibration: Option<&Calibration>,
    catalogue: &Catalogue,
) -> Folded {
    let exists = current.is_some();
    let mut next = current.unwrap_or_else(|| DeviceState::new(device.clone(), catalogue));
    let mut folded = Folded::default();
    forget_old_verdicts(&mut next, arrivals);
    let mut changed = false;
    for event in arrivals.chunk_by(|one, other| one.event == other.event) {
        if changed && next.verdicts.packed_length() > MOST_VERDICTS {
            break;
        }
        match advance(&mut next, &event[0], &mut folded) {
            Advance::Known(stream) => recall(&next, event, &stream, &mut folded),
            Advance::New(place) => {
                for arrival in event {
                    changed |= judge(&mut next, arrival, &place, calibration, catalogue, &mut folded);
                }
            }
        }
    }
    if changed {
        next.version = next.version.saturating_add(1);
        next.calibration =
            calibration.map(|calibration| calibration.version().to_owned()).unwrap_or_default();
        folded.next = Some(next);
    } else if exists {
        folded.unchanged = Some(next);
    }
    folded
}

/// The hub moves past an event only after an invocation with it has succeeded, so verdicts of events before this delivery
/// are no longer needed.
fn forget_old_verdicts(state: &mut DeviceState, arrivals: &[Arrival]) {
    if state.verdicts.is_empty() {
        return;
    }
    let Some(first) = arrivals.first() else { return };
    let Some(sequence) = first.position.sequence else { return };
    let partition = &first.position.partition;
    match streams::of(&state.watermarks, &first.position, first.enqueued_at) {
        Stream::Current => state.verdicts.forget_before(partition, sequence),
        Stream::Earlier => state.verdicts.forget_before(&partition.earlier(), sequence),
        Stream::New => {}
    }
}

/// Sorts the readings of an event that was folded in before into counted ones and rejected ones.
fn recall(state: &DeviceState, event: &[Arrival], stream: &HubPartition, folded: &mut Folded) {
    for arrival in event {
        match state.verdicts.is_rejected(stream, arrival.position.sequence, arrival.index) {
            true => folded.rejected.push((folded.arrivals_used, rejected_before(arrival))),
            false => folded.skipped += 1,
        }
        folded.arrivals_used += 1;
    }
}

fn rejected_before(arrival: &Arrival) -> Rejection {
    Rejection {
        reason: Reason::OutOfRange,
        detail:
            "a value was out of its range, or could not be corrected, when the reading was first delivered"
                .to_owned(),
        device: Some(arrival.reading.device.device().into_owned()),
    }
}

/// Counts a reading or rejects it; true when the state has changed by that.
fn judge(
    state: &mut DeviceState,
    arrival: &Arrival,
    place: &Place,
    calibration: Option<&Calibration>,
    catalogue: &Catalogue,
    folded: &mut Folded,
) -> bool {
    let at = folded.arrivals_used;
    folded.arrivals_used += 1;
    match (validate(arrival, calibration, catalogue), arrival.position.sequence) {
        (Ok(values), _) => {
            take(state, arrival, values, place);
            folded.accepted += 1;
            true
        }
        (Err(rejection), Some(sequence)) => {
            state.verdicts.reject(&place.stream, sequence, arrival.index);
            folded.rejected.push((at, rejection));
            true
        }
        (Err(rejection), None) => {
            folded.rejected.push((at, rejection));
            false
        }
    }
}

/// Sorts arrivals of one device as the stream had them; events without a sequence number come last, as they came. Streams of
/// a hub that was made again may be mixed: their times tell them apart.
pub fn in_stream_order(arrivals: &mut [Arrival]) {
    arrivals.sort_by(|one, other| {
        let key =
            |arrival: &Arrival| (arrival.position.sequence.unwrap_or(i64::MAX), arrival.event, arrival.index);
        key(one).cmp(&key(other))
    });
}

/// Where a new event stands.
struct Place {
    /// The key of its stream's mark and verdicts.
    stream: HubPartition,
    /// When it counts as enqueued.
    enqueued: Stamp,
}

/// What became of a partition's mark.
enum Advance {
    /// It stands at this event now.
    New(Place),
    /// It stood at or behind this event of the stream, which was folded in before.
    Known(HubPartition),
}

/// Moves the mark of the event's stream to this event.
fn advance(state: &mut DeviceState, arrival: &Arrival, folded: &mut Folded) -> Advance {
    let partition = arrival.position.partition.clone();
    let Some(sequence) = arrival.position.sequence else {
        let enqueued = Stamp { at: arrival.at, partition: partition.clone() };
        return Advance::New(Place { stream: partition, enqueued });
    };
    let stream = match streams::of(&state.watermarks, &arrival.position, arrival.enqueued_at) {
        Stream::Current => partition.clone(),
        Stream::Earlier => partition.earlier(),
        Stream::New => {
            begin_anew(state, &partition);
            folded.is_new_stream = true;
            partition.clone()
        }
    };
    let before = state.watermarks.get(&stream);
    if before.is_some_and(|mark| sequence <= mark.sequence) {
        return Advance::Known(stream);
    }
    let (counted_until, began) = match before {
        Some(mark) => (mark.at, mark.began),
        None => (Millis::default(), arrival.enqueued_at),
    };
    let watermark = Watermark { sequence, enqueued_at: arrival.enqueued_at, began, at: counted_until };
    state.watermarks.insert(stream.clone(), watermark);
    let enqueued = Stamp { at: counted_until.max(arrival.at), partition };
    Advance::New(Place { stream, enqueued })
}

/// What is known of a partition is of its stream before: a second delivery from there may yet come.
fn begin_anew(state: &mut DeviceState, partition: &HubPartition) {
    if let Some(mark) = state.watermarks.remove(partition) {
        state.watermarks.insert(partition.earlier(), mark);
    }
    state.verdicts.rename(partition, partition.earlier());
}

fn uncorrected(arrival: &Arrival, measurement: &str) -> Rejection {
    Rejection {
        reason: Reason::Calibration,
        detail: format!(
            "the calibration of {measurement} of this device cannot be read: mend its row in Calibration, then send again"
        ),
        device: Some(arrival.reading.device.device().into_owned()),
    }
}

/// The calibrated values, or why one of them does not count.
fn validate(
    arrival: &Arrival,
    calibration: Option<&Calibration>,
    catalogue: &Catalogue,
) -> Result<Vec<(usize, Measured)>, Rejection> {
    let checked = |(at, raw): &(usize, Measured)| {
        let measurement = &catalogue.measurements()[*at];
        let value = match (raw, calibration) {
            (Measured::Number(raw), Some(calibration)) => {
                let corrected = calibration.apply(*at, *raw);
                Measured::Number(corrected.map_err(|_| uncorrected(arrival, &measurement.name))?)
            }
            (raw, _) => raw.clone(),
        };
        match measurement.problem_with(&value) {
            None => Ok((*at, value)),
            Some(detail) => Err(Rejection {
                reason: Reason::OutOfRange,
                detail,
                device: Some(arrival.reading.device.device().into_owned()),
            }),
        }
    };
    arrival.reading.raw.iter().map(checked).collect()
}

fn take(state: &mut DeviceState, arrival: &Arrival, values: Vec<(usize, Measured)>, place: &Place) {
    state.count = state.count.saturating_add(1);
    if let Some(mark) = state.watermarks.get_mut(&place.stream) {
        mark.at = mark.at.max(place.enqueued.at);
    }
    let stamp = match arrival.measured_at {
        Some(at) => &Stamp { at, ..place.enqueued.clone() },
        None => &place.enqueued,
    };
    for (at, value) in values {
        if keep_latest(&mut state.values[at], value, stamp) {
            state.changed_at = state.changed_at.max(Some(stamp.at));
        }
    }
    if let Some(geo) = &arrival.reading.geo {
        keep_latest(&mut state.geo, geo.clone(), stamp);
    }
    if let Some(id) = &arrival.reading.message_id {
        keep_latest(&mut state.message_id, id.clone(), stamp);
    }
    keep_newest(&mut state.reported, &place.enqueued);
    keep_newest(&mut state.measured, stamp);
}

fn keep_newest(slot: &mut Option<Stamp>, stamp: &Stamp) {
    if slot.as_ref().is_none_or(|newest| stamp > newest) {
        *slot = Some(stamp.clone());
    }
}

/// Keeps the later of two values; true when the kept value became a different one.
fn keep_latest<T: PartialEq>(slot: &mut Option<Latest<T>>, value: T, stamp: &Stamp) -> bool {
    match slot {
        Some(latest) if latest.stamp > *stamp => false,
        Some(latest) => {
            let differs = latest.value != value;
            *latest = Latest { value, stamp: stamp.clone() };
            differs
        }
        None => {
            *slot = Some(Latest { value, stamp: stamp.clone() });
            true
        }
    }
}

#[cfg(test)]
mod tests;
