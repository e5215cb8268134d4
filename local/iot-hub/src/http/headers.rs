//! A message's properties as HTTP carries them: system properties in headers with fixed names, application
//! properties in headers that start with `iothub-app-` (REST reference, "Device - Send Device Event"). Batches use
//! the same names inside their JSON.
//!
//! Header names arrive in lower case, as HTTP allows; names inside a batch keep their case.

use axum::http::HeaderMap;
use bytes::Bytes;

use crate::message::{Message, SystemProperty};
use crate::refusal::Refusal;

const APPLICATION: &str = "iothub-app-";

/// The message of a single send. Its content type is a system property; HTTP's own `Content-Type` is ignored.
pub(super) fn message(headers: &HeaderMap, body: Bytes) -> Result<Message, Refusal> {
    let mut message = Message { body, ..Message::default() };
    for name in headers.keys() {
        if is_property(name.as_str()) {
            let values = headers.get_all(name).iter().map(|value| std::str::from_utf8(value.as_bytes()));
            let values: Vec<&str> = values
                .collect::<Result<_, _>>()
                .map_err(|_| Refusal::Argument(format!("the value of the header '{name}' is not UTF-8")))?;
            // A repeated header is one comma-separated value (RFC 9110, 5.2).
            set(&mut message, name.as_str(), values.join(","));
        }
    }
    Ok(message)
}

/// Sets a property by its HTTP name; other names are ignored.
pub(super) fn set(message: &mut Message, name: &str, value: String) {
    if let Some(property) = system_property(name) {
        message.system.insert(property, value);
    } else if let Some(application) = application_property(name) {
        message.properties.insert(application.to_owned(), value);
    }
}

fn is_property(name: &str) -> bool {
    system_property(name).is_some() || application_property(name).is_some()
}

fn application_property(name: &str) -> Option<&str> {
    let (prefix, rest) = name.split_at_checked(APPLICATION.len())?;
    (prefix.eq_ignore_ascii_case(APPLICATION) && !rest.is_empty()).then_some(rest)
}

fn system_property(name: &str) -> Option<SystemProperty> {
    let property = match name.to_ascii_lowercase().as_str() {
        "iothub-messageid" => SystemProperty::MessageId,
        "iothub-correlationid" => SystemProperty::CorrelationId,
        "iothub-userid" => SystemProperty::UserId,
        "iothub-to" => SystemProperty::To,
        "iothub-contenttype" => SystemProperty::ContentType,
        "iothub-contentencoding" => SystemProperty::ContentEncoding,
        "dt-subject" => SystemProperty::Subject,
        "iothub-creation-time-utc" => SystemProperty::CreationTime,
        _ => return None,
    };
    Some(property)
}
