//! Token checks against tokens made elsewhere (Python's hmac, cross-checked with Node's crypto).

use super::audience::{Requested, check_client, check_rest};
use super::*;
use crate::names::HubName;
use std::time::Duration;

const KEY: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
const HS256: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9hcGkvaHVicy9jaGF0LzpzZW5kIiwiaWF0IjoxNzAwMDAwMDAwLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.YiF84Lph5vPitL9aEO68AB0wwDiyqAnHbRfRmNeZQFQ";
const HS512: &str = "eyJhbGciOiJIUzUxMiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9hcGkvaHVicy9jaGF0LzpzZW5kIiwiaWF0IjoxNzAwMDAwMDAwLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.h3XX1Y2VdkvMj5PSexrZLt_SJ_1LHHFid6jlbhwG1z8NLKwS__obV9dHp5P5tidfuJ5eZPCHtS93mdMLbXogUg";
/// As [`HS256`], for a group whose name is escaped.
const GROUP: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9hcGkvaHVicy9jaGF0L2dyb3Vwcy9yb29tJTIwJTIzMS86c2VuZCIsImlhdCI6MTcwMDAwMDAwMCwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDM2MDB9.J-4N2qsyMjQAWqCdS5qOrCTOw3m59Px_acoMRF4SMco";
/// A minimal one for a local port.
const LOCAL: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhdWQiOiJodHRwOi8vbG9jYWxob3N0Ojg4ODgvYXBpL2h1YnMvY2hhdC86c2VuZCIsImV4cCI6MTcwMDAwMzYwMH0.cjt5839TbY8KoYNywYkUzPgoJDVzebs-EQOyTo8R5fQ";
const PLAIN_ALICE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhc3JzLnMudWlkIjoiYWxpY2UiLCJuYmYiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMCwiaWF0IjoxNzAwMDAwMDAwLCJhdWQiOiJodHRwczovL2V4YW1wbGUuc2VydmljZS5zaWduYWxyLm5ldC9jbGllbnQvP2h1Yj1jaGF0In0.s-znngYM5gtqOSRX3IBqJKDQRBP3F08vVruSmtI2EGk";
/// With repeated and prefixed claims.
const ALICE: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhc3JzLnMudWlkIjoiYWxpY2UiLCJyb2xlIjpbImFkbWluIiwib3BzIl0sImFzcnMudS5pc3MiOiJtZSIsIm5iZiI6MTcwMDAwMDAwMCwiZXhwIjoxNzAwMDAzNjAwLCJpYXQiOjE3MDAwMDAwMDAsImF1ZCI6Imh0dHBzOi8vZXhhbXBsZS5zZXJ2aWNlLnNpZ25hbHIubmV0L2NsaWVudC8_aHViPWNoYXQifQ.nUYg3FOPJYhSFpPGbXtk2cM-qhCtCztOCkjeWJY6FFU";

fn verify(token: &str, second: u64) -> Result<Claims, TokenError> {
    let keys = Keys::new(vec!["another key".into(), KEY.into()]);
    keys.verify(token, UNIX_EPOCH + Duration::from_secs(second))
}

/// Signs `payload` with the known key.
fn signed(header: &str, payload: &str) -> String {
    let text =
        format!("{}.{}", BASE64_URL_SAFE_NO_PAD.encode(header), BASE64_URL_SAFE_NO_PAD.encode(payload));
    let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(&text);
    format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

#[test]
fn known_tokens_are_taken_until_they_expire() {
    for token in [HS256, HS512] {
        let claims = verify(token, 1_700_003_599).unwrap();
        assert_eq!(claims.audiences, ["https://example.service.signalr.net/api/hubs/chat/:send"]);
        assert_eq!(verify(token, 1_700_003_600), Err(TokenError::Expired));
    }
    assert_eq!(verify(ALICE, 1_700_000_000).unwrap().user.as_deref(), Some("alice"));
}

#[test]
fn known_tokens_are_good_for_their_urls_only() {
    const SERVICE: &str = "example.service.signalr.net";
    let (send, group) = ("/api/hubs/chat/:send", "/api/hubs/chat/groups/room%20%231/:send");
    for (token, host, path) in [
        (HS256, SERVICE, send),
        (HS512, SERVICE, send),
        (GROUP, SERVICE, group),
        (LOCAL, "localhost:8888", send),
    ] {
        let claims = verify(token, 1_700_000_000).unwrap();
        let query = "api-version=2022-06-01";
        assert_eq!(check_rest(&claims, Requested { host, path, query }), Ok(()), "{path}");
        for (host, path) in [(host, "/api/hubs/other/:send"), ("localhost:8889", path)] {
            let refused = check_rest(&claims, Requested { host, path, query });
            assert_eq!(refused, Err(TokenError::Audience), "{host}{path}");
        }
    }
    for token in [PLAIN_ALICE, ALICE] {
        let claims = verify(token, 1_700_000_000).unwrap();
        assert_eq!(claims.user.as_deref(), Some("alice"));
        let check = |hub: &str| check_client(&claims, SERVICE, &HubName::of_client(hub).unwrap());
        assert_eq!((check("chat"), check("other")), (Ok(()), Err(TokenError::Audience)));
        let send = Requested { host: SERVICE, path: send, query: "" };
        assert_eq!(check_rest(&claims, send), Err(TokenError::Audience), "it is for clients");
    }
}

#[test]
fn a_token_of_another_key_or_with_changed_text_is_refused() {
    let keys = Keys::new(vec!["another key".into()]);
    assert_eq!(keys.verify(HS256, UNIX_EPOCH), Err(TokenError::Signature));
    let (text, _) = ALICE.rsplit_once('.').unwrap();
    let (_, signature) = HS256.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{text}.{signature}"), 0), Err(TokenError::Signature));
    assert_eq!(verify(&format!("{text}."), 0), Err(TokenError::Signature));
}

#[test]
fn only_the_two_hmac_algorithms_are_taken() {
    for alg in ["none", "None", "hs256", "HS384", "RS256", ""] {
        let header = format!(r#"{{"alg":"{alg}"}}"#);
        let token = signed(&header, r#"{"exp":9}"#);
        assert_eq!(verify(&token, 0), Err(TokenError::Algorithm), "{alg}");
    }
    let unsigned = signed(r#"{"alg":"none"}"#, r#"{"exp":9}"#);
    let unsigned = &unsigned[..=unsigned.rfind('.').unwrap()];
    assert_eq!(verify(unsigned, 0), Err(TokenError::Algorithm));
}

#[test]
fn an_expiry_is_required() {
    assert_eq!(verify(&signed(r#"{"alg":"HS256"}"#, r#"{"aud":"a"}"#), 0), Err(TokenError::NoExpiration));
}

#[test]
fn the_user_is_the_first_of_three_claims() {
    let user = |claims: &str| {
        let payload = format!(r#"{{"exp":9{claims}}}"#);
        verify(&signed(r#"{"alg":"HS256"}"#, &payload), 0).unwrap().user
    };
    assert_eq!(user(""), None);
    assert_eq!(user(r#","sub":"s""#).as_deref(), Some("s"));
    assert_eq!(user(r#","sub":["s","t"],"asrs.u.sub":"u""#).as_deref(), Some("s"));
    assert_eq!(user(r#","sub":"s","nameid":"n""#).as_deref(), Some("n"));
    assert_eq!(user(r#","nameid":"n","sub":"s","asrs.s.uid":"u""#).as_deref(), Some("u"));
}

#[test]
fn the_services_own_claims_say_how_a_client_may_connect() {
    let claims = |claims: &str| {
        let payload = format!(r#"{{"exp":9{claims}}}"#);
        verify(&signed(r#"{"alg":"HS256"}"#, &payload), 0).unwrap()
    };
    let second = Duration::from_secs(1);
    assert_eq!(claims(r#","asrs.s.ttl":"300","asrs.s.htt":"6""#).poll, Some(300 * second));
    assert_eq!(claims(r#","asrs.s.htt":"6""#).transports, Transports::of_mask(6));
    for unusable in
        ["", r#","asrs.s.ttl":"0","asrs.s.htt":"x""#, r#","asrs.s.ttl":"301""#, r#","asrs.s.ttl":9"#]
    {
        let claims = claims(unusable);
        assert_eq!((claims.poll, claims.transports), (None, Transports::default()), "{unusable}");
    }
}

#[test]
fn the_application_is_told_its_own_claims() {
    let told = verify(ALICE, 1_700_000_000).unwrap().told;
    let expected = [("iss", "me"), ("role", "admin"), ("role", "ops")];
    assert_eq!(told, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let payload = r#"{"exp":9,"iss":"issuer","jti":"1","asrs.s.ttl":"5","asrs.s.uid":"u"}"#;
    assert_eq!(
        verify(&signed(r#"{"alg":"HS256"}"#, payload), 0).unwrap().told,
        [],
        "none of these is its own"
    );
}

#[test]
fn upstreams_are_shown_a_signature_per_key() {
    let keys = Keys::new(vec![KEY.into(), "ZYXWVUTSRQPONMLKJIHGFEDCBA9876543210HGFEDCBA".into()]);
    let expected = [
        "b78b1b6698ef4c26adacc16537e1940bf816254465275d2dc5cd8bafea0506e1",
        "5276ac6dab77855a927a5441713a7b59da7e5595b24adcf6355422174be8663f",
    ];
    assert_eq!(keys.signatures("conn-0001").collect::<Vec<_>>(), expected);
}

#[test]
fn what_is_no_token_is_malformed() {
    for bad in ["", "a", "a.b", "a.b.c", "....", &HS256[1..], &format!("{HS256}=")] {
        assert_eq!(verify(bad, 0), Err(TokenError::Malformed), "{bad:.30}");
    }
}
