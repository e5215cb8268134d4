//! Texts that callers are given and hand back, such as cursors: fit for an address, with a checksum that tells a cut or
//! mistyped text from a whole one. Nothing is kept secret and nobody is stopped from forging one, so a text must give
//! nothing that could not be asked for openly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::primitives::json::to_json;
use crate::primitives::stable_hash::stable_hash;

/// A value as text.
pub(crate) fn encode<T: Serialize>(value: &T) -> String {
    let mut bytes = to_json(value).into_bytes();
    let checksum = stable_hash(&bytes).to_be_bytes();
    bytes.extend_from_slice(&checksum);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The value of a text that [`encode`] made.
pub(crate) fn decode<T: DeserializeOwned>(text: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (value, checksum) = bytes.split_last_chunk()?;
    let is_whole = stable_hash(value) == u64::from_be_bytes(*checksum);
    is_whole.then(|| serde_json::from_slice(value).ok()).flatten()
}
