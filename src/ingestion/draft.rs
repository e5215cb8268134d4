//! The fold of a batch into one device's row: what is pending, the draft of the next row, and what came of it. Pure.

use super::readings::DeviceReadings;
use super::rejections::Rejections;
use crate::devices::fold::{Folded, fold};
use crate::devices::rows::{Expect, Loaded, StoredState, Write};
use crate::devices::state::{DeviceState, WriteId};
use crate::host::envelope::Event;
use crate::primitives::ids::DeviceId;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::calibration::{Calibration, Calibrations};
use crate::telemetry::catalogue::Catalogue;

/// What a fold depends on beside row and readings.
pub(super) struct Terms<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) calibrations: &'a Calibrations,
    /// A random number of this slice of the invocation, which names its writes.
    pub(super) seed: u64,
}

/// A device with readings that are still to be folded, and its row as far as it is known.
pub(super) struct Pending<'a> {
    device: &'a DeviceReadings,
    /// Arrivals before this one are in the row.
    from: usize,
    /// The area that the device left by those.
    left_area: Option<String>,
    row: Loaded,
}

/// Readings folded into a row that is to be written.
pub(super) struct Draft<'a> {
    device: &'a DeviceReadings,
    from: usize,
    /// The area that the device leaves by this write.
    left_area: Option<String>,
    folded: Folded,
}

/// Readings whose fate is decided: they are in the row, or rejected for good.
pub(super) struct Decided<'a> {
    device: &'a DeviceReadings,
    from: usize,
    left_area: Option<String>,
    folded: Folded,
    /// The row as it now stands in the store, where it is known.
    row: Option<StoredState>,
}

/// What a fold led to.
pub(super) enum Step<'a> {
    /// The row has to be written.
    Write(Draft<'a>, Write),
    /// There is nothing to write.
    Done(Decided<'a>),
}

/// What is left of a device when its committed readings have been accounted for.
pub(super) enum Rest<'a> {
    /// Everything is in the row: the row, where it is known, and the area that the device left.
    Complete(Option<(Box<StoredState>, Option<String>)>),
    /// The row was too full to take more verdicts: these readings are folded once the rejected ones are kept.
    Pending(Pending<'a>),
}

impl<'a> Pending<'a> {
    /// All readings of a device.
    pub(super) fn new(device: &'a DeviceReadings, row: Loaded) -> Pending<'a> {
        Pending { device, from: 0, left_area: None, row }
    }

    /// Whose readings they are.
    pub(super) fn device(&self) -> &DeviceId {
        &self.device.device
    }

    /// Folds what is left into the row.
    pub(super) fn fold(self, terms: &Terms<'_>) -> Step<'a> {
        let Pending { device, from, left_area, row } = self;
        let (current, expect) = match row {
            Loaded::Absent => (None, Expect::Absent),
            Loaded::Found(stored) => (Some(stored.state), Expect::At(stored.revision)),
            Loaded::Damaged(problem) => {
                let detail =
                    format!("the row of this device cannot be read, repair it and send again: {problem}");
                return Step::Done(Decided::rejected(device, from, Reason::DamagedState, &detail));
            }
        };
        let calibration = calibration_of(&device.device, terms.calibrations);
        let left_area = left_area.or_else(|| area_of(current.as_ref()?).cloned());
        let mut folded =
            fold(&device.device, current, &device.arrivals[from..], calibration, terms.catalogue);
        if let Some(mut state) = folded.next.take() {
            state.write_id =
                WriteId { invocation: terms.seed, from: u32::try_from(from).unwrap_or(u32::MAX) };
            let left_area = left_area.filter(|left| area_of(&state) != Some(left));
            return Step::Write(Draft { device, from, left_area, folded }, Write { state, expect });
        }
        let row = match (folded.unchanged.take(), expect) {
            (Some(state), Expect::At(revision)) => Some(StoredState { state, revision }),
            _ => None,
        };
        Step::Done(Decided { device, from, left_area: None, folded, row })
    }
}

impl<'a> Draft<'a> {
    /// The write is in the store, as this row.
    pub(super) fn committed(self, row: Option<StoredState>) -> Decided<'a> {
        let Draft { device, from, left_area, folded } = self;
        Decided { device, from, left_area, folded, row }
    }

    /// The store does not take the row: its readings are kept as rejected, so that it does not stop the partition for ever.
    pub(super) fn not_stored(self, problem: &str) -> Decided<'a> {
        let detail = format!("the store does not take the row of this device: {problem}");
        Decided::rejected(self.device, self.from, Reason::NotStored, &detail)
    }

    /// To be folded again, into the row as it was loaded again.
    pub(super) fn again(self, row: Loaded) -> Pending<'a> {
        // On a first fold the other writer has told the old area; only an earlier turn of ours still owes that.
        let left_area = self.left_area.filter(|_| self.from > 0);
        Pending { device: self.device, from: self.from, left_area, row }
    }
}

impl<'a> Decided<'a> {
    /// Counts nothing: what is left of the device's readings is rejected.
    fn rejected(device: &'a DeviceReadings, from: usize, reason: Reason, detail: &str) -> Decided<'a> {
        let device_id = Some(device.device.device().into_owned());
        let rejection = Rejection { reason, detail: detail.to_owned(), device: device_id };
        let remaining = device.arrivals.len() - from;
        let rejected = (0..remaining).map(|at| (at, rejection.clone())).collect();
        let folded = Folded { rejected, arrivals_used: remaining, ..Folded::default() };
        Decided { device, from, left_area: None, folded, row: None }
    }

    /// Readings counted now.
    pub(super) fn accepted(&self) -> usize {
        self.folded.accepted
    }

    /// Readings that an earlier delivery had counted.
    pub(super) fn skipped(&self) -> usize {
        self.folded.skipped
    }

    /// Whether the numbers of the stream begin again.
    pub(super) fn is_new_stream(&self) -> bool {
        self.folded.is_new_stream
    }

    /// Hands over the rejected readings, to be kept.
    pub(super) fn hand_over(&mut self, events: &[Event], rejections: &mut Rejections) {
        for (at, rejection) in std::mem::take(&mut self.folded.rejected) {
            let arrival = &self.device.arrivals[self.from + at];
            rejections.reject(events, arrival.event, arrival.index, arrival.span.clone(), rejection);
        }
    }

    /// What is left to do for the device.
    pub(super) fn rest(self) -> Rest<'a> {
        let Decided { device, from, left_area, folded, row } = self;
        let from = from + folded.arrivals_used;
        if from == device.arrivals.len() {
            return Rest::Complete(row.map(|row| (Box::new(row), left_area)));
        }
        let row = row.map_or(Loaded::Absent, |stored| Loaded::Found(Box::new(stored)));
        Rest::Pending(Pending { device, from, left_area, row })
    }
}

/// A part's own calibration, or that of its device.
fn calibration_of<'c>(device: &DeviceId, calibrations: &'c Calibrations) -> Option<&'c Calibration> {
    let of_device = || device.is_part().then(|| calibrations.get(&device.whole())).flatten();
    calibrations.get(device).or_else(of_device)
}

fn area_of(state: &DeviceState) -> Option<&String> {
    state.geo.as_ref().map(|geo| &geo.value)
}
