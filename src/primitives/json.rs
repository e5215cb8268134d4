//! Our own values as JSON. They are made of texts, finite numbers, lists and maps with text keys, which JSON can always
//! hold; the one place that relies on it.

use serde::Serialize;

/// A value of ours as JSON text.
pub(crate) fn to_json<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("texts, numbers, lists and maps of them are JSON")
}

/// A value of ours as JSON text behind other text.
pub(crate) fn append_json<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    serde_json::to_writer(text, value).expect("texts, numbers, lists and maps of them are JSON");
}
