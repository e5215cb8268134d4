//! Measures how long a screen waits: for the snapshot of a large fleet and the catch-up after it, and for a reading
//! on its way from the device to the browser. And how long a batch waits for many screens.

mod crowd;
mod journey;
mod page;
mod snapshots;

use std::path::Path;

use anyhow::Result;
use serde::Serialize;

pub(super) use self::{crowd::Crowd, page::PageCost};
use self::{journey::Journey, snapshots::Snapshots};
use super::{cell::BenchPlan, outcome::MeasurementOutcome};
use crate::{
    text::{self, say},
    workspace::Workspace,
};

/// The figures of screens; those that were not selected are absent.
#[derive(Default, Serialize)]
pub(super) struct Screens {
    pub(super) snapshots: Option<MeasurementOutcome<Snapshots>>,
    pub(super) crowd: Option<MeasurementOutcome<Crowd>>,
    pub(super) journey: Option<MeasurementOutcome<Journey>>,
    pub(super) page: Option<MeasurementOutcome<PageCost>>,
}

/// One after the other.
pub(super) async fn of(program: &Path, plan: &BenchPlan, workspace: &Workspace) -> Screens {
    let mut screens = Screens::default();
    if plan.wants_screens("snapshots") {
        say!("snapshots of {} devices", text::thousands(plan.known.devices.into()));
        screens.snapshots = Some(outcome("snapshots", snapshots::measure(program, plan, workspace).await));
    }
    if plan.wants_screens("crowd") {
        say!("batches while many load snapshots of {} devices", text::thousands(plan.known.devices.into()));
        screens.crowd = Some(outcome("crowd", crowd::measure(program, plan, workspace).await));
    }
    if plan.wants_screens("journey") {
        say!("readings on their way to a browser, for {} s", plan.watched.as_secs());
        screens.journey = Some(outcome("journey", journey::measure(program, plan, workspace).await));
    }
    if plan.wants_screens("page") {
        say!("the page with {} devices, for {} s", text::thousands(page::DEVICES), plan.watched.as_secs());
        screens.page = Some(outcome("page", page::measure(plan, workspace).await));
    }
    screens
}

fn outcome<M>(what: &str, measured: Result<M>) -> MeasurementOutcome<M> {
    measured.map_or_else(
        |error| {
            let reason = text::one_line(&error);
            say!("{what} failed: {reason}");
            MeasurementOutcome::Failed { reason }
        },
        MeasurementOutcome::Measured,
    )
}

impl Screens {
    pub(super) fn failed(&self) -> usize {
        fn has_failed<M>(outcome: &Option<MeasurementOutcome<M>>) -> bool {
            matches!(outcome, Some(MeasurementOutcome::Failed { .. }))
        }
        let failed = [
            has_failed(&self.snapshots),
            has_failed(&self.crowd),
            has_failed(&self.journey),
            has_failed(&self.page),
        ];
        failed.into_iter().filter(|failed| *failed).count()
    }
}
