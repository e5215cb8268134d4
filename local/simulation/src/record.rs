//! The record of a run: what was counted, what was broken, and, where somebody listens, the story.

use std::collections::BTreeMap;
use std::fmt;

use crate::scenario::{Moment, seconds};

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub check: &'static str,
    /// What was found.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.check, self.detail)
    }
}

/// How often things happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Faults that took effect, by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Everything else.
    pub happened: BTreeMap<&'static str, u64>,
}

impl Tally {
    pub(crate) fn add(&mut self, what: &'static str, times: u64) {
        *self.happened.entry(what).or_default() += times;
    }

    pub(crate) fn inject(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    /// Adds another tally to this one.
    pub fn absorb(&mut self, other: &Tally) {
        for (what, times) in &other.happened {
            self.add(what, *times);
        }
        for (kind, times) in &other.faults {
            *self.faults.entry(kind).or_default() += times;
        }
    }
}

/// What one run leaves behind.
pub(crate) struct Record {
    pub(crate) tally: Tally,
    pub(crate) violations: Vec<Violation>,
    pub(crate) story: Option<Vec<String>>,
    /// For each manual run, whether it was answered with success.
    pub(crate) manual_runs: BTreeMap<usize, bool>,
    /// Batches that the handler failed.
    pub(crate) failed_batches: u64,
}

impl Record {
    pub(crate) fn new(told: bool) -> Record {
        Record {
            tally: Tally::default(),
            violations: Vec::new(),
            story: told.then(Vec::new),
            manual_runs: BTreeMap::new(),
            failed_batches: 0,
        }
    }

    pub(crate) fn tell(&mut self, now: Moment, sentence: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            story.push(format!("{:>12}  {}", seconds(now), sentence()));
        }
    }
}
