//! Transactions.

use std::collections::HashSet;

use crate::limits::{LARGEST_TRANSACTION, MOST_OPERATIONS, TRANSACTION_FRAME, check_entity, check_keys};
use crate::{Error, Invalid, Operation};

/// Checks the operations, names the first that breaks a rule.
pub(crate) fn check_transaction(operations: &[Operation]) -> Result<(), Error> {
    if operations.len() > MOST_OPERATIONS {
        return Err(Invalid::TooManyOperations(operations.len()).into());
    }
    let mut rows = HashSet::with_capacity(operations.len());
    let mut bytes = TRANSACTION_FRAME;
    let partition_of = |operation: &Operation| operation.keys().0.to_owned();
    let first_partition = operations.first().map(partition_of).unwrap_or_default();
    for (index, operation) in operations.iter().enumerate() {
        let (partition, row) = operation.keys();
        bytes += operation.wire_size();
        let checked = check_operation(operation);
        let reason = match checked {
            Err(reason) => reason,
            Ok(()) if partition != first_partition => Invalid::OtherPartition,
            Ok(()) if !rows.insert(row) => Invalid::RepeatedEntity,
            Ok(()) if bytes > LARGEST_TRANSACTION => Invalid::TransactionTooLarge,
            Ok(()) => continue,
        };
        return Err(Error::Invalid { index: Some(index), reason });
    }
    Ok(())
}

fn check_operation(operation: &Operation) -> Result<(), Invalid> {
    let (partition, row) = operation.keys();
    operation.entity().map_or_else(|| check_keys(partition, row), check_entity)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entity, Etag};

    fn etag() -> Etag {
        Etag::new("W/\"1\"").unwrap()
    }

    fn merge(row: &str) -> Operation {
        Operation::Merge(Entity::new("Sydney", row).with("Celsius", 25.0), etag())
    }

    fn refused(operations: &[Operation]) -> (Option<usize>, Invalid) {
        match check_transaction(operations) {
            Err(Error::Invalid { index, reason }) => (index, reason),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn more_than_a_hundred_operations_are_refused() {
        let many: Vec<_> = (0..101).map(|n| merge(&n.to_string())).collect();
        assert!(check_transaction(&many[..100]).is_ok());
        assert_eq!(refused(&many), (None, Invalid::TooManyOperations(101)));
    }

    #[test]
    fn other_partition_and_repeated_row_are_refused() {
        let other = Operation::Insert(Entity::new("Perth", "b"));
        assert_eq!(refused(&[merge("a"), other]), (Some(1), Invalid::OtherPartition));
        assert_eq!(refused(&[merge("a"), merge("b"), merge("a")]), (Some(2), Invalid::RepeatedEntity));
    }

    #[test]
    fn operation_that_breaks_a_rule_is_named() {
        let infinite = Operation::Insert(Entity::new("Sydney", "b").with("Celsius", f64::NAN));
        assert_eq!(refused(&[merge("a"), infinite]), (Some(1), Invalid::NotFinite("Celsius".to_owned())));
        let tab = Operation::Delete { partition: "Sydney".into(), row: "\t".into(), etag: etag() };
        assert_eq!(refused(&[tab]), (Some(0), Invalid::KeyCharacter { key: "RowKey", character: '\t' }));
    }

    #[test]
    fn more_than_four_mib_are_refused() {
        let large = |n: usize| {
            let row =
                Entity::new("p", n.to_string()).with("a", "x".repeat(32_000)).with("b", "x".repeat(32_000));
            Operation::Insert(row)
        };
        let operations: Vec<_> = (0..66).map(large).collect();
        let fit = (LARGEST_TRANSACTION - TRANSACTION_FRAME) / operations[65].wire_size();
        assert!((60..66).contains(&fit) && check_transaction(&operations[..fit]).is_ok());
        assert_eq!(refused(&operations), (Some(fit), Invalid::TransactionTooLarge));
    }
}
