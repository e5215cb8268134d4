//! The multipart body of a transaction, written into one buffer.

use std::collections::HashSet;
use std::io::Write as _;

use super::Operation;
use crate::key::{self, EntityPath};
use crate::{Error, Invalid};

/// Limits of the service (Microsoft docs, "Performing entity group transactions").
const MOST_OPERATIONS: usize = 100;
const LARGEST_BODY: usize = 4 * 1024 * 1024;

/// What a row of twenty properties takes with its headers, so that the body is not moved while it grows.
const USUAL_OPERATION: usize = 2048;

/// The boundaries can be fixed: the lines between them are headers of ours and JSON, in which a line break is
/// escaped, so no line can begin with one by chance. Azurite insists on `batch` and `changeset`.
pub(crate) const CONTENT_TYPE: &str = "multipart/mixed; boundary=batch_fieldcast";

const OPENING: &[u8] =
    b"--batch_fieldcast\r\nContent-Type: multipart/mixed; boundary=changeset_fieldcast\r\n\r\n";
const PART: &[u8] =
    b"--changeset_fieldcast\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n";
const CLOSING: &[u8] = b"--changeset_fieldcast--\r\n--batch_fieldcast--\r\n";

const ACCEPT: &str = "Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n";

/// Checks the operations, of which there is at least one, and writes the body of the request.
pub(crate) fn body(endpoint: &str, table: &str, operations: &[Operation]) -> Result<Vec<u8>, Error> {
    if operations.len() > MOST_OPERATIONS {
        return Err(Invalid::TooManyOperations(operations.len()).into());
    }
    let mut out = Vec::with_capacity(operations.len() * USUAL_OPERATION);
    let mut rows = HashSet::with_capacity(operations.len());
    let (first_partition, _) = operations[0].keys();
    out.extend_from_slice(OPENING);
    for (index, operation) in operations.iter().enumerate() {
        let (partition, row) = operation.keys();
        if partition != first_partition {
            return Err(Error::invalid_at(index, Invalid::OtherPartition));
        }
        if !rows.insert(row) {
            return Err(Error::invalid_at(index, Invalid::RepeatedEntity));
        }
        part(&mut out, endpoint, table, operation).map_err(|reason| Error::invalid_at(index, reason))?;
        if out.len() + CLOSING.len() > LARGEST_BODY {
            return Err(Error::invalid_at(index, Invalid::TransactionTooLarge));
        }
    }
    out.extend_from_slice(CLOSING);
    Ok(out)
}

fn part(out: &mut Vec<u8>, endpoint: &str, table: &str, operation: &Operation) -> Result<(), Invalid> {
    let (partition, row) = operation.keys();
    key::check_keys(partition, row)?;
    let path = EntityPath { table, partition, row };
    out.extend_from_slice(PART);
    let written = match operation {
        Operation::Insert(_) => {
            let headers = "Content-Type: application/json\r\nPrefer: return-no-content\r\n";
            write!(out, "POST {endpoint}/{table} HTTP/1.1\r\n{ACCEPT}{headers}\r\n")
        }
        Operation::Merge(_, etag) => {
            let headers = "Content-Type: application/json\r\nIf-Match: ";
            write!(out, "MERGE {endpoint}/{path} HTTP/1.1\r\n{ACCEPT}{headers}{etag}\r\n\r\n")
        }
        Operation::Delete { etag, .. } => {
            write!(out, "DELETE {endpoint}/{path} HTTP/1.1\r\n{ACCEPT}If-Match: {etag}\r\n\r\n")
        }
    };
    written.expect("writing to memory succeeds");
    if let Operation::Insert(entity) | Operation::Merge(entity, _) = operation {
        entity.write_json(out)?;
    }
    out.extend_from_slice(b"\r\n");
    Ok(())
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
        match body("http://x", "Devices", operations) {
            Err(Error::Invalid { index, reason }) => (index, reason),
            other => panic!("not refused: {other:?}"),
        }
    }

    #[test]
    fn body_has_the_documented_form() {
        let delete = Operation::Delete { partition: "Sydney".into(), row: "c".into(), etag: etag() };
        let operations = [Operation::Insert(Entity::new("Sydney", "a")), merge("O'Brien"), delete];
        let expected = r#"--batch_fieldcast
Content-Type: multipart/mixed; boundary=changeset_fieldcast

--changeset_fieldcast
Content-Type: application/http
Content-Transfer-Encoding: binary

POST http://x/Devices HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
Content-Type: application/json
Prefer: return-no-content

{"PartitionKey":"Sydney","RowKey":"a"}
--changeset_fieldcast
Content-Type: application/http
Content-Transfer-Encoding: binary

MERGE http://x/Devices(PartitionKey='Sydney',RowKey='O%27%27Brien') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
Content-Type: application/json
If-Match: W/"1"

{"PartitionKey":"Sydney","RowKey":"O'Brien","Celsius@odata.type":"Edm.Double","Celsius":25.0}
--changeset_fieldcast
Content-Type: application/http
Content-Transfer-Encoding: binary

DELETE http://x/Devices(PartitionKey='Sydney',RowKey='c') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
If-Match: W/"1"


--changeset_fieldcast--
--batch_fieldcast--
"#;
        let written = String::from_utf8(body("http://x", "Devices", &operations).unwrap()).unwrap();
        assert_eq!(written, expected.replace('\n', "\r\n"));
    }

    #[test]
    fn more_than_a_hundred_operations_are_refused() {
        let many: Vec<_> = (0..101).map(|n| merge(&n.to_string())).collect();
        assert!(body("http://x", "Devices", &many[..100]).is_ok());
        assert_eq!(refused(&many), (None, Invalid::TooManyOperations(101)));
    }

    #[test]
    fn other_partition_and_repeated_row_are_refused() {
        let other = Operation::Insert(Entity::new("Perth", "b"));
        assert_eq!(refused(&[merge("a"), other]), (Some(1), Invalid::OtherPartition));
        assert_eq!(refused(&[merge("a"), merge("b"), merge("a")]), (Some(2), Invalid::RepeatedEntity));
    }

    #[test]
    fn invalid_operation_is_named() {
        let infinite = Operation::Insert(Entity::new("Sydney", "b").with("Celsius", f64::NAN));
        assert_eq!(refused(&[merge("a"), infinite]), (Some(1), Invalid::NotFinite("Celsius".to_owned())));
        let tab = Operation::Delete { partition: "Sydney".into(), row: "\t".into(), etag: etag() };
        assert_eq!(refused(&[tab]), (Some(0), Invalid::KeyCharacter { key: "RowKey", character: '\t' }));
    }

    #[test]
    fn body_over_four_mib_is_refused() {
        let large =
            |n: usize| Operation::Insert(Entity::new("p", n.to_string()).with("a", "x".repeat(64_000)));
        let operations: Vec<_> = (0..66).map(large).collect();
        assert!(body("http://x", "Devices", &operations[..65]).is_ok());
        assert_eq!(refused(&operations), (Some(65), Invalid::TransactionTooLarge));
    }
}
