//! Deletes rejected readings by age: partition by partition, each row under its etag, until time is up. What is left, the
//! next call finds.

use fieldcast_tables::limits::MOST_OPERATIONS;
use fieldcast_tables::{Comparison, Deadline, Error, Operation, Query, Stored, Table, Value};
use tokio::time::Instant;

use crate::primitives::instant::Millis;
use crate::store::StoreError;

/// What a call of [`RejectedRows::delete_before`](super::RejectedRows::delete_before) achieved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Rows that this call deleted for certain.
    pub rows: usize,
    /// Whether no older row is left: the time sufficed, every answer arrived, and nobody changed a row meanwhile.
    pub is_complete: bool,
}

/// Columns with the moment of the rejection: today's, and that of version 0.1.0.
const MOMENTS: [&str; 2] = ["RejectedAt", "RefusedAt"];

/// What a store says in a conflict over a row that another call has deleted already.
const GONE: &str = "ResourceNotFound";

/// Deletes the rows of these partitions that were rejected before a moment. Rows without a readable moment stay.
pub(super) async fn delete_before(
    table: &Table,
    partitions: &[String],
    before: Millis,
    deadline: Instant,
) -> Result<Deleted, StoreError> {
    let mut deletion =
        Deletion { table, deadline: Deadline::at(deadline), deleted: Deleted { rows: 0, is_complete: true } };
    for partition in partitions {
        for moment in MOMENTS {
            let query = Query::partition(partition)
                .filter(moment, Comparison::Less, Value::DateTime(before.to_text()))
                .select([moment]);
            match deletion.delete_found(&query).await {
                Ok(()) => {}
                // Time was up in the middle of a call. Without any success it is the store that is to blame.
                Err(_) if deletion.deleted.rows > 0 && Instant::now() >= deadline => {
                    return Ok(Deleted { is_complete: false, ..deletion.deleted });
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(deletion.deleted)
}

/// A call that is under way.
struct Deletion<'a> {
    table: &'a Table,
    deadline: Deadline,
    deleted: Deleted,
}

impl Deletion<'_> {
    async fn delete_found(&mut self, query: &Query) -> Result<(), Error> {
        let mut from = None;
        loop {
            let page = self.table.query(query, from.as_ref(), self.deadline).await?;
            for rows in page.rows.chunks(MOST_OPERATIONS) {
                self.delete_rows(rows).await?;
            }
            from = page.next;
            if from.is_none() {
                return Ok(());
            }
        }
    }

    /// Deletes rows of one partition in one transaction. A row that is not what it was is taken out and the others are
    /// tried again, so that there are at most as many tries as rows.
    async fn delete_rows(&mut self, rows: &[Stored]) -> Result<(), Error> {
        let mut operations: Vec<Operation> = rows.iter().map(delete).collect();
        while !operations.is_empty() {
            let rows = operations.len();
            match self.table.transact(operations.clone(), self.deadline).await {
                Ok(_) => {
                    self.deleted.rows += rows;
                    return Ok(());
                }
                Err(Error::Conflict { index: Some(index), code }) if index < rows => {
                    operations.remove(index);
                    self.deleted.is_complete &= code == GONE;
                }
                // The next call sees what became of them.
                Err(Error::Conflict { .. } | Error::Unknown { .. }) => {
                    self.deleted.is_complete = false;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn delete(row: &Stored) -> Operation {
    let (partition, key) = (row.entity.partition.clone(), row.entity.row.clone());
    Operation::Delete { partition, row: key, etag: row.etag.clone() }
}
