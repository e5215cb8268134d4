//! Shared access signatures, as devices send them to IoT Hub (Microsoft: "Control access to IoT Hub using shared
//! access signatures").

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

/// The characters that are not encoded: those of `encodeURIComponent`, without the ones that signatures need encoded.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A key as raw bytes. It has no `Debug` and no `Display`.
#[derive(Clone)]
pub(crate) struct Key(Vec<u8>);

impl Key {
    /// `None` when `text` is not base64.
    pub(crate) fn from_base64(text: &str) -> Option<Key> {
        STANDARD.decode(text).ok().map(Key)
    }

    fn sign(&self, message: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(message.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// The token for `resource` (not yet encoded) until `expiry`, in seconds of the Unix epoch; with `policy` if the key
/// belongs to a policy and not to the device.
pub(crate) fn token(resource: &str, key: &Key, policy: Option<&str>, expiry: u64) -> String {
    let resource = encoded(resource);
    let signature = encoded(&key.sign(&format!("{resource}\n{expiry}")));
    let policy = policy.map(|name| format!("&skn={}", encoded(name))).unwrap_or_default();
    format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}{policy}")
}

/// `text` as one percent-encoded path segment or query value.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected signatures come from Python's hmac, hashlib and urllib.parse, not from this code.

    #[test]
    fn a_device_token_is_as_another_implementation_makes_it() {
        let key = Key::from_base64("ZmllbGRjYXN0").expect("base64");
        assert_eq!(
            token("hub.example/devices/sensor-1", &key, None, 1_800_000_000),
            "SharedAccessSignature sr=hub.example%2Fdevices%2Fsensor-1&sig=vJ3OkyhqwdLMmdht9oPnlzCnWKkC1XLEOIrrON2kTsA%3D&se=1800000000"
        );
    }

    #[test]
    fn a_policy_token_names_the_policy() {
        let key = Key::from_base64("ZmllbGRjYXN0").expect("base64");
        assert_eq!(
            token("127.0.0.1:7072/devices/a%2Bb", &key, Some("device"), 1_800_000_000),
            "SharedAccessSignature sr=127.0.0.1%3A7072%2Fdevices%2Fa%252Bb&sig=%2B%2BI%2FdFOTduyIgpW5ln9eWRvmhDQlE2hSgscZV9b5478%3D&se=1800000000&skn=device"
        );
    }

    #[test]
    fn a_key_that_is_not_base64_is_refused() {
        assert!(Key::from_base64("not base64!").is_none());
    }
}
