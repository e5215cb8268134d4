//! The version of a stored row, as the store names it.

use std::fmt;

use crate::Invalid;

/// The version of a stored row: opaque, compared by the store only.
///
/// It says nothing without the row: rows that were written in one transaction can share one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Etag(String);

impl Etag {
    /// Takes an etag that was kept as text.
    ///
    /// # Errors
    /// [`Invalid::Etag`] if it is not a quoted text (RFC 9110, 8.8.3). That also excludes `*`, which would
    /// make a write unconditional.
    pub fn new(text: impl Into<String>) -> Result<Etag, Invalid> {
        let text = text.into();
        let quoted = text.strip_prefix("W/").unwrap_or(&text);
        let inner = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match inner {
            Some(inner) if inner.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"') => {
                Ok(Etag(text))
            }
            _ => Err(Invalid::Etag),
        }
    }

    /// The etag of a version that a number names.
    pub(crate) fn of_number(number: u64) -> Etag {
        Etag(format!("\"{number}\""))
    }

    /// The text as the store gave it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etag_of_the_service_is_kept_as_it_is() {
        let text = "W/\"datetime'2021-06-04T21%3A59%3A49.8959106Z'\"";
        assert_eq!(Etag::new(text).unwrap().as_str(), text);
        assert!(Etag::new("\"strong\"").is_ok());
    }

    #[test]
    fn wildcard_and_header_injection_are_not_etags() {
        for text in ["*", "", "\"", "W/", "W/*", "\"a\r\nIf-Match: *\"", "\"a\"b\"", "\"ä\""] {
            assert_eq!(Etag::new(text), Err(Invalid::Etag), "{text:?}");
        }
    }
}
