//! Signed tokens (JWT, HS256) for REST calls. Text and time in, token out.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;

use crate::names::InvalidName;

/// The lifetime that Microsoft's SDK uses; it also forgives a local clock that is slow by almost as much.
pub(crate) const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// The limit of Microsoft's SDK: longer tokens meet header and query limits on their way.
const TOKEN_CHARACTERS: usize = 4096;

/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// Why no token can be made. The fix is in what the token was to carry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token would be over the 4096 characters that the service and its clients can handle.
    #[error("token would have {characters} characters, more than 4096: use shorter names or fewer claims")]
    TooLong {
        /// Characters the token would have.
        characters: usize,
    },
    /// A claim whose name the service keeps for itself (`asrs.s.`), such as the user id.
    #[error("claim names starting with asrs.s. are reserved for the service")]
    ReservedClaim,
    /// The user id cannot be used.
    #[error(transparent)]
    User(#[from] InvalidName),
}

/// An access key, ready to sign: the state of the hash after the key, so that each token costs only its own text.
///
/// The key is the UTF-8 text of the connection string, not what it decodes to as base64.
#[derive(Clone)]
pub(crate) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    pub(crate) fn new(access_key: &str) -> SigningKey {
        SigningKey(Hmac::new_from_slice(access_key.as_bytes()).expect("HMAC takes keys of any length"))
    }

    pub(crate) fn hash(&self, data: &[u8]) -> Hmac<Sha256> {
        self.0.clone().chain_update(data)
    }

    pub(crate) fn token(&self, claims: &impl Serialize) -> Result<String, TokenError> {
        let claims = serde_json::to_vec(claims).expect("claims are text and numbers under text keys");
        let mut token = String::from(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.hash(token.as_bytes()).finalize().into_bytes();
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        match token.len() {
            characters if characters > TOKEN_CHARACTERS => Err(TokenError::TooLong { characters }),
            _ => Ok(token),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

#[derive(Serialize)]
struct RestClaims<'a> {
    aud: &'a str,
    iat: u64,
    nbf: u64,
    exp: u64,
}

/// A token for one REST address. `audience` is the address without its query.
pub(crate) fn rest_token(key: &SigningKey, audience: &str, now: SystemTime) -> Result<String, TokenError> {
    let issued = unix_seconds(now);
    key.token(&RestClaims { aud: audience, iat: issued, nbf: issued, exp: issued + LIFETIME.as_secs() })
}

/// Seconds since 1970; an earlier time counts as 1970.
pub(crate) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
    const BROADCAST: &str = "https://example.service.signalr.net/api/hubs/chat/:send";
    const GROUP: &str = "https://example.service.signalr.net/api/hubs/chat/groups/room%20%231/:send";

    fn at_vector_time(audience: &str) -> String {
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        rest_token(&SigningKey::new(KEY), audience, now).expect("a short token")
    }

    #[test]
    fn broadcast_token_is_byte_exact() {
        assert_eq!(
            at_vector_time(BROADCAST),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9hcGkvaHVicy9jaGF0LzpzZW5kIiwiaWF0IjoxNzAwMDAwMDAwLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.YiF84Lph5vPitL9aEO68AB0wwDiyqAnHbRfRmNeZQFQ"
        );
    }

    #[test]
    fn group_token_with_escaped_name_is_byte_exact() {
        assert_eq!(
            at_vector_time(GROUP),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9hcGkvaHVicy9jaGF0L2dyb3Vwcy9yb29tJTIwJTIzMS86c2VuZCIsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9.J-4N2qsyMjQAWqCdS5qOrCTOw3m59Px_acoMRF4SMco"
        );
    }

    #[test]
    fn minimal_token_for_a_local_port_is_byte_exact() {
        #[derive(Serialize)]
        struct Minimal {
            aud: &'static str,
            exp: u64,
        }
        let claims = Minimal { aud: "http://localhost:8888/api/hubs/chat/:send", exp: 1_700_003_600 };
        assert_eq!(
            SigningKey::new(KEY).token(&claims).expect("a short token"),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0Ojg4ODgvYXBpL2h1YnMvY2hhdC86c2VuZCIsImV4cCI6MTcwMDAwMzYwMH0.cjt5839TbY8KoYNywYkUzPgoJDVzebs-EQOyTo8R5fQ"
        );
    }

    #[test]
    fn a_token_over_the_limit_is_refused() {
        let key = SigningKey::new(KEY);
        assert!(rest_token(&key, &"a".repeat(2800), UNIX_EPOCH).is_ok());
        let refused = rest_token(&key, &"a".repeat(3100), UNIX_EPOCH);
        assert!(matches!(refused, Err(TokenError::TooLong { characters: 4097.. })), "{refused:?}");
    }
}
