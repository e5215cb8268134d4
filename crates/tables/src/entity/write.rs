//! An entity as JSON with type annotations, written straight into a buffer.
//!
//! JSON alone tells strings, booleans, 32-bit integers and numbers with a decimal point apart; the service takes
//! everything else for one of them unless `name@odata.type` says otherwise (Microsoft docs, "Payload format for Table
//! service operations"). A double without a fraction is annotated, because some stores drop the `.0` of 25.0.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::Serialize;

use super::{Entity, Value};
use crate::Invalid;

pub(super) fn entity(entity: &Entity, out: &mut Vec<u8>) -> Result<(), Invalid> {
    out.extend_from_slice(b"{\"PartitionKey\":");
    json(out, &entity.partition);
    out.extend_from_slice(b",\"RowKey\":");
    json(out, &entity.row);
    for (name, value) in &entity.properties {
        check_property_name(name)?;
        property(out, name, value)?;
    }
    out.push(b'}');
    Ok(())
}

fn property(out: &mut Vec<u8>, name: &str, value: &Value) -> Result<(), Invalid> {
    if let Some(edm) = annotation(value) {
        out.extend_from_slice(b",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"@odata.type\":\"");
        out.extend_from_slice(edm.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    match value {
        Value::String(text) | Value::DateTime(text) | Value::Guid(text) => json(out, text),
        Value::Double(number) if !number.is_finite() => return Err(Invalid::NotFinite(name.to_owned())),
        Value::Double(number) => json(out, number),
        Value::Int32(number) => json(out, number),
        Value::Int64(number) => {
            out.push(b'"');
            json(out, number);
            out.push(b'"');
        }
        Value::Bool(value) => json(out, value),
        Value::Binary(bytes) => json(out, &BASE64_STANDARD.encode(bytes)),
    }
    Ok(())
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

/// Whether JSON writes it with digits behind the point and without an exponent.
fn has_plain_fraction(number: f64) -> bool {
    number.fract() != 0.0 && number.abs() >= 1e-4
}

fn json<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(out, value).expect("text and finite numbers can be written to memory");
}

/// An identifier has no character that JSON or OData would have to escape.
pub(crate) fn check_property_name(name: &str) -> Result<(), Invalid> {
    let is_reserved = matches!(name, "PartitionKey" | "RowKey" | "Timestamp");
    if is_plain(name) && !is_reserved {
        return Ok(());
    }
    let starts_well = name.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let is_identifier = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    if starts_well && is_identifier && !is_reserved && name.encode_utf16().count() <= 255 {
        Ok(())
    } else {
        Err(Invalid::PropertyName(name.to_owned()))
    }
}

/// Nearly all names are short and ASCII, which one look at each byte settles.
fn is_plain(name: &str) -> bool {
    let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let is_word = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    starts_well && is_word && name.len() <= 255
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(entity: &Entity) -> Result<String, Invalid> {
        let mut out = Vec::new();
        entity.write_json(&mut out).map(|()| String::from_utf8(out).unwrap())
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
            r#"{"PartitionKey":"Sydney","RowKey":"O'Brien","Geo":"a \"b\"\n","#,
            r#""Celsius@odata.type":"Edm.Double","Celsius":25.0,"Small":7,"#,
            r#""Count@odata.type":"Edm.Int64","Count":"9223372036854775807","On":true,"#,
            r#""At@odata.type":"Edm.DateTime","At":"2026-11-21T03:00:00Z","#,
            r#""Raw@odata.type":"Edm.Binary","Raw":"AP8=","#,
            r#""Write@odata.type":"Edm.Guid","Write":"00000000-0000-0000-0000-000000000001"}"#,
        );
        assert_eq!(written(&entity).unwrap(), expected);
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
            let written = written(&Entity::new("Sydney", "sensor-1").with("Celsius", number)).unwrap();
            assert_eq!(written.contains("@odata.type"), annotated, "{written}");
            let plain = written.contains('.') && !written.contains("e-");
            assert!(annotated || plain, "{written}");
        }
    }

    #[test]
    fn numbers_without_a_value_are_refused() {
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let entity = Entity::new("Sydney", "sensor-1").with("Celsius", number);
            assert_eq!(written(&entity), Err(Invalid::NotFinite("Celsius".to_owned())));
        }
    }

    #[test]
    fn property_names_are_identifiers() {
        for name in ["hPa", "_a1", "Größe"] {
            assert_eq!(check_property_name(name), Ok(()));
        }
        for name in ["", "a-b", "1a", "a b", "a\"", "odata.etag", "a@odata.type", "RowKey", &"a".repeat(256)]
        {
            assert_eq!(check_property_name(name), Err(Invalid::PropertyName(name.to_owned())));
        }
    }

    #[test]
    fn forbidden_property_name_is_refused() {
        let refused = written(&Entity::new("Sydney", "sensor-1").with("a\":1,\"b", 2));
        assert_eq!(refused, Err(Invalid::PropertyName("a\":1,\"b".to_owned())));
    }

    #[test]
    fn forbidden_keys_are_refused() {
        let refused = written(&Entity::new("a/b", "sensor-1"));
        assert_eq!(refused, Err(Invalid::KeyCharacter { key: "PartitionKey", character: '/' }));
    }
}
