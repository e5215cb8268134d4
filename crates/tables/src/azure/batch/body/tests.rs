//! The form of a transaction's body, and that it is never larger than was said.

use proptest::prelude::*;

use super::*;
use crate::limits::TRANSACTION_FRAME;
use crate::wire_size::ORDINARY_ENDPOINT;
use crate::{Entity, Etag, Value};

fn etag() -> Etag {
    Etag::new("W/\"1\"").unwrap()
}

fn table() -> TableName {
    TableName::new("Devices").unwrap()
}

fn merge(row: &str) -> Operation {
    Operation::Merge(Entity::new("Sydney", row).with("Celsius", 25.0), etag())
}

#[test]
fn body_has_the_documented_form() {
    let operations = [
        Operation::Insert(Entity::new("Sydney", "a")),
        merge("O'Brien"),
        Operation::Replace(Entity::new("Sydney", "b"), etag()),
        Operation::Delete { partition: "Sydney".into(), row: "c".into(), etag: etag() },
    ];
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

PUT http://x/Devices(PartitionKey='Sydney',RowKey='b') HTTP/1.1
Accept: application/json;odata=minimalmetadata
DataServiceVersion: 3.0
Content-Type: application/json
If-Match: W/"1"

{"PartitionKey":"Sydney","RowKey":"b"}
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
    let written = String::from_utf8(body("http://x", &table(), &operations).unwrap()).unwrap();
    assert_eq!(written, expected.replace('\n', "\r\n"));
}

#[test]
fn a_body_over_four_mib_because_of_its_addresses_is_not_sent() {
    let endpoint = format!("http://x/{}", "y".repeat(60 * 1024));
    let operations: Vec<_> = (0..70).map(|n| merge(&n.to_string())).collect();
    let refused = body(&endpoint, &table(), &operations);
    assert!(
        matches!(refused, Err(Error::Invalid { reason: Invalid::TransactionTooLarge, .. })),
        "{refused:?}"
    );
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::String),
        "[\u{0}-\u{1f}\"\\\\a]{0,20}".prop_map(Value::String),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Double),
        any::<i32>().prop_map(Value::Int32),
        any::<i64>().prop_map(Value::Int64),
        any::<bool>().prop_map(Value::Bool),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Binary),
        Just(Value::DateTime("2026-11-21T03:00:00.1234567Z".to_owned())),
        Just(Value::Guid("c9da6455-213d-42c9-9a79-3e9149a57833".to_owned())),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || prop_oneof!["[a-z0-9]{0,9}", "['%&ü\u{1f600}\" ]{0,9}"];
    let properties = prop::collection::vec(("[a-zA-Zü_]{1,9}", value()), 0..6);
    let etag = prop_oneof!["[!-~&&[^\"]]{1,60}", "[a-z]{100,200}"];
    (key(), key(), properties, etag, 0..4).prop_map(|(partition, row, properties, etag, kind)| {
        let etag = Etag::new(format!("W/\"{etag}\"")).unwrap();
        let entity = Entity::of_distinct(partition.clone(), row.clone(), properties);
        match kind {
            0 => Operation::Insert(entity),
            1 => Operation::Merge(entity, etag),
            2 => Operation::Replace(entity, etag),
            _ => Operation::Delete { partition, row, etag },
        }
    })
}

proptest! {
    #[test]
    fn no_operation_takes_more_than_its_size(operations in prop::collection::vec(operation(), 1..4)) {
        let endpoint = "e".repeat(ORDINARY_ENDPOINT);
        let table = TableName::new(&"t".repeat(63)).unwrap();
        let written = body(&endpoint, &table, &operations).unwrap().len();
        let said = operations.iter().map(Operation::wire_size).sum::<usize>();
        prop_assert!(written <= said + TRANSACTION_FRAME, "{written} of {said}");
    }
}
