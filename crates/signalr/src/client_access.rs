//! The answer to a negotiate request: where a client connects and the token it connects with.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::endpoint::Endpoint;
use crate::names::{HubName, NameKind, segment};
use crate::token::{LIFETIME, TokenError, unix_seconds};

const USER_ID: &str = "asrs.s.uid";
const ROLE: &str = "role";
const SYSTEM_PREFIX: &str = "asrs.s.";
const USER_PREFIX: &str = "asrs.u.";

/// Claims that would clash with the token's own. Sent with a prefix that the service takes off again
/// (`ClaimsUtility` in the Azure SignalR SDK for .NET).
const CLASHING: [&str; 11] =
    ["aud", "exp", "iat", "nbf", "iss", "actort", "acr", "azp", "c_hash", "jti", "nonce"];

/// What a client's token says about its holder.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientClaims {
    user: Option<String>,
    claims: Vec<(String, String)>,
    lifetime: Duration,
}

impl ClientClaims {
    /// An anonymous client with a token for one hour.
    pub fn anonymous() -> ClientClaims {
        ClientClaims { user: None, claims: Vec::new(), lifetime: LIFETIME }
    }

    /// A client of the given user, reachable by [`Target::User`](crate::Target::User).
    pub fn user(id: impl Into<String>) -> ClientClaims {
        ClientClaims { user: Some(id.into()), ..ClientClaims::anonymous() }
    }

    /// Adds a role.
    #[must_use]
    pub fn role(self, role: impl Into<String>) -> ClientClaims {
        self.claim(ROLE, role)
    }

    /// Adds a claim; a name given more than once becomes an array. Names that the token itself uses are passed
    /// through under a prefix which the service removes.
    #[must_use]
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<String>) -> ClientClaims {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// How long the token opens connections; one hour if not set. An open WebSocket outlives its token.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> ClientClaims {
        self.lifetime = lifetime;
        self
    }

    fn check(&self) -> Result<(), TokenError> {
        if let Some(user) = &self.user {
            segment(NameKind::User, user)?;
        }
        match self.claims.iter().any(|(name, _)| name.starts_with(SYSTEM_PREFIX)) {
            true => Err(TokenError::ReservedClaim),
            false => Ok(()),
        }
    }

    /// Claims by the name they are sent under, in the order of first mention.
    fn grouped(&self) -> Vec<(Cow<'_, str>, Vec<&str>)> {
        let mut groups: Vec<(Cow<'_, str>, Vec<&str>)> = Vec::new();
        for (name, value) in &self.claims {
            let known = |wanted: &str| groups.iter().position(|(known, _)| known == wanted);
            let repeated_subject = name == "sub" && known(name).is_some();
            let sent = wire_name(name, repeated_subject);
            match known(&sent) {
                Some(index) => groups[index].1.push(value),
                None => groups.push((sent, vec![value])),
            }
        }
        groups
    }
}

fn wire_name(name: &str, repeated_subject: bool) -> Cow<'_, str> {
    if repeated_subject || CLASHING.contains(&name) {
        Cow::Owned(format!("{USER_PREFIX}{name}"))
    } else {
        Cow::Borrowed(name)
    }
}

/// Where a client connects, in the form that SignalR clients expect from `negotiate`:
/// `{"url":"...","accessToken":"..."}`. [`fmt::Debug`] hides the token.
#[derive(Clone, Eq, PartialEq, serde::Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClientAccess {
    /// The client address of the hub.
    pub url: String,
    /// The signed token, a secret of that client.
    pub access_token: String,
}

impl fmt::Debug for ClientAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAccess").field("url", &self.url).finish_non_exhaustive()
    }
}

/// Makes the negotiate answer for one client of `hub`.
///
/// # Errors
/// [`TokenError`] when the claims cannot be carried.
pub fn client_access(
    endpoint: &Endpoint,
    hub: &HubName,
    claims: &ClientClaims,
    now: SystemTime,
) -> Result<ClientAccess, TokenError> {
    claims.check()?;
    let hub = hub.encoded();
    let audience = format!("{}client/?hub={hub}", endpoint.audience_base());
    let token =
        endpoint.key().token(&ClientPayload { claims, audience: &audience, now: unix_seconds(now) })?;
    Ok(ClientAccess { url: format!("{}/client/?hub={hub}", endpoint.client_base()), access_token: token })
}

struct ClientPayload<'a> {
    claims: &'a ClientClaims,
    audience: &'a str,
    now: u64,
}

impl Serialize for ClientPayload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(user) = &self.claims.user {
            map.serialize_entry(USER_ID, user)?;
        }
        for (name, values) in self.claims.grouped() {
            match values.as_slice() {
                [single] => map.serialize_entry(&name, single)?,
                several => map.serialize_entry(&name, several)?,
            }
        }
        map.serialize_entry("nbf", &self.now)?;
        map.serialize_entry("exp", &self.now.saturating_add(self.claims.lifetime.as_secs()))?;
        map.serialize_entry("iat", &self.now)?;
        map.serialize_entry("aud", self.audience)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    const KEY: &str = "AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";

    fn access(address: &str, claims: &ClientClaims) -> Result<ClientAccess, TokenError> {
        let endpoint = Endpoint::parse(&format!("{address};{KEY}")).expect("a good string");
        let hub = HubName::new("Chat").expect("a good name");
        client_access(&endpoint, &hub, claims, UNIX_EPOCH + Duration::from_secs(1_700_000_000))
    }

    fn example(claims: &ClientClaims) -> String {
        access("Endpoint=https://example.service.signalr.net", claims).expect("good claims").access_token
    }

    fn sent(claims: &ClientClaims) -> serde_json::Value {
        let payload = ClientPayload { claims, audience: "a", now: 0 };
        serde_json::to_value(payload).expect("claims are JSON")
    }

    #[test]
    fn user_token_is_byte_exact() {
        assert_eq!(
            example(&ClientClaims::user("alice")),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhc3JzLnMudWlkIjoiYWxpY2UiLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwiaWF0IjoxNzAwMDAwMDAwLCJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9jbGllbnQvP2h1Yj1jaGF0In0.s-znngYM5gtqOSRX3IBqJKDQRBP3F08vVruSmtI2EGk"
        );
    }

    #[test]
    fn token_with_roles_and_a_clashing_claim_is_byte_exact() {
        assert_eq!(
            example(&ClientClaims::user("alice").role("admin").role("ops").claim("iss", "me")),
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhc3JzLnMudWlkIjoiYWxpY2UiLCJyb2xlIjpbImFkbWluIiwib3BzIl0sImFzcnMudS5pc3MiOiJtZSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJpYXQiOjE3MDAwMDAwMDAsImF1ZCI6Imh0dHBzOi8vZXhhbXBsZS5zZXJ2aWNlLnNpZ25hbHIubmV0L2NsaWVudC8_aHViPWNoYXQifQ.nUYg3FOPJYhSFpPGbXtk2cM-qhCtCztOCkjeWJY6FFU"
        );
    }

    #[test]
    fn url_goes_to_the_client_address_and_keeps_its_port() {
        let anonymous = ClientClaims::anonymous();
        for (address, url) in [
            ("Endpoint=http://localhost;Port=8888", "http://localhost:8888/client/?hub=chat"),
            ("Endpoint=https://h;ClientEndpoint=https://front/a/", "https://front/a/client/?hub=chat"),
        ] {
            assert_eq!(access(address, &anonymous).expect("good claims").url, url);
        }
    }

    #[test]
    fn every_clashing_claim_is_prefixed_and_a_second_subject_too() {
        let claims = CLASHING.iter().fold(ClientClaims::anonymous(), |claims, name| claims.claim(*name, "v"));
        let payload = sent(&claims);
        assert!(CLASHING.iter().all(|name| payload[format!("asrs.u.{name}")] == "v"), "{payload}");
        let payload = sent(&ClientClaims::anonymous().claim("sub", "1").claim("sub", "2").claim("sub", "3"));
        assert_eq!(payload["sub"], "1");
        assert_eq!(payload["asrs.u.sub"], serde_json::json!(["2", "3"]));
    }

    #[test]
    fn claims_cannot_impersonate_the_service_or_a_user() {
        let forged = ClientClaims::anonymous().claim("asrs.s.uid", "root");
        assert_eq!(access("Endpoint=https://h", &forged), Err(TokenError::ReservedClaim));
        assert!(matches!(access("Endpoint=https://h", &ClientClaims::user("")), Err(TokenError::User(_))));
    }

    #[test]
    fn too_many_claims_are_refused() {
        let big = ClientClaims::anonymous().claim("x", "y".repeat(4000));
        assert!(matches!(access("Endpoint=https://h", &big), Err(TokenError::TooLong { .. })));
    }

    #[test]
    fn answer_is_what_clients_expect_and_debug_hides_the_token() {
        let access = ClientAccess { url: "u".into(), access_token: "secret".into() };
        assert_eq!(
            serde_json::to_string(&access).expect("plain text"),
            r#"{"url":"u","accessToken":"secret"}"#
        );
        assert!(!format!("{access:?}").contains("secret"));
    }
}
