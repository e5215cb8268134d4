//! Many operations, in groups that fit a transaction each. Pure.

use std::collections::HashSet;

use crate::Operation;
use crate::limits::{LARGEST_TRANSACTION, MOST_OPERATIONS, TRANSACTION_FRAME};

/// Splits operations into transactions, in their order: each has at most 100 operations and 4 MiB, stays in one partition,
/// and names each row once.
pub fn in_transactions(operations: Vec<Operation>) -> impl Iterator<Item = Vec<Operation>> {
    let mut operations = operations.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut group = Group::of(operations.next()?);
        while let Some(operation) = operations.next_if(|operation| group.takes(operation)) {
            group.push(operation);
        }
        Some(group.operations)
    })
}

/// A transaction that grows.
struct Group {
    operations: Vec<Operation>,
    rows: HashSet<String>,
    bytes: usize,
}

impl Group {
    fn of(first: Operation) -> Group {
        let mut group = Group { operations: Vec::new(), rows: HashSet::new(), bytes: TRANSACTION_FRAME };
        group.push(first);
        group
    }

    fn takes(&self, operation: &Operation) -> bool {
        let (partition, row) = operation.keys();
        self.operations.len() < MOST_OPERATIONS
            && self.bytes + operation.wire_size() <= LARGEST_TRANSACTION
            && self.operations.first().is_some_and(|first| first.keys().0 == partition)
            && !self.rows.contains(row)
    }

    fn push(&mut self, operation: Operation) {
        self.bytes += operation.wire_size();
        self.rows.insert(operation.keys().1.to_owned());
        self.operations.push(operation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Entity;
    use crate::limits::check_transaction;

    fn insert(partition: &str, row: usize, text: &str) -> Operation {
        Operation::Insert(Entity::new(partition, row.to_string()).with("t", text))
    }

    fn sizes(operations: Vec<Operation>) -> Vec<usize> {
        let check = |group: Vec<Operation>| {
            check_transaction(&group).unwrap();
            group.len()
        };
        in_transactions(operations).map(check).collect()
    }

    #[test]
    fn groups_keep_both_limits_and_lose_nothing() {
        assert_eq!(sizes((0..250).map(|n| insert("p", n, "x")).collect()), [100, 100, 50]);
        // Six bytes each in JSON: 32 Ki control characters are 192 KiB, of which 21 fit.
        let heavy = "\u{1}".repeat(32 * 1024);
        assert_eq!(sizes((0..40).map(|n| insert("p", n, &heavy)).collect()), [21, 19]);
        assert_eq!(sizes(Vec::new()), [0; 0]);
    }

    #[test]
    fn other_partition_and_repeated_row_begin_a_new_group() {
        let operations =
            vec![insert("p", 1, "x"), insert("q", 1, "x"), insert("q", 2, "x"), insert("q", 1, "y")];
        assert_eq!(sizes(operations), [1, 2, 1]);
    }
}
