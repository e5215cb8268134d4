//! An entity as JSON with type annotations, written straight into a buffer.
//!
//! JSON alone tells strings, booleans, 32-bit integers and numbers with a decimal point apart; the service takes
//! everything else for one of them unless `name@odata.type` says otherwise (Microsoft docs, "Payload format for Table
//! service operations"). A double without a fraction is annotated, because some stores drop the `.0` of 25.0.

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::{Entity, Value};

/// Appends an entity, which was checked before: its names are identifiers and its numbers finite.
pub(in crate::azure) fn write_entity(entity: &Entity, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"PartitionKey\":");
    write_text(&entity.partition, out);
    out.extend_from_slice(b",\"RowKey\":");
    write_text(&entity.row, out);
    for (name, value) in entity.properties() {
        if let Some(edm) = annotation(value) {
            write_all(out, [",\"", name, "@odata.type\":\"", edm, "\""]);
        }
        write_all(out, [",\"", name, "\":"]);
        write_value(value, out);
    }
    out.push(b'}');
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) | Value::DateTime(text) | Value::Guid(text) => write_text(text, out),
        // Debug form, as it always has a point or an exponent; without one the service reads an integer.
        Value::Double(number) => write_all(out, [&*format!("{number:?}")]),
        Value::Int32(number) => write_all(out, [&*number.to_string()]),
        Value::Int64(number) => write_all(out, ["\"", &*number.to_string(), "\""]),
        Value::Bool(value) => write_all(out, [if *value { "true" } else { "false" }]),
        Value::Binary(bytes) => write_all(out, ["\"", &*BASE64_STANDARD.encode(bytes), "\""]),
    }
}

fn annotation(value: &Value) -> Option<&'static str> {
    match value {
        Value::String(_) | Value::Int32(_) | Value::Bool(_) => None,
        Value::Double(number) => (!has_plain_fraction(*number)).then_some("Edm.Double"),
        Value::Int64(_) => Some("Edm.Int64"),
        Value::DateTime(_) => Some("Edm.DateTime"),
        Value::Binary(_) => Some("Edm.Binary"),
        Value::Guid(_) => Some("Edm.Guid"),
    }
}

/// Whether it is written with digits behind the point and without an exponent.
fn has_plain_fraction(number: f64) -> bool {
    number.fract() != 0.0 && number.abs() >= 1e-4
}

/// A text in quotes. What needs no escape, which is nearly everything, is copied in one piece.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let mut copied = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&text.as_bytes()[copied..at]);
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        copied = at + 1;
    }
    out.extend_from_slice(&text.as_bytes()[copied..]);
    out.push(b'"');
}

fn write_all<const N: usize>(out: &mut Vec<u8>, pieces: [&str; N]) {
    for piece in pieces {
        out.extend_from_slice(piece.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(entity: &Entity) -> String {
        let mut out = Vec::new();
        write_entity(entity, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_value_that_json_cannot_tell_is_annotated() {
        let entity = Entity::new("Sydney", "O'Brien")
            .with("Geo", "a \"b\"\n")
            .with("Celsius", 25.0)
            .with("Small", 7)
            .with("Count", i64::MAX)
            .with("On", true)
            .with("At", Value::DateTime("2026-11-21T03:00:00Z".to_owned()))
            .with("Raw", vec![0_u8, 255])
            .with("Write", Value::Guid("00000000-0000-0000-0000-000000000001".to_owned()));
        let expected = concat!(
            r#"{"PartitionKey":"Sydney","RowKey":"O'Brien","Geo":"a \"b\"\u000a","#,
            r#""Celsius@odata.type":"Edm.Double","Celsius":25.0,"Small":7,"#,
            r#""Count@odata.type":"Edm.Int64","Count":"9223372036854775807","On":true,"#,
            r#""At@odata.type":"Edm.DateTime","At":"2026-11-21T03:00:00Z","#,
            r#""Raw@odata.type":"Edm.Binary","Raw":"AP8=","#,
            r#""Write@odata.type":"Edm.Guid","Write":"00000000-0000-0000-0000-000000000001"}"#,
        );
        assert_eq!(written(&entity), expected);
    }

    #[test]
    fn a_double_that_json_tells_is_not_annotated() {
        for (number, annotated) in [
            (21.5, false),
            (-0.1, false),
            (1e-4, false),
            (4_503_599_627_370_495.5, false),
            (0.0, true),
            (-40.0, true),
            (1e300, true),
            (1.5e-7, true),
        ] {
            let written = written(&Entity::new("Sydney", "sensor-1").with("Celsius", number));
            assert_eq!(written.contains("@odata.type"), annotated, "{written}");
            let plain = written.contains('.') && !written.contains("e-");
            assert!(annotated || plain, "{written}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text: String) {
            let mut out = Vec::new();
            write_text(&text, &mut out);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }

        #[test]
        fn any_number_is_read_back(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
            let mut out = Vec::new();
            write_value(&Value::Double(number), &mut out);
            prop_assert_eq!(serde_json::from_slice::<f64>(&out).unwrap(), number);
        }
    }
}
