//! The envelope in which the host hands over a batch, written from the host's own rules (`cardinality` many, `dataType`
//! binary): every value that is no object is JSON text inside a string.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::workload::{Message, Partition};

/// A batch of a partition.
pub(super) fn of_partition(partition: &Partition, messages: &[&Message]) -> String {
    let sequences: Vec<i64> = messages.iter().filter_map(|message| message.sequence).collect();
    let enqueued: Vec<String> = messages.iter().map(|message| date(message.enqueued_at)).collect();
    let properties: Vec<Value> = messages.iter().map(|message| system_properties(message)).collect();
    let application: Vec<Value> = messages.iter().map(|message| application_properties(message)).collect();
    json!({
        "Data": { "events": bodies(messages) },
        "Metadata": {
            "PartitionContext": {
                "FullyQualifiedNamespace": "simulated.servicebus.windows.net",
                "EventHubName": partition.hub,
                "ConsumerGroup": "$Default",
                "PartitionId": partition.id.to_string(),
            },
            "SequenceNumberArray": json!(sequences).to_string(),
            "EnqueuedTimeUtcArray": json!(enqueued).to_string(),
            "PropertiesArray": json!(application).to_string(),
            "SystemPropertiesArray": json!(properties).to_string(),
        },
    })
    .to_string()
}

/// Events that a person sent: nobody stamped them, and nothing says where they stand.
pub(super) fn by_hand(messages: &[&Message]) -> String {
    json!({ "Data": { "events": bodies(messages) }, "Metadata": {} }).to_string()
}

fn bodies(messages: &[&Message]) -> String {
    let bodies: Vec<String> = messages.iter().map(|message| STANDARD.encode(&message.body)).collect();
    json!(bodies).to_string()
}

fn system_properties(message: &Message) -> Value {
    let mut properties = json!({ "x-opt-sequence-number": message.sequence });
    if message.stamped {
        properties["iothub-connection-device-id"] = format!("device-{}", message.device).into();
    }
    properties
}

fn application_properties(message: &Message) -> Value {
    match message.created_at {
        Some(created_at) => json!({ "iothub-creation-time-utc": format!("{}Z", date(created_at)) }),
        None => json!({}),
    }
}

/// As the host writes it: no zone.
fn date(milliseconds: i64) -> String {
    let instant = Timestamp::from_millisecond(milliseconds).expect("a simulated time is one");
    format!("{instant:.3}").trim_end_matches('Z').to_owned()
}
