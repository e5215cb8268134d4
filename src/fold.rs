//! Folding: a device's state and the events that arrived for it become its next state. Pure, so that a conflict can fold
//! again from what the store really holds, and so that no order of batches and no split of them changes the result.

use crate::calibration::Calibration;
use crate::catalogue::Catalogue;
use crate::ids::{DeviceId, Position};
use crate::instant::Millis;
use crate::refusal::{Fault, Reason};
use crate::state::{DeviceState, Latest, Mark, Stamp};
use crate::telemetry::Reading;

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
    /// When the hub enqueued the event, or when the batch arrived where the host did not say.
    pub at: Millis,
    /// What was said.
    pub reading: Reading,
}

/// What folding found.
#[derive(Clone, Debug, PartialEq)]
pub struct Folded {
    /// The state to write; `None` when nothing new is to be counted.
    pub next: Option<DeviceState>,
    /// Readings counted.
    pub accepted: usize,
    /// Readings of events that had been folded in before.
    pub skipped: usize,
    /// Readings outside their valid range: index into the arrivals, and why.
    pub refused: Vec<(usize, Fault)>,
}

/// Folds a device's arrivals, which must be sorted by [`in_stream_order`], into its state.
pub fn fold(
    device: &DeviceId,
    current: Option<&DeviceState>,
    arrivals: &[Arrival],
    calibration: Option<&Calibration>,
    catalogue: &Catalogue,
) -> Folded {
    let mut next = current.cloned().unwrap_or_else(|| DeviceState::new(device.clone(), catalogue));
    let mut folded = Folded { next: None, accepted: 0, skipped: 0, refused: Vec::new() };
    let events = arrivals.chunk_by(|one, other| one.event == other.event);
    let mut first = 0;
    for event in events {
        match advance(&mut next, &event[0]) {
            None => folded.skipped += event.len(),
            Some(stamp) => {
                for (offset, arrival) in event.iter().enumerate() {
                    match validate(arrival, calibration, catalogue) {
                        Ok(values) => {
                            take(&mut next, arrival, values, &stamp);
                            folded.accepted += 1;
                        }
                        Err(fault) => folded.refused.push((first + offset, fault)),
                    }
                }
            }
        }
        first += event.len();
    }
    if folded.accepted > 0 {
        next.version += 1;
        next.calibration =
            calibration.map(|calibration| calibration.version().to_owned()).unwrap_or_default();
        folded.next = Some(next);
    }
    folded
}

/// Sorts arrivals of one device as the stream had them; events without a sequence number come last, as they came.
pub fn in_stream_order(arrivals: &mut [Arrival]) {
    arrivals.sort_by(|one, other| {
        let key =
            |arrival: &Arrival| (arrival.position.sequence.unwrap_or(i64::MAX), arrival.event, arrival.index);
        key(one).cmp(&key(other))
    });
}

/// Moves the partition's mark to this event and says when it counts as said; `None` when it was folded in before.
fn advance(state: &mut DeviceState, arrival: &Arrival) -> Option<Stamp> {
    let partition = arrival.position.partition.clone();
    let Some(sequence) = arrival.position.sequence else {
        return Some(Stamp { at: arrival.at, partition });
    };
    let before = state.marks.get(&partition);
    if before.is_some_and(|mark| sequence <= mark.sequence) {
        return None;
    }
    let counted_until = before.map_or(Millis::default(), |mark| mark.at);
    state.marks.insert(partition.clone(), Mark { sequence, at: counted_until });
    Some(Stamp { at: counted_until.max(arrival.at), partition })
}

/// The calibrated values, or the first one that is out of its range.
fn validate(
    arrival: &Arrival,
    calibration: Option<&Calibration>,
    catalogue: &Catalogue,
) -> Result<Vec<(usize, f64)>, Fault> {
    let checked = |&(at, raw): &(usize, f64)| {
        let value = calibration.map_or(raw, |calibration| calibration.apply(at, raw));
        let measurement = &catalogue.measurements()[at];
        match measurement.accepts(value) {
            true => Ok((at, value)),
            false => Err(Fault {
                reason: Reason::OutOfRange,
                detail: format!("{} is {value}, valid is {}", measurement.name, measurement.range()),
                device: Some(arrival.reading.device.to_string()),
            }),
        }
    };
    arrival.reading.raw.iter().map(checked).collect()
}

fn take(state: &mut DeviceState, arrival: &Arrival, values: Vec<(usize, f64)>, stamp: &Stamp) {
    state.count += 1;
    if let Some(mark) = state.marks.get_mut(&stamp.partition) {
        mark.at = mark.at.max(stamp.at);
    }
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
    if state.reported.as_ref().is_none_or(|newest| stamp >= newest) {
        state.reported = Some(stamp.clone());
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
