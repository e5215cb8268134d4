//! Upstream calls: proves that a request to the application was made by the service.

use hmac::Mac;

use crate::endpoint::Endpoint;

/// The signature does not belong to this endpoint and connection: answer 401.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("upstream signature does not match")]
pub struct InvalidSignature;

impl Endpoint {
    /// Checks `X-ASRS-Signature` against `X-ASRS-Connection-Id`, both as received with an upstream call.
    ///
    /// The header holds one `sha256=<hex>` for each access key of the service; one match suffices, and each is
    /// compared in constant time. The signature covers the connection id only, not the body.
    ///
    /// # Errors
    /// [`InvalidSignature`] when none matches.
    pub fn verify_upstream(&self, connection_id: &str, signatures: &str) -> Result<(), InvalidSignature> {
        let expected = self.key().hash(connection_id.as_bytes());
        let matches = |signature: [u8; 32]| expected.clone().verify_slice(&signature).is_ok();
        let found = signatures.split(',').filter_map(signature_bytes).any(matches);
        if found { Ok(()) } else { Err(InvalidSignature) }
    }
}

fn signature_bytes(text: &str) -> Option<[u8; 32]> {
    let hex = text.trim().strip_prefix("sha256=")?.as_bytes();
    let (pairs, []) = hex.as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> =
        pairs.iter().map(|&[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    bytes?.try_into().ok()
}

fn digit(hex: u8) -> Option<u8> {
    char::from(hex).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIMARY: &str = "sha256=b78b1b6698ef4c26adacc16537e1940bf816254465275d2dc5cd8bafea0506e1";
    const SECONDARY: &str = "sha256=5276ac6dab77855a927a5441713a7b59da7e5595b24adcf6355422174be8663f";

    fn verify(connection_id: &str, signatures: &str) -> Result<(), InvalidSignature> {
        let text = "Endpoint=https://h;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH";
        Endpoint::parse(text).expect("a good string").verify_upstream(connection_id, signatures)
    }

    #[test]
    fn a_signature_by_either_key_of_the_service_is_enough() {
        assert_eq!(verify("conn-0001", PRIMARY), Ok(()));
        assert_eq!(verify("conn-0001", &format!("{SECONDARY}, {PRIMARY}")), Ok(()));
        assert_eq!(verify("conn-0001", &PRIMARY.to_uppercase().replace("SHA256", "sha256")), Ok(()));
    }

    #[test]
    fn anything_else_is_refused() {
        let cut = &PRIMARY[..PRIMARY.len() - 2];
        for signatures in ["", "sha256=", SECONDARY, cut, &format!("{PRIMARY}00"), &PRIMARY[7..], "sha256=é"]
        {
            assert_eq!(verify("conn-0001", signatures), Err(InvalidSignature), "{signatures}");
        }
        assert_eq!(verify("conn-0002", PRIMARY), Err(InvalidSignature));
    }
}
