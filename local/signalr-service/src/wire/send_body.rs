//! The body of a send: `{"target":"…","arguments":[…]}` with member names in any case, because the .NET SDK writes
//! `Target` and `Arguments`. Arguments are passed on as text: numbers and dates do not change.

use super::hub_protocol::Invocation;
use serde::de::{self, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;

/// What is wrong with a body, for its sender.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadBody {
    #[error("the body must be a JSON object with a string \"target\" and an array \"arguments\"")]
    NotAMessage,
    #[error("\"target\" must not be empty")]
    NoTarget,
    #[error("\"arguments\" must be an array")]
    ArgumentsNoArray,
}

pub(crate) fn parse(bytes: &[u8]) -> Result<Invocation, BadBody> {
    let parts: Parts = serde_json::from_slice(bytes).map_err(|_| BadBody::NotAMessage)?;
    let target = parts.target.filter(|target| !target.is_empty()).ok_or(BadBody::NoTarget)?;
    let arguments = match parts.arguments {
        None => none(),
        Some(arguments) if arguments.get() == "null" => none(),
        Some(arguments) if arguments.get().starts_with('[') => arguments,
        Some(_) => return Err(BadBody::ArgumentsNoArray),
    };
    Ok(Invocation { target, arguments })
}

fn none() -> Box<RawValue> {
    RawValue::from_string("[]".into()).expect("an empty array is JSON")
}

#[derive(Default)]
struct Parts {
    target: Option<String>,
    arguments: Option<Box<RawValue>>,
}

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Parts, D::Error> {
        deserializer.deserialize_map(PartsVisitor)
    }
}

struct PartsVisitor;

impl<'de> Visitor<'de> for PartsVisitor {
    type Value = Parts;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
        let mut parts = Parts::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.to_ascii_lowercase().as_str() {
                "target" if parts.target.is_some() => return Err(de::Error::duplicate_field("target")),
                "target" => parts.target = Some(map.next_value()?),
                "arguments" if parts.arguments.is_some() => {
                    return Err(de::Error::duplicate_field("arguments"));
                }
                "arguments" => parts.arguments = Some(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(body: &str) -> Result<String, BadBody> {
        parse(body.as_bytes()).map(|body| body.arguments.get().to_owned())
    }

    #[test]
    fn member_names_have_no_case() {
        let body = parse(br#"{"Arguments":[1],"TARGET":"newMessage","Extra":{"target":2}}"#).unwrap();
        assert_eq!(body.target, "newMessage");
        assert_eq!(body.arguments.get(), "[1]");
    }

    #[test]
    fn arguments_keep_every_byte() {
        let text =
            r#"[1.0, 1e400, 12345678901234567890123, "2026-11-21T00:57:11.1230000Z", {"b":1,"a":"é\u00e9"}]"#;
        assert_eq!(arguments(&format!(r#"{{"target":"t","arguments":{text}}}"#)).as_deref(), Ok(text));
    }

    #[test]
    fn more_than_ten_arguments_and_none_are_taken() {
        let many = format!("[{}0]", "0,".repeat(500));
        assert_eq!(arguments(&format!(r#"{{"target":"t","arguments":{many}}}"#)), Ok(many));
        assert_eq!(arguments(r#"{"target":"t"}"#).as_deref(), Ok("[]"));
        assert_eq!(arguments(r#"{"target":"t","arguments":null}"#).as_deref(), Ok("[]"));
    }

    #[test]
    fn bodies_that_are_no_message_are_refused() {
        for (body, error) in [
            ("", BadBody::NotAMessage),
            ("[]", BadBody::NotAMessage),
            (r#"{"target":1,"arguments":[]}"#, BadBody::NotAMessage),
            (r#"{"target":"t","arguments":[1}"#, BadBody::NotAMessage),
            (r#"{"target":"t","arguments":[]} x"#, BadBody::NotAMessage),
            (r#"{"target":"t","Target":"u","arguments":[]}"#, BadBody::NotAMessage),
            ("{\"target\":\"t\",\"arguments\":[\"\u{1e}\"]}", BadBody::NotAMessage),
            (r#"{"arguments":[]}"#, BadBody::NoTarget),
            (r#"{"target":"","arguments":[]}"#, BadBody::NoTarget),
            (r#"{"target":"t","arguments":{}}"#, BadBody::ArgumentsNoArray),
            (r#"{"target":"t","arguments":"[]"}"#, BadBody::ArgumentsNoArray),
        ] {
            assert_eq!(arguments(body), Err(error), "{body}");
        }
        assert_eq!(parse(b"{\"target\":\"t\",\"arguments\":[\"\xff\"]}").unwrap_err(), BadBody::NotAMessage);
    }
}
