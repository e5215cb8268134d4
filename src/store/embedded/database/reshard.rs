//! Spreading the rows of the file over another number of partitions, in one transaction.

use std::path::Path;

use redb::{ReadableTable, Table};

use super::{Database, Key, LAYOUT, STATES, decode, unavailable};
use crate::devices::row::Cell;
use crate::store::StoreError;
use crate::store::reshard::{Outcome, ReshardError, RowName, Totals};
use crate::store::shard::{Shard, Shards};

type States<'t> = Table<'t, Key, &'static [u8]>;

/// A row that leaves its partition.
struct Move {
    from: String,
    to: String,
    device: String,
}

impl Database {
    /// Opens the file only if there is one.
    pub(in crate::store::embedded) fn open_existing(directory: &Path) -> Result<Database, ReshardError> {
        let path = directory.join("fieldcast.redb");
        if !path.exists() {
            return Err(ReshardError::NothingStored(directory.display().to_string()));
        }
        match redb::Database::open(&path) {
            Ok(file) => Ok(Database { file }),
            Err(redb::DatabaseError::DatabaseAlreadyOpen) => {
                Err(ReshardError::InUse(directory.display().to_string()))
            }
            Err(other) => Err(StoreError::Misconfigured(format!("{}: {other}", directory.display())).into()),
        }
    }

    /// Moves every row to where it belongs with `to` partitions, compares the totals, and records the count.
    pub(in crate::store::embedded) fn reshard(&self, to: u16) -> Result<Outcome, ReshardError> {
        let transaction = self.begin()?;
        let outcome = {
            let mut layout = transaction.open_table(LAYOUT).map_err(unavailable)?;
            let recorded = layout.get("PartitionShards").map_err(unavailable)?.map(|count| count.value());
            let from = u16::try_from(recorded.unwrap_or(1)).map_err(|_| damaged())?;
            if from == to {
                return Ok(Outcome::Already);
            }
            layout.insert("PartitionShards", u64::from(to)).map_err(unavailable)?;
            let mut states = transaction.open_table(STATES).map_err(unavailable)?;
            let before = totals(&states)?;
            let moves = moves(&states, from, to)?;
            carry_out(&mut states, &moves)?;
            let now = totals(&states)?;
            if now != before {
                return Err(ReshardError::Totals { before, now });
            }
            Outcome::Done { from, moved: u64::try_from(moves.len()).unwrap_or(u64::MAX), totals: before }
        };
        transaction.commit().map_err(unavailable)?;
        Ok(outcome)
    }
}

fn damaged() -> StoreError {
    StoreError::Misconfigured("its record of PartitionShards cannot be read: restore the file".to_owned())
}

fn totals(states: &States<'_>) -> Result<Totals, StoreError> {
    let mut totals = Totals::default();
    for row in states.iter().map_err(unavailable)? {
        let (_, bytes) = row.map_err(unavailable)?;
        // A damaged row is moved like any other, and counts nothing.
        let count = decode(bytes.value()).ok().and_then(|row| row.columns.get("Count").cloned());
        totals.add(match count {
            Some(Cell::Whole(count)) => count,
            _ => 0,
        });
    }
    Ok(totals)
}

fn moves(states: &States<'_>, from: u16, to: u16) -> Result<Vec<Move>, ReshardError> {
    let mut moves = Vec::new();
    for row in states.iter().map_err(unavailable)? {
        let (key, _) = row.map_err(unavailable)?;
        let (partition, device) = key.value();
        let site =
            site(partition, from).ok_or_else(|| ReshardError::Stranger(RowName::new(partition, device)))?;
        let shards = Shards::new(site, to);
        let target = shards.key(shards.of_row(device));
        if target != partition {
            moves.push(Move { from: partition.to_owned(), to: target, device: device.to_owned() });
        }
    }
    Ok(moves)
}

/// The `PartitionKey` that a partition belongs to: its own key for one shard, else without the number.
fn site(partition: &str, shards: u16) -> Option<&str> {
    if shards == 1 {
        return Some(partition);
    }
    let (site, number) = partition.rsplit_once('-')?;
    let number = number.parse().ok().filter(|number| *number < shards)?;
    (Shards::new(site, shards).key(Shard(number)) == partition).then_some(site)
}

/// All are taken out before the first is put in, because one site's new partition may be another site's old one.
fn carry_out(states: &mut States<'_>, moves: &[Move]) -> Result<(), ReshardError> {
    let mut taken = Vec::with_capacity(moves.len());
    for Move { from, device, .. } in moves {
        let row = states.remove((from.as_str(), device.as_str())).map_err(unavailable)?;
        taken.push(row.map(|bytes| bytes.value().to_vec()));
    }
    for (Move { from, to, device }, bytes) in moves.iter().zip(taken) {
        let Some(bytes) = bytes else { continue };
        let key = (to.as_str(), device.as_str());
        let replaced = states.insert(key, bytes.as_slice()).map_err(unavailable)?.is_some();
        if replaced {
            let (old, copy) = (RowName::new(from, device), RowName::new(to, device));
            return Err(ReshardError::Differ { old, copy });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_of_a_partition_is_found_whatever_its_name() {
        assert_eq!(site("Sydney", 1), Some("Sydney"));
        assert_eq!(site("Sydney-01", 1), Some("Sydney-01"));
        assert_eq!(site("Sydney-01", 4), Some("Sydney"));
        assert_eq!(site("Bay-02-01", 4), Some("Bay-02"));
        for stranger in ["Sydney", "Sydney-04", "Sydney-1", "Sydney-001", "Sydney-+1"] {
            assert_eq!(site(stranger, 4), None, "{stranger}");
        }
    }
}
