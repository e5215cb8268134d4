//! The fold of a batch into one device's row: what is pending, the draft of the next row, and what came of it. Pure.

use super::readings::{DeviceReadings, rejected_reading};
use crate::devices::fold::{Folded, fold};
use crate::devices::rows::{Expect, Loaded, Stored, Write};
use crate::devices::state::{DeviceState, WriteId};
use crate::host::envelope::Event;
use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::rejected::reading::{Reason, RejectedReading, Rejection};
use crate::telemetry::calibration::Calibrations;
use crate::telemetry::catalogue::Catalogue;

/// What a fold depends on beside row and readings.
pub(super) struct Terms<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) calibrations: &'a Calibrations,
    /// The random number of the invocation, which names its writes.
    pub(super) seed: u64,
}

/// A device with readings that are still to be folded, and its row as far as it is known.
pub(super) struct Pending<'a> {
    device: &'a DeviceReadings,
    /// Arrivals before this one are in the row.
    from: usize,
    /// The area that the device left by those.
    left: Option<String>,
    row: Loaded,
}

/// Readings folded into a row that is to be written.
pub(super) struct Draft<'a> {
    device: &'a DeviceReadings,
    from: usize,
    /// The area that the device leaves by this write.
    left: Option<String>,
    folded: Folded,
}

/// Readings that are in the row, or that never will be.
pub(super) struct Committed<'a> {
    device: &'a DeviceReadings,
    from: usize,
    left: Option<String>,
    folded: Folded,
    /// The row as it now stands in the store, where it is known.
    row: Option<Stored>,
}

/// What a fold led to.
pub(super) enum Step<'a> {
    /// The row has to be written.
    Write(Draft<'a>, Write),
    /// There is nothing to write.
    Done(Committed<'a>),
}

/// What is left of a device when its committed readings have been accounted for.
pub(super) enum Rest<'a> {
    /// Everything is in the row: the row, where it is known, and the area that the device left.
    Complete(Option<(Box<Stored>, Option<String>)>),
    /// The row was too full to take more verdicts: these readings are folded once the rejected ones are kept.
    Pending(Pending<'a>),
}

impl<'a> Pending<'a> {
    /// All readings of a device.
    pub(super) fn new(device: &'a DeviceReadings, row: Loaded) -> Pending<'a> {
        Pending { device, from: 0, left: None, row }
    }

    /// Whose readings they are.
    pub(super) fn device(&self) -> &DeviceId {
        &self.device.device
    }

    /// Folds what is left into the row.
    pub(super) fn fold(self, terms: &Terms<'_>) -> Step<'a> {
        let Pending { device, from, left, row } = self;
        let (current, expect) = match row {
            Loaded::Absent => (None, Expect::Absent),
            Loaded::Found(stored) => (Some(stored.state), Expect::At(stored.revision)),
            Loaded::Damaged(problem) => {
                let detail =
                    format!("the row of this device cannot be read, repair it and send again: {problem}");
                return Step::Done(Committed::rejected(device, from, Reason::DamagedState, &detail));
            }
        };
        let calibration = terms.calibrations.get(&device.device);
        let left = left.or_else(|| area_of(current.as_ref()?).cloned());
        let mut folded =
            fold(&device.device, current, &device.arrivals[from..], calibration, terms.catalogue);
        if let Some(mut state) = folded.next.take() {
            state.write_id =
                WriteId { invocation: terms.seed, from: u32::try_from(from).unwrap_or(u32::MAX) };
            let left = left.filter(|left| area_of(&state) != Some(left));
            return Step::Write(Draft { device, from, left, folded }, Write { state, expect });
        }
        let row = match (folded.unchanged.take(), expect) {
            (Some(state), Expect::At(revision)) => Some(Stored { state, revision }),
            _ => None,
        };
        Step::Done(Committed { device, from, left: None, folded, row })
    }
}

impl<'a> Draft<'a> {
    /// The write is in the store, as this row.
    pub(super) fn committed(self, row: Option<Stored>) -> Committed<'a> {
        let Draft { device, from, left, folded } = self;
        Committed { device, from, left, folded, row }
    }

    /// The store does not take the row: its readings are kept as rejected, so that it does not stop the partition for ever.
    pub(super) fn not_stored(self, problem: &str) -> Committed<'a> {
        let detail = format!("the store does not take the row of this device: {problem}");
        Committed::rejected(self.device, self.from, Reason::NotStored, &detail)
    }

    /// To be folded again, into the row as it was loaded again.
    pub(super) fn again(self, row: Loaded) -> Pending<'a> {
        // Whoever wrote meanwhile has told those who follow the area that the row was in then.
        let left = self.left.filter(|_| self.from > 0);
        Pending { device: self.device, from: self.from, left, row }
    }
}

impl<'a> Committed<'a> {
    /// Counts nothing: what is left of the device's readings is rejected.
    fn rejected(device: &'a DeviceReadings, from: usize, reason: Reason, detail: &str) -> Committed<'a> {
        let device_id = Some(device.device.to_string());
        let rejection = Rejection { reason, detail: detail.to_owned(), device: device_id };
        let left = device.arrivals.len() - from;
        let rejected = (0..left).map(|at| (at, rejection.clone())).collect();
        let folded = Folded { rejected, folded: left, ..Folded::default() };
        Committed { device, from, left: None, folded, row: None }
    }

    /// Readings counted now.
    pub(super) fn accepted(&self) -> usize {
        self.folded.accepted
    }

    /// Readings that an earlier delivery had counted.
    pub(super) fn skipped(&self) -> usize {
        self.folded.skipped
    }

    /// The rejected readings, to be kept.
    pub(super) fn take_rejected(&mut self, events: &[Event], now: Millis) -> Vec<RejectedReading> {
        let rejected = std::mem::take(&mut self.folded.rejected);
        let reading = |(at, rejection): (usize, Rejection)| {
            let arrival = &self.device.arrivals[self.from + at];
            rejected_reading(&events[arrival.event], arrival.index, arrival.span.clone(), rejection, now)
        };
        rejected.into_iter().map(reading).collect()
    }

    /// What is left to do for the device.
    pub(super) fn rest(self) -> Rest<'a> {
        let Committed { device, from, left, folded, row } = self;
        let from = from + folded.folded;
        if from == device.arrivals.len() {
            return Rest::Complete(row.map(|row| (Box::new(row), left)));
        }
        let row = row.map_or(Loaded::Absent, |stored| Loaded::Found(Box::new(stored)));
        Rest::Pending(Pending { device, from, left, row })
    }
}

fn area_of(state: &DeviceState) -> Option<&String> {
    state.geo.as_ref().map(|geo| &geo.value)
}
