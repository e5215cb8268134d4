//! JSON Web Tokens made from RFC 7515 alone, so that the stand-in is not tested with its own code.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha512};
use std::time::{SystemTime, UNIX_EPOCH};

pub(crate) const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
pub(crate) const SECOND_KEY: &str = "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210HGFEDCBA";

/// A token for `audience` that is valid for an hour.
pub(crate) fn for_audience(audience: &str) -> String {
    signed(KEY, &json!({ "aud": audience, "exp": in_seconds(3600) }))
}

pub(crate) fn signed(key: &str, claims: &Value) -> String {
    let text = unsigned("HS256", claims);
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap().chain_update(&text);
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

pub(crate) fn signed_with_sha512(key: &str, claims: &Value) -> String {
    let text = unsigned("HS512", claims);
    let mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).unwrap().chain_update(&text);
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// Header and payload without the signature and the dot before it.
pub(crate) fn unsigned(alg: &str, claims: &Value) -> String {
    let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
    format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(claims.to_string()))
}

/// Unix seconds from now; negative is the past.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}
