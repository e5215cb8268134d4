//! The multipart body of a transaction, written into one buffer.

use reqwest::Method;

use crate::azure::address::EntityPath;
use crate::azure::json::write_entity;
use crate::limits::LARGEST_TRANSACTION;
use crate::{Error, Invalid, Operation, TableName};

/// What a row of twenty properties takes with its headers, so that the body is not moved while it grows.
const USUAL_OPERATION: usize = 2048;

/// The boundaries can be fixed: the lines between them are headers of ours and JSON, in which a line break is
/// escaped, so no line can begin with one by chance. Azurite insists on `batch` and `changeset`.
pub(in crate::azure) const CONTENT_TYPE: &str = "multipart/mixed; boundary=batch_fieldcast";

const OPENING: &str =
    "--batch_fieldcast\r\nContent-Type: multipart/mixed; boundary=changeset_fieldcast\r\n\r\n";
const PART: &str =
    "--changeset_fieldcast\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n";
const CLOSING: &str = "--changeset_fieldcast--\r\n--batch_fieldcast--\r\n";

const ACCEPT: &str = "Accept: application/json;odata=minimalmetadata\r\nDataServiceVersion: 3.0\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// The service's own method for what HTTP calls a patch.
pub(in crate::azure) fn merge() -> Method {
    Method::from_bytes(b"MERGE").expect("MERGE is a method name")
}

/// The body for operations that were checked before.
pub(in crate::azure) fn body(
    endpoint: &str,
    table: &TableName,
    operations: &[Operation],
) -> Result<Vec<u8>, Error> {
    let mut out = Vec::with_capacity(operations.len() * USUAL_OPERATION);
    out.extend_from_slice(OPENING.as_bytes());
    for (index, operation) in operations.iter().enumerate() {
        write_part(&mut out, endpoint, table, operation);
        // Checked before as well, but for an endpoint of ordinary length.
        if out.len() + CLOSING.len() > LARGEST_TRANSACTION {
            return Err(Error::Invalid { index: Some(index), reason: Invalid::TransactionTooLarge });
        }
    }
    out.extend_from_slice(CLOSING.as_bytes());
    Ok(out)
}

fn write_part(out: &mut Vec<u8>, endpoint: &str, table: &TableName, operation: &Operation) {
    let (partition, row) = operation.keys();
    let path = EntityPath { table, partition, row };
    let head = match operation {
        Operation::Insert(_) => {
            format!("POST {endpoint}/{table} HTTP/1.1\r\n{ACCEPT}{JSON}Prefer: return-no-content\r\n\r\n")
        }
        Operation::Merge(_, etag) => {
            format!("MERGE {endpoint}/{path} HTTP/1.1\r\n{ACCEPT}{JSON}If-Match: {etag}\r\n\r\n")
        }
        Operation::Replace(_, etag) => {
            format!("PUT {endpoint}/{path} HTTP/1.1\r\n{ACCEPT}{JSON}If-Match: {etag}\r\n\r\n")
        }
        Operation::Delete { etag, .. } => {
            format!("DELETE {endpoint}/{path} HTTP/1.1\r\n{ACCEPT}If-Match: {etag}\r\n\r\n")
        }
    };
    out.extend_from_slice(PART.as_bytes());
    out.extend_from_slice(head.as_bytes());
    if let Some(entity) = operation.entity() {
        write_entity(entity, out);
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
