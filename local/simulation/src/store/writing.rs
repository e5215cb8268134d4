//! What the store does when a write arrives, and what must be true of it.

use fieldcast::devices::rows::MOST_WRITES;
use fieldcast::devices::state::DeviceState;
use fieldcast_tables::{Answered, Deadline, Error, Etag, Operation, Stored, TableName, TableStore};

use crate::world::World;

/// The result of a transaction.
pub(super) type Written = Result<Answered<Vec<Option<Etag>>>, Error>;

/// Applies a transaction; where it has to meet a conflict, somebody else is faster.
pub(super) async fn apply(
    world: &World,
    service: &dyn TableStore,
    table: &TableName,
    operations: Vec<Operation>,
    meddled: bool,
    deadline: Deadline,
) -> Written {
    if operations.len() > MOST_WRITES {
        let detail = format!("{} rows in one transaction", operations.len());
        world.violated("the contract of the store is kept", detail);
    }
    if meddled && !meddle(world, table, &operations) {
        let code = "EntityAlreadyExists".to_owned();
        return Err(Error::Conflict { index: Some(0), code });
    }
    let keys: Vec<(String, String)> = operations.iter().map(keys).collect();
    let before = states(world, table, &keys);
    let result = service.transact(table, operations, deadline).await;
    let after = states(world, table, &keys);
    if *table == world.tables.devices {
        world.tell(|| described(&before, &after, result.is_ok()));
        if result.is_ok() {
            before.iter().for_each(|before| check_step(world, before, &after));
        }
    }
    if *table == world.tables.rejected {
        let outcome = if result.is_ok() { "kept" } else { "not kept, another was faster" };
        world.tell(|| format!("store: {} rejected readings ({outcome})", keys.len()));
    }
    result
}

/// Another program writes one of the rows without changing what it says; of rejected bodies it keeps the first, if that is
/// not there. False when there is none yet.
fn meddle(world: &World, table: &TableName, operations: &[Operation]) -> bool {
    let service = world.tables.service();
    if let ([Operation::Insert(entity), ..], true) = (operations, *table == world.tables.rejected) {
        let is_there = service.touch_by_hand(table, &entity.partition, &entity.row).is_some();
        return is_there || service.set_by_hand(table, entity.clone()).is_some();
    }
    let touched = operations.iter().map(keys).filter(|(partition, row)| {
        let touched = service.touch_by_hand(table, partition, row);
        touched.is_some()
    });
    touched.count() > 0
}

fn keys(operation: &Operation) -> (String, String) {
    let (partition, row) = operation.keys();
    (partition.to_owned(), row.to_owned())
}

/// The states of these devices, of those that have a row.
fn states(world: &World, table: &TableName, keys: &[(String, String)]) -> Vec<DeviceState> {
    if *table != world.tables.devices {
        return Vec::new();
    }
    let wanted = |row: &&Stored| {
        keys.iter().any(|(partition, key)| *partition == row.entity.partition && *key == row.entity.row)
    };
    let rows = world.tables.service().rows_by_hand(table);
    rows.iter().filter(wanted).filter_map(|row| world.tables.state_of(row)).collect()
}

/// What is written must be newer than what it replaces.
fn check_step(world: &World, before: &DeviceState, after: &[DeviceState]) {
    let Some(after) = after.iter().find(|after| after.device == before.device) else { return };
    if after.version <= before.version || after.count < before.count {
        let detail = format!(
            "{}: version {} with count {} was replaced by version {} with count {}",
            before.device, before.version, before.count, after.version, after.count
        );
        world.violated("versions and counts only grow", detail);
    }
}

fn described(before: &[DeviceState], after: &[DeviceState], written: bool) -> String {
    let row =
        |state: &DeviceState| format!("{} count {} version {}", state.device, state.count, state.version);
    let states = if written { after } else { before };
    let rows: Vec<String> = states.iter().map(row).collect();
    let outcome = if written { "written" } else { "stays, another was faster" };
    format!("store: {} ({outcome})", rows.join(", "))
}
