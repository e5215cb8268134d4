//! Reads tokens with code of its own: signature, times and audience.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::service::Seen;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The audience of a request's token, after checking signature and times.
pub(crate) fn audience(seen: &Seen, key: &str) -> String {
    let token = seen.headers["authorization"].strip_prefix("Bearer ").expect("a bearer token");
    let claims = verified(token, key);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(claims["nbf"].as_u64().expect("a number") <= now, "{claims}");
    assert!(claims["exp"].as_u64().expect("a number") > now + 3000, "{claims}");
    claims["aud"].as_str().expect("text").to_owned()
}

pub(crate) fn verified(token: &str, key: &str) -> Value {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    assert_eq!(decoded(signature), hmac_sha256(key.as_bytes(), signed.as_bytes()), "signature");
    let (header, claims) = signed.split_once('.').expect("three parts");
    let header: Value = serde_json::from_slice(&decoded(header)).expect("JSON");
    assert_eq!(header, serde_json::json!({"alg": "HS256", "typ": "JWT"}));
    serde_json::from_slice(&decoded(claims)).expect("JSON")
}

fn decoded(text: &str) -> Vec<u8> {
    let sextet = |c| ALPHABET.iter().position(|known| *known == c).expect("base64url") as u32;
    let mut bytes = Vec::new();
    for group in text.as_bytes().chunks(4) {
        let bits = group.iter().fold(0, |bits, c| bits << 6 | sextet(*c)) << (6 * (4 - group.len()));
        bytes.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    bytes
}

/// RFC 2104, written out.
fn hmac_sha256(key: &[u8], message: &[u8]) -> Vec<u8> {
    use sha2::{Digest, Sha256};
    assert!(key.len() <= 64, "longer keys are hashed first");
    let padded = |pad: u8| (0..64).map(|i| key.get(i).copied().unwrap_or(0) ^ pad).collect::<Vec<u8>>();
    let inner = Sha256::new().chain_update(padded(0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
}
