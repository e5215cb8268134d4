//! The tables as they really are: what a write does at the moment when it is done, and what must be true of it.

use std::collections::BTreeMap;

use fieldcast::devices::state::DeviceState;
use fieldcast::primitives::ids::DeviceId;
use fieldcast::rejected::refusal::Refusal;
use fieldcast::store::shard::Shard;
use fieldcast::store::{CommitError, Expect, Loaded, MOST_WRITES, Moment, Page, Revision, Stored, Write};
use fieldcast::telemetry::calibration::{Calibration, Calibrations};
use fieldcast::telemetry::catalogue::Catalogue;

use super::Violation;
use crate::workload::Workload;

/// A refusal's keys, and a number that is only used where refusals are kept without regard to their keys.
type RefusalKey = (String, String, u64);

/// Everything that is stored.
pub(crate) struct Tables {
    rows: BTreeMap<(Shard, DeviceId), Stored>,
    refusals: BTreeMap<RefusalKey, Refusal>,
    calibrations: Calibrations,
    revisions: u64,
}

impl Tables {
    pub(super) fn new(workload: &Workload, catalogue: &Catalogue) -> Tables {
        let mut tables = Tables {
            rows: BTreeMap::new(),
            refusals: BTreeMap::new(),
            calibrations: Calibrations::new(),
            revisions: 0,
        };
        for (device, intercept) in workload.devices.iter().zip(&workload.intercepts) {
            tables.calibrate(device, *intercept, catalogue);
        }
        tables
    }

    /// What a person does to a calibration row.
    pub(crate) fn calibrate(&mut self, device: &str, intercept: Option<f64>, catalogue: &Catalogue) {
        let device = DeviceId::parse(device).expect("simulated devices have good names");
        match intercept {
            None => self.calibrations.remove(&device),
            Some(intercept) => {
                let column = |name: &str| match name {
                    "TemperatureSlope" => Some(1.0),
                    "TemperatureYIntercept" => Some(intercept),
                    _ => None,
                };
                self.calibrations.insert(device, Calibration::from_columns(catalogue, column))
            }
        };
    }

    pub(crate) fn calibrations(&self) -> Calibrations {
        self.calibrations.clone()
    }

    pub(crate) fn load(&self, shard: Shard, devices: &[DeviceId]) -> Vec<Loaded> {
        let row = |device: &DeviceId| self.rows.get(&(shard, device.clone())).cloned();
        let loaded = |device| row(device).map_or(Loaded::Absent, |stored| Loaded::Found(Box::new(stored)));
        devices.iter().map(loaded).collect()
    }

    /// Half of a shard's rows at a time, so that scans have pages.
    pub(crate) fn page(&self, shard: Shard, since: Option<&Moment>, after: Option<&str>) -> Page {
        let number = |text: &str| text.parse::<u64>().unwrap_or_default();
        let since = since.map_or(0, |moment| number(&moment.0));
        let of_shard = self
            .rows
            .iter()
            .filter(|((row_shard, _), stored)| *row_shard == shard && number(&stored.revision.0) > since);
        let behind = |device: &DeviceId| after.is_none_or(|after| device.as_str() > after);
        let mut rows = of_shard.map(|(_, stored)| &stored.state).filter(|state| behind(&state.device));
        let page: Vec<DeviceState> = rows.by_ref().take(3).cloned().collect();
        let next = rows.next().and(page.last()).map(|last| last.device.to_string());
        Page { rows: page, next, read_at: Moment(self.revisions.to_string()) }
    }

    pub(crate) fn states(&self) -> impl Iterator<Item = &DeviceState> {
        self.rows.values().map(|stored| &stored.state)
    }

    pub(crate) fn state(&self, device: &str) -> Option<&DeviceState> {
        self.states().find(|state| state.device.as_str() == device)
    }

    pub(crate) fn refusals(&self) -> impl Iterator<Item = &Refusal> {
        self.refusals.values()
    }

    /// Another program writes the same rows without changing what they say. False when there are none yet.
    pub(crate) fn touch(&mut self, shard: Shard, writes: &[Write]) -> bool {
        let mut touched = false;
        for write in writes {
            if let Some(stored) = self.rows.get_mut(&(shard, write.state.device.clone())) {
                self.revisions += 1;
                stored.revision = Revision(self.revisions.to_string());
                touched = true;
            }
        }
        touched
    }

    /// All rows or none. What is written must be newer than what it replaces.
    pub(crate) fn commit(
        &mut self,
        shard: Shard,
        writes: &[Write],
        conditional: bool,
        broken: &mut Vec<Violation>,
    ) -> Result<Vec<Revision>, CommitError> {
        if writes.len() > MOST_WRITES {
            let detail = format!("{} rows in one transaction", writes.len());
            broken.push(Violation { check: "the contract of the store is kept", detail });
        }
        if conditional && !writes.iter().all(|write| self.holds(shard, write)) {
            return Err(CommitError::Conflict);
        }
        let mut revisions = Vec::with_capacity(writes.len());
        for write in writes {
            let key = (shard, write.state.device.clone());
            broken.extend(self.rows.get(&key).and_then(|stored| stepped_back(&stored.state, &write.state)));
            self.revisions += 1;
            let revision = Revision(self.revisions.to_string());
            self.rows.insert(key, Stored { state: write.state.clone(), revision: revision.clone() });
            revisions.push(revision);
        }
        Ok(revisions)
    }

    fn holds(&self, shard: Shard, write: &Write) -> bool {
        match (self.rows.get(&(shard, write.state.device.clone())), &write.expect) {
            (None, Expect::Absent) => true,
            (Some(stored), Expect::At(revision)) => stored.revision == *revision,
            _ => false,
        }
    }

    /// Keeps refusals by their keys, or each anew.
    pub(crate) fn refuse(&mut self, refusals: &[Refusal], by_key: bool) {
        for refusal in refusals {
            let number = if by_key { 0 } else { self.refusals.len() as u64 };
            let key = (refusal.partition_key(), refusal.row_key(), number);
            self.refusals.entry(key).or_insert_with(|| refusal.clone());
        }
    }
}

fn stepped_back(before: &DeviceState, after: &DeviceState) -> Option<Violation> {
    let detail = format!(
        "{}: version {} with count {} was replaced by version {} with count {}",
        before.device, before.version, before.count, after.version, after.count
    );
    let back = after.version <= before.version || after.count < before.count;
    back.then_some(Violation { check: "versions and counts only grow", detail })
}
