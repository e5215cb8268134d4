//! Texts that callers are given and hand back: opaque, fit for an address, and with a checksum, so that a cut or mistyped
//! one is told from a whole one. It keeps nothing secret and stops nobody from forging: what is in it must give nothing
//! that could not be asked for openly.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::primitives::stable_hash::stable_hash;

/// A value as text.
pub(crate) fn seal<T: Serialize>(value: &T) -> String {
    let mut bytes = serde_json::to_vec(value).expect("texts and numbers are JSON");
    let checksum = stable_hash(&bytes).to_be_bytes();
    bytes.extend_from_slice(&checksum);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The value of a text that `seal` made.
pub(crate) fn open<T: DeserializeOwned>(text: &str) -> Option<T> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (value, checksum) = bytes.split_last_chunk()?;
    let is_whole = stable_hash(value) == u64::from_be_bytes(*checksum);
    is_whole.then(|| serde_json::from_slice(value).ok()).flatten()
}
