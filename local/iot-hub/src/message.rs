//! A device's message and the event it becomes, the same for every transport.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde::Serialize;

use crate::identity::{Scope, Sender};

/// What a device sent: properties, and a body that the hub does not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) body: Bytes,
    pub(crate) system: BTreeMap<SystemProperty, String>,
    pub(crate) properties: BTreeMap<String, String>,
}

/// The system properties that a device may set (Microsoft docs, "Create and read IoT Hub messages").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SystemProperty {
    MessageId,
    CorrelationId,
    UserId,
    To,
    ContentType,
    ContentEncoding,
    Subject,
    CreationTime,
}

impl SystemProperty {
    /// The name on the Event Hub-compatible side: AMQP properties, and annotations.
    fn name(self) -> &'static str {
        match self {
            SystemProperty::MessageId => "message-id",
            SystemProperty::CorrelationId => "correlation-id",
            SystemProperty::UserId => "user-id",
            SystemProperty::To => "to",
            SystemProperty::ContentType => "content-type",
            SystemProperty::ContentEncoding => "content-encoding",
            SystemProperty::Subject => "dt-subject",
            SystemProperty::CreationTime => "iothub-creation-time-utc",
        }
    }
}

impl Message {
    /// The size that counts against the limit: body, values of system properties, names and values of
    /// application properties.
    pub(crate) fn size(&self) -> usize {
        let system: usize = self.system.values().map(String::len).sum();
        let properties: usize = self.properties.iter().map(|(name, value)| name.len() + value.len()).sum();
        self.body.len() + system + properties
    }

    /// The event as JSON, without its position in the partition, which the log adds in front.
    pub(crate) fn stamp(&self, sender: &Sender, at: Timestamp) -> UnnumberedEvent {
        let time = format!("{at:.3}");
        let mut system = BTreeMap::from([
            ("iothub-connection-auth-generation-id", sender.generation.as_str()),
            ("iothub-connection-auth-method", auth_method(sender.scope)),
            ("iothub-connection-device-id", sender.device.as_str()),
            ("iothub-enqueuedtime", time.as_str()),
            ("iothub-message-source", "Telemetry"),
        ]);
        system.extend(sender.module.as_ref().map(|module| ("iothub-connection-module-id", module.as_str())));
        system.extend(self.system.iter().map(|(property, value)| (property.name(), value.as_str())));
        let body = STANDARD.encode(&self.body);
        let event = Stamped { body, properties: &self.properties, system_properties: system };
        UnnumberedEvent(serde_json::to_string(&event).expect("maps of strings become JSON"))
    }
}

/// An event without sequence number, offset and enqueued time: a JSON object.
#[derive(Clone, Debug)]
pub(crate) struct UnnumberedEvent(String);

impl UnnumberedEvent {
    /// The members of the JSON object and its closing brace, without the opening one.
    pub(crate) fn members(&self) -> &str {
        &self.0[1..]
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stamped<'a> {
    body: String,
    properties: &'a BTreeMap<String, String>,
    system_properties: BTreeMap<&'static str, &'a str>,
}

/// JSON text inside a string, as the Event Hub-compatible endpoint carries it.
fn auth_method(scope: Scope) -> &'static str {
    match scope {
        Scope::Device => r#"{"scope":"device","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
        Scope::Module => r#"{"scope":"module","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
        Scope::Hub => r#"{"scope":"hub","type":"sas","issuer":"iothub","acceptingIpFilterRule":null}"#,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_counts_body_values_and_application_names() {
        let message = Message {
            body: Bytes::from_static(b"12345"),
            system: BTreeMap::from([(SystemProperty::MessageId, "ab".to_owned())]),
            properties: BTreeMap::from([("name".to_owned(), "value".to_owned())]),
        };
        assert_eq!(message.size(), 5 + 2 + 9);
    }
}
