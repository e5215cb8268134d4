//! Shared access signatures (Microsoft docs, "Control access to IoT Hub with SAS"): reads a token, and checks which
//! key signed it and which resource it is for. Pure: time and keys are parameters.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::percent_decode_str;
use sha2::Sha256;

/// The bytes of a shared access key. `Debug` does not show them.
#[derive(Clone)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// Decodes the base64 form; `None` when it is not base64 or empty.
    pub(crate) fn parse(base64: &str) -> Option<Key> {
        let bytes = STANDARD.decode(base64).ok()?;
        (!bytes.is_empty()).then_some(Key(bytes))
    }

    /// The key of one device of an enrolment group: HMAC-SHA256(this key, device id).
    pub(crate) fn derive(&self, device: &str) -> Key {
        Key(self.mac(device.as_bytes()).finalize().into_bytes().to_vec())
    }

    pub(crate) fn to_base64(&self) -> String {
        STANDARD.encode(&self.0)
    }

    fn mac(&self, text: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(text);
        mac
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A parsed token whose signature is not checked yet.
pub(crate) struct Token<'a> {
    /// `sr` exactly as written, because these characters are signed: some clients write `%2f`, others `%2F`.
    resource: &'a str,
    expiry: &'a str,
    signature: Vec<u8>,
    /// `se`: the token is invalid from this time on, in seconds since 1970.
    pub(crate) expires: i64,
    /// `skn`: the hub-level policy whose key signed; absent or empty for a device's own key.
    pub(crate) policy: Option<String>,
}

/// Why a text is not a token.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAToken {
    #[error("the token does not start with 'SharedAccessSignature'")]
    OtherScheme,
    #[error("the token has no field '{0}'")]
    Missing(&'static str),
    #[error("the token has the field '{0}' twice")]
    Twice(&'static str),
    #[error("the token's field '{0}' is not {1}")]
    Unreadable(&'static str, &'static str),
}

const SCHEME: &str = "SharedAccessSignature";

impl<'a> Token<'a> {
    /// Reads `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]` with its fields in any order.
    pub(crate) fn parse(text: &'a str) -> Result<Token<'a>, NotAToken> {
        let (scheme, fields) = text.trim().split_once(' ').ok_or(NotAToken::OtherScheme)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(NotAToken::OtherScheme);
        }
        let required = |name| field(fields, name)?.ok_or(NotAToken::Missing(name));
        let resource = required("sr")?;
        let signature = decoded("sig", required("sig")?)?;
        let expiry = required("se")?;
        let policy = field(fields, "skn")?.map(|name| decoded("skn", name)).transpose()?;
        Ok(Token {
            resource,
            expiry,
            signature: STANDARD.decode(signature).map_err(|_| NotAToken::Unreadable("sig", "base64"))?,
            expires: expiry.parse().map_err(|_| NotAToken::Unreadable("se", "a number of seconds"))?,
            policy: policy.filter(|name| !name.is_empty()),
        })
    }

    /// Whether `key` signed this token, compared in constant time.
    pub(crate) fn is_signed_by(&self, key: &Key) -> bool {
        let text = format!("{}\n{}", self.resource, self.expiry);
        key.mac(text.as_bytes()).verify_slice(&self.signature).is_ok()
    }

    /// What the token is for: `host[/devices[/{id}[/…]]]`.
    pub(crate) fn resource(&self) -> Result<Resource, NotAToken> {
        let plain = decoded("sr", self.resource)?;
        let mut segments = plain.trim_end_matches('/').split('/').map(str::to_owned);
        let host = segments.next().unwrap_or_default();
        Ok(Resource { host, path: segments.collect() })
    }
}

/// The decoded `sr` of a token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) host: String,
    path: Vec<String>,
}

/// How a resource relates to one device's endpoint.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// The whole hub, so this device too.
    Hub,
    /// This device.
    Device,
    /// Another device: the one named.
    OtherDevice(String),
    /// Some other part of the hub.
    Elsewhere,
}

impl Resource {
    /// Compares segment by segment: `…/devices/dev` does not cover `dev-1`. A device id may be encoded once
    /// (Python) or twice (Node). `endpoint` is what follows the device id in the request.
    pub(crate) fn coverage(&self, device: &str, endpoint: &[&str]) -> Coverage {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            [] | ["devices"] => Coverage::Hub,
            ["devices", id, ..] if !names(id, device) => Coverage::OtherDevice((*id).to_owned()),
            ["devices", _, rest @ ..] if is_prefix(rest, endpoint) => Coverage::Device,
            _ => Coverage::Elsewhere,
        }
    }
}

fn names(segment: &str, device: &str) -> bool {
    segment == device || percent_decode_str(segment).decode_utf8().is_ok_and(|plain| plain == device)
}

fn is_prefix(rest: &[&str], endpoint: &[&str]) -> bool {
    rest.len() <= endpoint.len() && rest.iter().zip(endpoint).all(|(a, b)| a.eq_ignore_ascii_case(b))
}

fn field<'a>(fields: &'a str, name: &'static str) -> Result<Option<&'a str>, NotAToken> {
    let mut values =
        fields.split('&').filter_map(|field| field.split_once('=')).filter(|(key, _)| *key == name);
    let first = values.next().map(|(_, value)| value);
    match values.next() {
        Some(_) => Err(NotAToken::Twice(name)),
        None => Ok(first),
    }
}

fn decoded(name: &'static str, value: &str) -> Result<String, NotAToken> {
    let plain = percent_decode_str(value).decode_utf8();
    Ok(plain.map_err(|_| NotAToken::Unreadable(name, "percent-encoded UTF-8"))?.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::DEVELOPMENT_KEY;

    // Made with Python's hmac and urllib.parse, not with this module.
    const DEVICE_KEY: &str = "9pqC3BO7Iy9K1Lp3UsvfZZlNzUu7NrqR68Gfg2QBbO0=";
    const DEVICE_TOKEN: &str = "SharedAccessSignature sr=127.0.0.1%3A7072%2Fdevices%2Fsensor-1\
        &sig=uaEpsItkbF23Ar8AEl5h3q5KEkJSN%2FCd3SkZ79iPUnE%3D&se=4102444800";
    const LOWER_CASE_ESCAPES: &str = "SharedAccessSignature sr=127.0.0.1%3a7072%2fdevices%2fsensor-1\
        &sig=82joLMLCb7756AeyDvpHyQ9wzCtRtbf9FbUizPnfL4g%3D&se=4102444800";
    const POLICY_TOKEN: &str = "SharedAccessSignature sr=127.0.0.1%3A7072\
        &sig=9hu3k%2BfqbdY%2BRNeCwHDqlrKh0DL%2BAbSQYP7M%2BW5hE7M%3D&se=4102444800&skn=device";

    fn key(base64: &str) -> Key {
        Key::parse(base64).expect("base64")
    }

    fn token(text: &str) -> Token<'_> {
        Token::parse(text).expect("a token")
    }

    #[test]
    fn a_device_key_derives_as_group_enrolment_does() {
        assert_eq!(key(DEVELOPMENT_KEY).derive("sensor-1").to_base64(), DEVICE_KEY);
    }

    #[test]
    fn known_tokens_verify_and_only_with_their_own_key() {
        for (text, signer) in
            [(DEVICE_TOKEN, DEVICE_KEY), (LOWER_CASE_ESCAPES, DEVICE_KEY), (POLICY_TOKEN, DEVELOPMENT_KEY)]
        {
            assert!(token(text).is_signed_by(&key(signer)), "{text}");
            assert!(!token(text).is_signed_by(&key("AAAA")), "{text}");
        }
        assert!(!token(DEVICE_TOKEN).is_signed_by(&key(DEVELOPMENT_KEY)));
    }

    #[test]
    fn a_changed_resource_or_expiry_breaks_the_signature() {
        for (from, to) in [("sensor-1", "sensor-2"), ("%3A", "%3a"), ("4102444800", "4102444801")] {
            let changed = DEVICE_TOKEN.replace(from, to);
            assert!(!token(&changed).is_signed_by(&key(DEVICE_KEY)), "{changed}");
        }
    }

    #[test]
    fn fields_come_in_any_order() {
        let (head, fields) = POLICY_TOKEN.split_once(' ').expect("scheme");
        let backwards: Vec<&str> = fields.split('&').rev().collect();
        let text = format!("{head} {}", backwards.join("&"));
        assert!(token(&text).is_signed_by(&key(DEVELOPMENT_KEY)));
        assert_eq!(token(&text).policy.as_deref(), Some("device"));
    }

    #[test]
    fn an_empty_policy_name_is_none() {
        assert_eq!(token(&format!("{DEVICE_TOKEN}&skn=")).policy, None);
    }

    #[test]
    fn malformed_tokens_say_what_is_wrong() {
        let problem = |text: &str| Token::parse(text).err().map(|e| e.to_string());
        let says =
            |text: &str, expected: &str| assert_eq!(problem(text).as_deref(), Some(expected), "{text}");
        says("", "the token does not start with 'SharedAccessSignature'");
        says("Bearer abc", "the token does not start with 'SharedAccessSignature'");
        says("SharedAccessSignature sig=AA%3D%3D&se=1", "the token has no field 'sr'");
        says("SharedAccessSignature sr=h&se=1", "the token has no field 'sig'");
        says("SharedAccessSignature sr=h&sig=AAAA", "the token has no field 'se'");
        says("SharedAccessSignature sr=h&sig=!&se=1", "the token's field 'sig' is not base64");
        says(
            "SharedAccessSignature sr=h&sig=AAAA&se=soon",
            "the token's field 'se' is not a number of seconds",
        );
        says("SharedAccessSignature sr=h&sig=AAAA&se=1&se=2", "the token has the field 'se' twice");
        says(
            "SharedAccessSignature sr=h&sig=%FF&se=1",
            "the token's field 'sig' is not percent-encoded UTF-8",
        );
    }

    fn coverage(resource: &str, device: &str) -> Coverage {
        let text = format!("SharedAccessSignature sr={resource}&sig=AAAA&se=1");
        token(&text).resource().expect("readable").coverage(device, &["messages", "events"])
    }

    #[test]
    fn coverage_is_by_whole_segments() {
        assert_eq!(coverage("hub", "dev"), Coverage::Hub);
        assert_eq!(coverage("hub%2Fdevices", "dev"), Coverage::Hub);
        assert_eq!(coverage("hub%2Fdevices%2Fdev", "dev"), Coverage::Device);
        assert_eq!(coverage("hub/devices/dev/", "dev"), Coverage::Device);
        assert_eq!(coverage("hub/devices/dev/messages/events", "dev"), Coverage::Device);
        assert_eq!(coverage("hub/devices/dev", "dev-1"), Coverage::OtherDevice("dev".to_owned()));
        assert_eq!(coverage("hub/devices/DEV", "dev"), Coverage::OtherDevice("DEV".to_owned()));
        assert_eq!(coverage("hub/devices/dev/messages/even", "dev"), Coverage::Elsewhere);
        assert_eq!(coverage("hub/devices/dev/messages/events/more", "dev"), Coverage::Elsewhere);
        assert_eq!(coverage("hub/twins/dev", "dev"), Coverage::Elsewhere);
    }

    #[test]
    fn a_device_id_may_be_encoded_once_or_twice() {
        assert_eq!(coverage("hub%2Fdevices%2Fa.b%3Ac_d%40e%3Df", "a.b:c_d@e=f"), Coverage::Device);
        assert_eq!(coverage("hub%2Fdevices%2Fa.b%253Ac_d%2540e%253Df", "a.b:c_d@e=f"), Coverage::Device);
    }

    #[test]
    fn a_key_must_be_base64_and_not_empty() {
        assert!(Key::parse("not base64").is_none());
        assert!(Key::parse("").is_none());
        assert_eq!(format!("{:?}", key(DEVICE_KEY)), "Key(…)");
    }
}
