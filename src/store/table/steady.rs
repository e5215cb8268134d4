//! Columns that hardly ever change. Rows are merged, so a write can leave out what the row holds already, and the service
//! spends its time column by column. What the row holds is remembered with its etag: while that is the row's etag, no
//! other writer has been there.

use std::hash::{BuildHasher, RandomState};

use fieldcast_tables::{Entity, Etag, Invalid};

use super::columns::entity;
use crate::devices::row::{Cell, columns};
use crate::devices::state::DeviceState;
use crate::store::Revision;
use crate::telemetry::catalogue::Catalogue;

const STEADY: [&str; 7] =
    ["CalibrationVersion", "DeviceId", "Geo", "OlderValues", "RefusedReadings", "ReportedBy", "Schema"];

/// Tells whether the steady columns of two rows are the same from eight bytes a row. The hash has a key that only this
/// process knows: no device can send values that look alike.
#[derive(Default)]
pub(super) struct Steady(RandomState);

/// The steady columns that a row holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digest(u64);

/// A row at one etag, as this process knows it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) etag: Etag,
    pub(super) digest: Digest,
}

impl Steady {
    /// The entity that brings a row to a state, and what the row holds then. Without `held` it is a new row.
    pub(super) fn write(
        &self,
        partition: &str,
        state: &DeviceState,
        held: Option<Digest>,
        catalogue: &Catalogue,
    ) -> (Entity, Digest) {
        let mut columns = columns(state, catalogue);
        let digest = self.digest(columns.iter().map(|(column, cell)| (*column, cell)));
        match held {
            None => columns.retain(|(column, cell)| !is_empty(column, cell)),
            Some(held) if held == digest => columns.retain(|(column, _)| !STEADY.contains(column)),
            Some(_) => {}
        }
        (entity(partition, &state.device, columns), digest)
    }

    /// The same in whatever order the columns come.
    pub(super) fn digest<'a>(&self, row: impl IntoIterator<Item = (&'a str, &'a Cell)>) -> Digest {
        let steady =
            row.into_iter().filter(|(column, cell)| STEADY.contains(column) && !is_empty(column, cell));
        Digest(steady.map(|(column, cell)| self.hash(column, cell)).fold(0, u64::wrapping_add))
    }

    fn hash(&self, column: &str, cell: &Cell) -> u64 {
        match cell {
            Cell::Text(text) => self.0.hash_one((column, text)),
            Cell::Number(number) => self.0.hash_one((column, number.to_bits())),
            Cell::Whole(whole) => self.0.hash_one((column, whole)),
            Cell::Time(time) => self.0.hash_one((column, time)),
        }
    }
}

/// Whether the column's absence would mean the same. Nearly every device has none of these.
fn is_empty(column: &str, cell: &Cell) -> bool {
    let Cell::Text(text) = cell else { return false };
    matches!((column, text.as_str()), ("CalibrationVersion", "") | ("OlderValues" | "RefusedReadings", "{}"))
}

impl Held {
    pub(super) fn to_revision(&self) -> Revision {
        Revision(format!("{:016x}{}", self.digest.0, self.etag))
    }

    pub(super) fn from_revision(revision: &Revision) -> Result<Held, Invalid> {
        let (digest, etag) = revision.0.split_at_checked(16).ok_or(Invalid::Etag)?;
        let digest = u64::from_str_radix(digest, 16).map_err(|_| Invalid::Etag)?;
        Ok(Held { etag: Etag::new(etag)?, digest: Digest(digest) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::row::{Row, to_row};
    use crate::devices::state::{Latest, Stamp};
    use crate::primitives::ids::{DeviceId, Partition};
    use crate::primitives::instant::Millis;

    const CATALOGUE: fn() -> Catalogue = Catalogue::environment;

    fn state() -> DeviceState {
        let mut state = DeviceState::new(DeviceId::parse("sensor-1").unwrap(), &CATALOGUE());
        let stamp = Stamp { at: Millis(100), partition: Partition::new("hub", "0") };
        state.geo = Some(Latest { value: "Sydney".to_owned(), stamp: stamp.clone() });
        state.reported = Some(stamp);
        state.count = 1;
        state
    }

    fn digest(steady: &Steady, row: &Row) -> Digest {
        steady.digest(row.iter().map(|(column, cell)| (column.as_str(), cell)))
    }

    /// The columns that are sent to bring a row to a state.
    fn sent(steady: &Steady, held: Option<Digest>, state: &DeviceState) -> Vec<String> {
        let (entity, _) = steady.write("Sydney", state, held, &CATALOGUE());
        entity.properties().map(|(column, _)| column.to_owned()).collect()
    }

    #[test]
    fn what_the_row_holds_is_left_out() {
        let (steady, mut state) = (Steady::default(), state());
        let held = digest(&steady, &to_row(&state, &CATALOGUE()));
        state.count += 1;
        assert_eq!(
            sent(&steady, Some(held), &state),
            ["Count", "Version", "WriteId", "Watermarks", "ReportedAt"]
        );
        let new = [
            "Geo",
            "DeviceId",
            "Count",
            "Version",
            "Schema",
            "WriteId",
            "Watermarks",
            "ReportedAt",
            "ReportedBy",
        ];
        assert_eq!(sent(&steady, None, &state), new, "a new row is written whole, without empty columns");
    }

    #[test]
    fn a_steady_column_that_changes_is_sent() {
        let steady = Steady::default();
        let held = digest(&steady, &to_row(&state(), &CATALOGUE()));
        type Change = fn(&mut DeviceState);
        let changes: [(&str, Change); 5] = [
            ("Geo", |state| state.geo.as_mut().unwrap().value = "Perth".to_owned()),
            ("OlderValues", |state| state.geo.as_mut().unwrap().stamp.at = Millis(99)),
            ("RefusedReadings", |state| state.verdicts.refuse(&Partition::new("hub", "0"), 7, 0)),
            ("CalibrationVersion", |state| state.calibration = "2".to_owned()),
            ("ReportedBy", |state| state.reported.as_mut().unwrap().partition = Partition::new("hub", "1")),
        ];
        for (column, change) in changes {
            let mut state = state();
            change(&mut state);
            assert!(sent(&steady, Some(held), &state).iter().any(|sent| sent == column), "{column}");
        }
    }

    #[test]
    fn a_steady_column_that_becomes_empty_is_sent() {
        let (steady, mut state) = (Steady::default(), state());
        state.verdicts.refuse(&Partition::new("hub", "0"), 7, 0);
        let held = digest(&steady, &to_row(&state, &CATALOGUE()));
        state.verdicts.forget_before(&Partition::new("hub", "0"), 8);
        assert!(sent(&steady, Some(held), &state).contains(&"RefusedReadings".to_owned()));
    }

    #[test]
    fn a_row_of_the_predecessor_is_written_whole() {
        let steady = Steady::default();
        let mut row = to_row(&state(), &CATALOGUE());
        row.insert("Schema".to_owned(), Cell::Whole(1));
        assert_eq!(sent(&steady, Some(digest(&steady, &row)), &state()).len(), 12);
        row.insert("Schema".to_owned(), Cell::Whole(2));
        row.remove("ReportedBy");
        assert_eq!(sent(&steady, Some(digest(&steady, &row)), &state()).len(), 12, "a column is missing");
    }

    #[test]
    fn what_was_written_is_known_afterwards() {
        let (steady, state) = (Steady::default(), state());
        let (_, written) = steady.write("Sydney", &state, None, &CATALOGUE());
        assert_eq!(written, digest(&steady, &to_row(&state, &CATALOGUE())));
    }

    #[test]
    fn a_revision_holds_etag_and_digest() {
        let held = Held { etag: Etag::new("W/\"1\"").unwrap(), digest: Digest(7) };
        assert_eq!(Held::from_revision(&held.to_revision()), Ok(held));
    }

    #[test]
    fn a_revision_of_another_store_is_refused() {
        for text in ["", "7", "0123456789abcdefx", "0123456789abcdeüW/\"1\""] {
            assert_eq!(Held::from_revision(&Revision(text.to_owned())), Err(Invalid::Etag), "{text}");
        }
    }
}
