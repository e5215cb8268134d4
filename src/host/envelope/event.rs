//! What an envelope holds: a batch of events, or why there is none.

use bytes::Bytes;

use crate::primitives::ids::{HubPartition, Position};
use crate::primitives::instant::Millis;

/// Events of one partition, in the order of the stream.
#[derive(Debug, PartialEq)]
pub struct Batch {
    /// Where they come from.
    pub partition: HubPartition,
    /// The events.
    pub events: Vec<Event>,
}

/// One message of the hub.
#[derive(Debug, PartialEq)]
pub struct Event {
    /// Where it stands in the stream.
    pub position: Position,
    /// When the hub enqueued it.
    pub enqueued_at: Option<Millis>,
    /// Whether a device sent it. The hub also writes events of its own: that a device has connected, that a twin has changed.
    pub is_telemetry: bool,
    /// The identity that the hub authenticated (`iothub-connection-device-id`).
    pub stamped_device: Option<String>,
    /// The module of that device (`iothub-connection-module-id`).
    pub module: Option<String>,
    /// The Plug and Play component that it speaks for (`dt-subject`).
    pub component: Option<String>,
    /// When the device says that it made the message (`iothub-creation-time-utc`, or AMQP's `creation-time`).
    pub creation_time: Option<String>,
    /// The application properties, among them what routes add (message enrichments): a JSON object, where there are any.
    pub properties: Option<Box<str>>,
    /// The hub's message id, where the device gave one.
    pub message_id: Option<String>,
    /// How the body is encoded, as its sender said (`content-encoding`); `None` where it did not, or said UTF-8.
    pub content_encoding: Option<String>,
    /// The bytes that the device sent, as far as the binding's data type preserves them.
    pub body: Bytes,
}

/// Why a request is not an invocation that can be worked on. The host never sends such a thing; a person with a
/// command line does, so it says what is expected.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The request body is not JSON of the outer shape.
    #[error("the request is not an invocation envelope ({{\"Data\":{{…}},\"Metadata\":{{…}}}}): {0}")]
    Shape(String),
    /// There is no event under the names that a trigger binding of this app has.
    #[error("`Data` must hold the events under `events` (or `event`), found {0}")]
    NoEvents(String),
    /// The events are there but are neither an array nor one event.
    #[error("`Data.{name}` cannot be read: {problem}")]
    Events {
        /// The binding's name.
        name: String,
        /// What was found.
        problem: String,
    },
    /// A metadata array is there but cannot belong to these events.
    #[error("`Metadata.{name}` cannot be read: {problem}")]
    Metadata {
        /// The metadata key.
        name: &'static str,
        /// What was found.
        problem: String,
    },
}
