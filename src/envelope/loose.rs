//! Values whose JSON form varies between versions of the host and its extensions: read by meaning, not by type.

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::Value;
use serde_json::value::RawValue;

/// Reads JSON that stands as itself or as text inside a string. Absent, `null` and `"null"` are `None`.
pub(super) fn unwrapped<T: for<'de> Deserialize<'de>>(raw: Option<&RawValue>) -> Result<Option<T>, String> {
    let Some(raw) = raw else { return Ok(None) };
    let read = |text: &str| serde_json::from_str::<Option<T>>(text).map_err(|error| error.to_string());
    match serde_json::from_str::<String>(raw.get()) {
        Ok(inner) => read(&inner),
        Err(_) => read(raw.get()),
    }
}

/// A whole number that may be written as text; anything else is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Whole(pub(super) Option<i64>);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Whole, D::Error> {
        Ok(Whole(match Value::deserialize(deserializer)? {
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }))
    }
}

/// A text that may be written as a number; anything else, and the empty text, is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Text(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        Ok(Text(match Value::deserialize(deserializer)? {
            Value::String(text) if !text.is_empty() => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }))
    }
}
