//! Drafts: what one try to settle a group of devices knows of each of them, and what it wants to write. No I/O.

use super::settle::Run;
use super::{DeviceArrivals, refusal};
use crate::devices::fold::{Folded, fold};
use crate::devices::state::DeviceState;
use crate::rejected::refusal::{Fault, Reason, Refusal};
use crate::store::{Expect, Loaded, Stored, Write};

/// A device with what is still to be folded, and its row as far as it is known.
pub(super) struct Member<'a> {
    pub(super) device: &'a DeviceArrivals,
    /// Arrivals before this one are settled.
    from: usize,
    /// The area that the device left by those.
    left: Option<String>,
    row: Loaded,
}

/// A member after folding.
pub(super) struct Draft<'a> {
    pub(super) device: &'a DeviceArrivals,
    pub(super) from: usize,
    /// The area that the device leaves.
    left: Option<String>,
    folded: Folded,
}

/// Where a draft leads to.
pub(super) enum Drafted<'a> {
    /// The row has to be written.
    Changed(Draft<'a>, Write),
    /// Nothing is to be written; the row as it was found, if there is one.
    Unchanged(Draft<'a>, Option<Stored>),
}

/// What became of one device.
pub(super) struct Outcome<'a> {
    /// The row as it now stands in the store.
    pub(super) row: Option<Stored>,
    /// The area that the device has left.
    pub(super) left: Option<String>,
    pub(super) accepted: usize,
    pub(super) skipped: usize,
    pub(super) refusals: Vec<Refusal>,
    /// What did not fit into one row with the rest of its verdicts, and is to be folded into the row as it now stands.
    pub(super) rest: Option<Member<'a>>,
}

impl<'a> Member<'a> {
    /// A device of which nothing is settled yet.
    pub(super) fn new(device: &'a DeviceArrivals, row: Loaded) -> Member<'a> {
        Member { device, from: 0, left: None, row }
    }

    /// Folds what is left into the row.
    pub(super) fn draft(self, run: &Run<'_>) -> Drafted<'a> {
        let Member { device, from, left, row } = self;
        let (current, expect) = match row {
            Loaded::Absent => (None, Expect::Absent),
            Loaded::Found(stored) => (Some(stored.state), Expect::At(stored.revision)),
            Loaded::Damaged(problem) => {
                let detail =
                    format!("the row of this device cannot be read, repair it and send again: {problem}");
                return Drafted::Unchanged(Draft::refused(device, from, Reason::DamagedState, &detail), None);
            }
        };
        let calibration = run.calibrations.get(&device.device);
        let arrivals = &device.arrivals[from..];
        let left = left.or_else(|| area_of(current.as_ref()?).cloned());
        let mut folded = fold(&device.device, current, arrivals, calibration, &run.ingest.catalogue);
        match (folded.next.take(), folded.unchanged.take(), expect) {
            (Some(mut state), _, expect) => {
                state.write_id = run.write_id(from);
                let left = left.filter(|left| area_of(&state) != Some(left));
                Drafted::Changed(Draft { device, from, left, folded }, Write { state, expect })
            }
            (None, Some(state), Expect::At(revision)) => Drafted::Unchanged(
                Draft { device, from, left: None, folded },
                Some(Stored { state, revision }),
            ),
            (None, ..) => Drafted::Unchanged(Draft { device, from, left: None, folded }, None),
        }
    }
}

impl<'a> Draft<'a> {
    /// Counts nothing: what is left of the device's readings is kept as refused.
    pub(super) fn refused(
        device: &'a DeviceArrivals,
        from: usize,
        reason: Reason,
        detail: &str,
    ) -> Draft<'a> {
        let fault = Fault { reason, detail: detail.to_owned(), device: Some(device.device.to_string()) };
        let left = device.arrivals.len() - from;
        let refused = (0..left).map(|at| (at, fault.clone())).collect();
        Draft { device, from, left: None, folded: Folded { refused, folded: left, ..Folded::default() } }
    }

    /// The device again, with its row as it was loaded again.
    pub(super) fn again(self, row: Loaded) -> Member<'a> {
        // Whoever wrote meanwhile has told those who follow the area that the row was in then.
        let left = self.left.filter(|_| self.from > 0);
        Member { device: self.device, from: self.from, left, row }
    }

    /// The end of a draft: `row` as it now stands in the store.
    pub(super) fn settle(self, run: &Run<'_>, row: Option<Stored>) -> Outcome<'a> {
        let Draft { device, from, left, folded } = self;
        let kept = |(at, fault): (usize, Fault)| {
            let arrival = &device.arrivals[from + at];
            let event = &run.events[arrival.event];
            refusal(event, arrival.index, arrival.span.clone(), fault, run.invocation.now)
        };
        let refusals = folded.refused.into_iter().map(kept).collect();
        let Folded { accepted, skipped, .. } = folded;
        let outcome = Outcome { row, left, accepted, skipped, refusals, rest: None };
        let from = from + folded.folded;
        if from == device.arrivals.len() {
            return outcome;
        }
        let row = outcome.row.map_or(Loaded::Absent, |stored| Loaded::Found(Box::new(stored)));
        let rest = Some(Member { device, from, left: outcome.left, row });
        Outcome { row: None, left: None, rest, ..outcome }
    }
}

fn area_of(state: &DeviceState) -> Option<&String> {
    state.geo.as_ref().map(|geo| &geo.value)
}
