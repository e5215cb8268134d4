//! What a screen waits for: the snapshot of a large fleet and the catch-up after it, and the way of a reading from its
//! device to the number in the browser.

mod journey;
mod page;
mod snapshots;

use std::{path::Path, time::Duration};

use anyhow::Result;
use serde::Serialize;

pub(super) use self::page::Page;
use self::{journey::Journey, snapshots::Snapshots};
use super::{cell::Plan, figures::Outcome, start::Milliseconds};
use crate::{
    text::{self, say},
    workspace::Workspace,
};

/// Each is absent when it was not asked for.
#[derive(Default, Serialize)]
pub(super) struct Screens {
    pub(super) snapshots: Option<Outcome<Snapshots>>,
    pub(super) journey: Option<Outcome<Journey>>,
    pub(super) page: Option<Outcome<Page>>,
}

/// One after the other.
pub(super) async fn of(program: &Path, plan: &Plan, workspace: &Workspace) -> Screens {
    let mut screens = Screens::default();
    if plan.wants_screens("snapshots") {
        say!("snapshots of {} devices", text::thousands(plan.known.devices.into()));
        screens.snapshots = Some(outcome("snapshots", snapshots::measure(program, plan, workspace).await));
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

fn outcome<M>(what: &str, measured: Result<M>) -> Outcome<M> {
    measured.map_or_else(
        |error| {
            let reason = text::one_line(&error);
            say!("{what} failed: {reason}");
            Outcome::Failed { reason }
        },
        Outcome::Measured,
    )
}

impl Screens {
    pub(super) fn failed(&self) -> usize {
        fn has_failed<M>(outcome: &Option<Outcome<M>>) -> bool {
            matches!(outcome, Some(Outcome::Failed { .. }))
        }
        let failed = [has_failed(&self.snapshots), has_failed(&self.journey), has_failed(&self.page)];
        failed.into_iter().filter(|failed| *failed).count()
    }
}

fn milliseconds(time: Duration) -> Milliseconds {
    time.as_secs_f64() * 1_000.0
}

/// The value below which a share of the sorted values lies.
fn quantile(sorted: &[Milliseconds], share: f64) -> Option<Milliseconds> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = (sorted.len() as f64 * share) as usize;
    sorted.get(place.min(sorted.len().checked_sub(1)?)).copied()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn a_quantile_is_one_of_the_values() {
        let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|share| quantile(&hundred, share)),
            [1.0, 51.0, 100.0, 100.0].map(Some)
        );
        assert_eq!((quantile(&[7.0], 0.99), quantile(&[], 0.5)), (Some(7.0), None));
    }
}
