//! Drafts: what one try to settle a group of devices knows of each of them, and what it wants to write. No I/O.

use super::settle::Run;
use super::{DeviceArrivals, refusal};
use crate::fold::{Folded, fold};
use crate::refusal::{Fault, Reason, Refusal};
use crate::store::{Expect, Loaded, Stored, Write};

/// A device with what is still to be folded, and its row as far as it is known.
pub(super) struct Member<'a> {
    pub(super) device: &'a DeviceArrivals,
    /// Arrivals before this one are settled.
    pub(super) from: usize,
    pub(super) row: Loaded,
}

/// A member after folding.
pub(super) struct Draft<'a> {
    pub(super) device: &'a DeviceArrivals,
    pub(super) from: usize,
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
    pub(super) accepted: usize,
    pub(super) skipped: usize,
    pub(super) refusals: Vec<Refusal>,
    /// What did not fit into one row with the rest of its verdicts, and is to be folded into the row as it now stands.
    pub(super) rest: Option<Member<'a>>,
}

impl<'a> Member<'a> {
    /// Folds what is left into the row.
    pub(super) fn draft(self, run: &Run<'_>) -> Drafted<'a> {
        let Member { device, from, row } = self;
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
        let mut folded = fold(&device.device, current, arrivals, calibration, &run.ingest.catalogue);
        match (folded.next.take(), folded.unchanged.take(), expect) {
            (Some(mut state), _, expect) => {
                state.write_id = run.write_id(from);
                Drafted::Changed(Draft { device, from, folded }, Write { state, expect })
            }
            (None, Some(state), Expect::At(revision)) => {
                Drafted::Unchanged(Draft { device, from, folded }, Some(Stored { state, revision }))
            }
            (None, ..) => Drafted::Unchanged(Draft { device, from, folded }, None),
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
        Draft { device, from, folded: Folded { refused, folded: left, ..Folded::default() } }
    }

    /// The device again, with its row as it was loaded again.
    pub(super) fn again(self, row: Loaded) -> Member<'a> {
        Member { device: self.device, from: self.from, row }
    }

    /// The end of a draft: `row` as it now stands in the store.
    pub(super) fn settle(self, run: &Run<'_>, row: Option<Stored>) -> Outcome<'a> {
        let Draft { device, from, folded } = self;
        let kept = |(at, fault): (usize, Fault)| {
            let arrival = &device.arrivals[from + at];
            let event = &run.events[arrival.event];
            refusal(event, arrival.index, arrival.span.clone(), fault, run.invocation.now)
        };
        let refusals = folded.refused.into_iter().map(kept).collect();
        let outcome =
            Outcome { row, accepted: folded.accepted, skipped: folded.skipped, refusals, rest: None };
        let from = from + folded.folded;
        if from == device.arrivals.len() {
            return outcome;
        }
        let row = outcome.row.map_or(Loaded::Absent, |stored| Loaded::Found(Box::new(stored)));
        Outcome { row: None, rest: Some(Member { device, from, row }), ..outcome }
    }
}
