//! Random identifiers in the form the host uses: 32 lower-case hex digits in five groups.

use std::fmt;

/// A version 4 UUID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guid(pub(crate) u128);

impl Guid {
    pub(crate) fn random() -> Guid {
        let version = (rand::random::<u128>() & !(0xf << 76)) | (4 << 76);
        Guid((version & !(0b11 << 62)) | (0b10 << 62))
    }
}

impl fmt::Display for Guid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:032x}", self.0);
        let [a, b, c, d, e] = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        write!(formatter, "{a}-{b}-{c}-{d}-{e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_guid_shows_its_version_and_variant() {
        let text = Guid::random().to_string();
        assert_eq!(text.len(), 36);
        assert_eq!(&text[14..15], "4");
        assert!("89ab".contains(&text[19..20]), "{text}");
        assert_ne!(Guid::random(), Guid::random());
    }
}
