//! Drafts: what one try to settle a group of devices knows of each of them, and what it wants to write. No I/O.

use super::settle::Run;
use super::{DeviceArrivals, refusal};
use crate::fold::{Folded, fold};
use crate::refusal::{Fault, Reason, Refusal};
use crate::store::{Expect, Loaded, Revision, Stored, Write};

/// A device with what is still to be folded, and its row as far as it is known.
pub(super) struct Member<'a> {
    pub(super) device: &'a DeviceArrivals,
    /// Arrivals before this one are settled.
    pub(super) from: usize,
    pub(super) row: Loaded,
}

/// A member after folding.
pub(super) struct Draft<'a> {
    pub(super) member: Member<'a>,
    folded: Folded,
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
    /// A device of which nothing is settled yet.
    pub(super) fn new(device: &'a DeviceArrivals, row: Loaded) -> Member<'a> {
        Member { device, from: 0, row }
    }

    /// Folds what is left into the row.
    pub(super) fn draft(self, run: &Run<'_>) -> Draft<'a> {
        let current = match &self.row {
            Loaded::Absent => None,
            Loaded::Found(stored) => Some(&stored.state),
            Loaded::Damaged(problem) => {
                let detail =
                    format!("the row of this device cannot be read, repair it and send again: {problem}");
                return self.refuse(Reason::DamagedState, &detail);
            }
        };
        let calibration = run.calibrations.get(&self.device.device);
        let arrivals = &self.device.arrivals[self.from..];
        let folded = fold(&self.device.device, current, arrivals, calibration, &run.ingest.catalogue);
        Draft { member: self, folded }
    }

    /// Counts nothing: what is left of the device's readings is kept as refused.
    pub(super) fn refuse(self, reason: Reason, detail: &str) -> Draft<'a> {
        let device = Some(self.device.device.to_string());
        let fault = Fault { reason, detail: detail.to_owned(), device };
        let left = self.device.arrivals.len() - self.from;
        let refused = (0..left).map(|at| (at, fault.clone())).collect();
        let folded = Folded { next: None, accepted: 0, skipped: 0, refused, folded: left };
        Draft { member: self, folded }
    }

    fn revision(&self) -> Option<&Revision> {
        match &self.row {
            Loaded::Found(stored) => Some(&stored.revision),
            Loaded::Absent | Loaded::Damaged(_) => None,
        }
    }
}

impl<'a> Draft<'a> {
    /// Takes out what is to be written, if anything. The write id is the same for every try to write these arrivals:
    /// whichever of them was applied, they are in.
    pub(super) fn take_write(&mut self, run: &Run<'_>) -> Option<Write> {
        let mut state = self.folded.next.take()?;
        state.write_id = format!("{:016x}-{}", run.invocation.seed, self.member.from);
        let expect = match self.member.revision() {
            Some(revision) => Expect::At(revision.clone()),
            None => Expect::Absent,
        };
        Some(Write { state, expect })
    }

    /// Whether the row is no longer the one that was folded into.
    pub(super) fn is_outdated_by(&self, row: &Loaded) -> bool {
        match row {
            Loaded::Found(stored) => self.member.revision() != Some(&stored.revision),
            Loaded::Absent | Loaded::Damaged(_) => self.member.row != *row,
        }
    }

    /// The end of a draft: `row` as it now stands in the store.
    pub(super) fn settle(self, run: &Run<'_>, row: Option<Stored>) -> Outcome<'a> {
        let Draft { member: Member { device, from, .. }, folded } = self;
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
