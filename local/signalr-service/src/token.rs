//! Access tokens: the checks Azure SignalR Service makes on the JSON Web Tokens (RFC 7519) of REST callers and
//! clients. The official emulator checks only the signature; wrong tokens then show up in the cloud.

pub(crate) mod audience;

use crate::transport::Transports;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sha2::{Sha256, Sha512};
use std::ops::RangeInclusive;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The keys a token may be signed with. The text of a key is used as it is, although it looks like base64.
/// No `Debug`: keys are never printed.
pub(crate) struct Keys(Vec<String>);

/// The check that failed. The texts are those of the service's challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("The access token is missing")]
    Missing,
    #[error("The token is malformed")]
    Malformed,
    #[error("The algorithm is not supported")]
    Algorithm,
    #[error("The signature is invalid")]
    Signature,
    #[error("The token has no expiration")]
    NoExpiration,
    #[error("The token is expired")]
    Expired,
    #[error("The audience is invalid")]
    Audience,
}

/// The claims of a valid token. The caller has to check the audience.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Claims {
    pub(crate) audiences: Vec<String>,
    pub(crate) user: Option<String>,
    pub(crate) transports: Transports,
    /// How long a poll may wait.
    pub(crate) poll: Option<Duration>,
    /// The claims that the application gets about the client: names and values.
    pub(crate) told: Vec<(String, String)>,
}

impl Keys {
    pub(crate) fn new(keys: Vec<String>) -> Keys {
        Keys(keys)
    }

    pub(crate) fn first(&self) -> &str {
        self.0.first().expect("a service starts with at least one key")
    }

    /// A token for a client, signed with the first key.
    pub(crate) fn client_token(&self, audience: &str, user: Option<&str>, expires: SystemTime) -> String {
        let expires = expires.duration_since(UNIX_EPOCH).map_or(0, |passed| passed.as_secs());
        let mut payload = json!({ "aud": audience, "exp": expires });
        if let Some(user) = user {
            payload["asrs.s.uid"] = user.into();
        }
        let parts = [json!({ "alg": "HS256", "typ": "JWT" }), payload];
        let signed = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string())).join(".");
        let signature = hmac::<Hmac<Sha256>>(self.first(), &signed).finalize().into_bytes();
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// The signatures that prove to an upstream who calls: `text` signed with each key, in hexadecimal digits.
    pub(crate) fn signatures(&self, text: &str) -> impl Iterator<Item = String> {
        self.0.iter().map(move |key| {
            let signature = hmac::<Hmac<Sha256>>(key, text).finalize().into_bytes();
            signature.iter().map(|byte| format!("{byte:02x}")).collect()
        })
    }

    /// Checks algorithm, signature and expiry. Not-before and issuer are not checked, as in the service. There is no
    /// leeway for clocks, because all are on one machine.
    pub(crate) fn verify(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        let header: Header = decode(header)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| TokenError::Malformed)?;
        let fits = |key: &String| match header.alg.as_str() {
            "HS256" => Ok(is_signed::<Hmac<Sha256>>(key, signed, &signature)),
            "HS512" => Ok(is_signed::<Hmac<Sha512>>(key, signed, &signature)),
            _ => Err(TokenError::Algorithm),
        };
        let mut matches = self.0.iter().map(fits);
        if !matches.try_fold(false, |found, fit| fit.map(|fit| found || fit))? {
            return Err(TokenError::Signature);
        }
        let payload: Payload = decode(payload)?;
        payload.into_claims(now)
    }
}

#[derive(Deserialize)]
struct Header {
    alg: String,
}

#[derive(Deserialize)]
struct Payload {
    aud: Option<Value>,
    exp: Option<f64>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Payload {
    fn into_claims(self, now: SystemTime) -> Result<Claims, TokenError> {
        let expires = self.exp.ok_or(TokenError::NoExpiration)?;
        let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64());
        if expires <= now {
            return Err(TokenError::Expired);
        }
        let told = self.told();
        let user = ["asrs.s.uid", "nameid", "sub"].into_iter().find_map(|name| self.first(name));
        Ok(Claims {
            audiences: self.aud.as_ref().map(texts).unwrap_or_default(),
            user: user.filter(|user| !user.is_empty()),
            transports: self.number("asrs.s.htt").map(Transports::of_mask).unwrap_or_default(),
            poll: self.number("asrs.s.ttl").filter(|ttl| POLL_SECONDS.contains(ttl)).map(Duration::from_secs),
            told,
        })
    }

    /// All claims except those of the token itself and of the service. An application's claim with such a name has a
    /// prefix in the token.
    fn told(&self) -> Vec<(String, String)> {
        let others = self
            .others
            .iter()
            .filter(|(name, _)| !OF_THE_TOKEN.contains(&name.as_str()) && !name.starts_with("asrs.s."));
        let values = others.flat_map(|(name, claim)| {
            let name = name.strip_prefix("asrs.u.").unwrap_or(name);
            texts(claim).into_iter().map(|value| (name.to_owned(), value))
        });
        values.collect()
    }

    fn first(&self, name: &str) -> Option<String> {
        texts(self.others.get(name)?).into_iter().next()
    }

    /// A number in a text, as in the service's own claims.
    fn number(&self, name: &str) -> Option<u64> {
        self.first(name)?.parse().ok()
    }
}

/// The range of a poll's longest wait that the service documents; other numbers have no effect.
const POLL_SECONDS: RangeInclusive<u64> = 1..=300;

/// Claims that are not about the client, besides `aud` and `exp`.
const OF_THE_TOKEN: [&str; 9] = ["iat", "nbf", "iss", "actort", "acr", "azp", "c_hash", "jti", "nonce"];

/// The values of a claim: a repeated claim is an array.
fn texts(claim: &Value) -> Vec<String> {
    match claim {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Result<T, TokenError> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenError::Malformed)
}

fn is_signed<M: Mac + KeyInit>(key: &str, signed: &str, signature: &[u8]) -> bool {
    hmac::<M>(key, signed).verify_slice(signature).is_ok()
}

fn hmac<M: Mac + KeyInit>(key: &str, text: &str) -> M {
    let mac = <M as KeyInit>::new_from_slice(key.as_bytes()).expect("an HMAC key has any length");
    mac.chain_update(text)
}

#[cfg(test)]
mod tests;
