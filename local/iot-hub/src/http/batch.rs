//! Several messages in one request: `application/vnd.microsoft.iothub.json`, an array of
//! `{"body": …, "base64Encoded": …, "properties": {…}}` as the Java, C and Node device SDKs write it.

use std::collections::BTreeMap;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::http::headers;
use crate::message::Message;
use crate::refusal::Refusal;

const MEDIA_TYPE: &str = "application/vnd.microsoft.iothub.json";

/// Whether the request says that its body is a batch.
pub(super) fn is_batch(headers: &HeaderMap) -> bool {
    let media_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = media_type.and_then(|value| value.split(';').next()).unwrap_or_default();
    media_type.trim().eq_ignore_ascii_case(MEDIA_TYPE)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    body: String,
    #[serde(default = "base64_unless_said")]
    base64_encoded: bool,
    #[serde(default)]
    properties: BTreeMap<String, String>,
}

fn base64_unless_said() -> bool {
    true
}

/// Reads a whole batch or refuses it: a hub stores all of it or nothing.
pub(super) fn messages(body: &[u8]) -> Result<Vec<Message>, Refusal> {
    let items: Vec<Item> = serde_json::from_slice(body)
        .map_err(|e| Refusal::Format(format!("the batch is not an array of messages: {e}")))?;
    if items.is_empty() {
        return Err(Refusal::Format("the batch has no messages".to_owned()));
    }
    items.into_iter().enumerate().map(|(index, item)| message(index, item)).collect()
}

fn message(index: usize, item: Item) -> Result<Message, Refusal> {
    let body = match item.base64_encoded {
        true => STANDARD.decode(&item.body).map_err(|_| {
            Refusal::Format(format!("the body of message {index} of the batch is not base64"))
        })?,
        false => item.body.into_bytes(),
    };
    let mut message = Message { body: body.into(), ..Message::default() };
    for (name, value) in item.properties {
        headers::set(&mut message, &name, value);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::SystemProperty;

    #[test]
    fn bodies_are_base64_unless_they_say_otherwise() {
        let batch = br#"[{"body":"AP8="},{"body":"AP8=","base64Encoded":true},{"body":"AP8=","base64Encoded":false}]"#;
        let bodies: Vec<_> = messages(batch).expect("a batch").into_iter().map(|m| m.body.to_vec()).collect();
        assert_eq!(bodies, [vec![0, 255], vec![0, 255], b"AP8=".to_vec()]);
    }

    #[test]
    fn property_names_keep_their_case_and_lose_their_prefix() {
        let batch =
            br#"[{"body":"","properties":{"iothub-app-roomTemp":"1","IoTHub-MessageId":"m","other":"x"}}]"#;
        let message = messages(batch).expect("a batch").remove(0);
        assert_eq!(message.properties, BTreeMap::from([("roomTemp".to_owned(), "1".to_owned())]));
        assert_eq!(message.system, BTreeMap::from([(SystemProperty::MessageId, "m".to_owned())]));
    }

    #[test]
    fn anything_but_a_filled_array_of_messages_is_refused() {
        for batch in
            ["", "[]", "{}", "[1]", "[{}]", r#"[{"body":1}]"#, r#"[{"body":"!"}]"#, r#"[{"body":""}"#]
        {
            assert!(messages(batch.as_bytes()).is_err(), "{batch}");
        }
    }
}
