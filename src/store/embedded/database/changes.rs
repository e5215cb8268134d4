//! The order of changes: each write of a row takes the next number, and the row's earlier number goes. So a reader that
//! knows up to which number it has read finds what has changed since, once per row, and the list never has more entries
//! than there are rows.

use redb::{ReadOnlyTable, ReadableTable, Table, TableDefinition, WriteTransaction};

use super::{Key, PAGE, Rows, decode, unavailable};
use crate::store::{Moment, StoreError};

/// Number of the change, and the device.
pub(super) const CHANGES: TableDefinition<'_, u64, &str> = TableDefinition::new("Changes");

/// A place in the list as a scan's token: unlike a device id, it begins with a character that is forbidden in one.
const MARK: char = '#';

/// The list in a transaction that writes.
pub(super) struct Changes<'t> {
    table: Table<'t, u64, &'static str>,
    newest: u64,
}

impl<'t> Changes<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Changes<'t>, StoreError> {
        let table = transaction.open_table(CHANGES).map_err(unavailable)?;
        let newest = newest(&table)?;
        Ok(Changes { table, newest })
    }

    /// Moves a device's row to the end of the list and returns its number there.
    pub(super) fn note(&mut self, device: &str, before: Option<u64>) -> Result<u64, StoreError> {
        if let Some(before) = before {
            self.table.remove(before).map_err(unavailable)?;
        }
        self.newest += 1;
        self.table.insert(self.newest, device).map_err(unavailable)?;
        Ok(self.newest)
    }
}

/// The number of the last change; 0 when there was none.
pub(super) fn newest(changes: &impl ReadableTable<u64, &'static str>) -> Result<u64, StoreError> {
    Ok(changes.last().map_err(unavailable)?.map_or(0, |(number, _)| number.value()))
}

/// Behind which change a scan begins or goes on; `None` when it has to find every row: nobody knows what changed since a
/// moment of another store, or of this one before it was started anew.
pub(super) fn place(since: Option<&Moment>, after: Option<&str>, now: u64) -> Option<u64> {
    let since = since?.0.parse().ok().filter(|since| *since <= now);
    match after {
        None => since,
        Some(token) => token.strip_prefix(MARK)?.parse().ok(),
    }
}

/// Rows of a shard that were changed behind a place in the list, in the order of their changes.
pub(super) fn behind(
    changes: &ReadOnlyTable<u64, &'static str>,
    states: &ReadOnlyTable<Key, &'static [u8]>,
    shard: &str,
    place: u64,
) -> Result<Rows, StoreError> {
    let mut rows = Vec::new();
    for entry in changes.range(place + 1..).map_err(unavailable)? {
        let (number, device) = entry.map_err(unavailable)?;
        let bytes = states.get((shard, device.value())).map_err(unavailable)?;
        let row = bytes.and_then(|bytes| decode(bytes.value()).ok());
        // A device of this name in another shard has changes of its own.
        let Some(row) = row.filter(|row| row.change == number.value()) else { continue };
        rows.push((device.value().to_owned(), row));
        if rows.len() == PAGE {
            return Ok((rows, Some(format!("{MARK}{}", number.value()))));
        }
    }
    Ok((rows, None))
}

#[cfg(test)]
mod tests {
    use redb::{ReadableDatabase, ReadableTableMetadata};

    use super::super::Database;
    use super::*;
    use crate::devices::state::DeviceState;
    use crate::primitives::ids::DeviceId;
    use crate::store::{Expect, Revision, Write};
    use crate::telemetry::catalogue::Catalogue;

    struct Bench {
        database: Database,
        catalogue: Catalogue,
        _folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Bench {
            let folder = tempfile::tempdir().unwrap();
            let database = Database::open(folder.path(), 1).unwrap();
            Bench { database, catalogue: Catalogue::environment(), _folder: folder }
        }

        fn write(&self, shard: &str, device: &str, expect: Expect) -> Revision {
            let state = DeviceState::new(DeviceId::parse(device).unwrap(), &self.catalogue);
            self.database.commit(shard, &[Write { state, expect }], &self.catalogue).unwrap().remove(0)
        }

        fn scan(&self, shard: &str, since: Option<&Moment>) -> (Vec<String>, Moment) {
            let page = self.database.scan(shard, since, None, &self.catalogue).unwrap();
            (page.rows.iter().map(|state| state.device.to_string()).collect(), page.read_at)
        }
    }

    #[test]
    fn only_what_changed_is_found_and_once() {
        let bench = Bench::new();
        let [_, b, c] = ["a", "b", "c"].map(|device| bench.write("Sydney", device, Expect::Absent));
        let (all, moment) = bench.scan("Sydney", None);
        assert_eq!(all, ["a", "b", "c"]);
        bench.write("Sydney", "c", Expect::At(c));
        let b = bench.write("Sydney", "b", Expect::At(b));
        bench.write("Sydney", "b", Expect::At(b));
        let (changed, later) = bench.scan("Sydney", Some(&moment));
        assert_eq!(changed, ["c", "b"]);
        assert!(bench.scan("Sydney", Some(&later)).0.is_empty());
        let transaction = bench.database.file.begin_read().unwrap();
        assert_eq!(transaction.open_table(CHANGES).unwrap().len().unwrap(), 3, "one entry for each row");
    }

    #[test]
    fn a_device_of_the_same_name_elsewhere_has_changes_of_its_own() {
        let bench = Bench::new();
        bench.write("Sydney", "a", Expect::Absent);
        let moment = bench.scan("Perth", None).1;
        bench.write("Perth", "a", Expect::Absent);
        assert_eq!(bench.scan("Perth", Some(&moment)).0, ["a"]);
        assert!(bench.scan("Sydney", Some(&moment)).0.is_empty());
    }

    #[test]
    fn a_moment_that_has_not_come_yet_is_of_another_store() {
        let bench = Bench::new();
        bench.write("Sydney", "a", Expect::Absent);
        assert_eq!(bench.scan("Sydney", Some(&Moment("2".to_owned()))).0, ["a"]);
    }
}
