//! Areas: which texts can be one. What telemetry accepts is offered by pages and followed as a group, so both go by this.

/// The most bytes of an area as it stands in an address, percent-encoded. An address is also part of the token that goes
/// with it, of which the SignalR service takes 4,096 characters.
const LONGEST: usize = 2_000;

/// Why a text is no area, in words that follow its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AreaError {
    /// Nothing, or only white space.
    #[error("is blank")]
    Blank,
    /// More than anybody calls an area.
    #[error("takes {0} bytes percent-encoded, at most {LONGEST} are allowed")]
    Long(usize),
    /// Line breaks and the like, which the SignalR service does not take, and what XML has no place for.
    #[error("has control characters")]
    Forbidden,
}

/// Checks a text that has to be an area.
pub(crate) fn check(text: &str) -> Result<(), AreaError> {
    match encoded_length(text) {
        _ if text.trim().is_empty() => Err(AreaError::Blank),
        length if length > LONGEST => Err(AreaError::Long(length)),
        _ if text.contains(is_forbidden) => Err(AreaError::Forbidden),
        _ => Ok(()),
    }
}

/// The area that a device gave, where a blank one counts as none.
pub(crate) fn given(text: String) -> Result<Option<String>, AreaError> {
    match check(&text) {
        Ok(()) => Ok(Some(text)),
        Err(AreaError::Blank) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_forbidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}')
}

fn encoded_length(text: &str) -> usize {
    let stays = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if stays(byte) { 1 } else { 3 }).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_area_is_a_text_that_can_be_followed() {
        let longest = "ü".repeat(LONGEST / 6) + "ab";
        for area in ["Sydney", " N/S: ü", "all", "a,b", "\u{fffd}", &longest] {
            assert_eq!(check(area), Ok(()), "{area}");
            assert_eq!(given(area.to_owned()), Ok(Some(area.to_owned())), "{area}");
        }
        for (text, error) in [
            ("", AreaError::Blank),
            (" \t\n\u{a0}", AreaError::Blank),
            ("a\nb", AreaError::Forbidden),
            ("\u{0}", AreaError::Forbidden),
            ("a\u{ffff}", AreaError::Forbidden),
            (&format!("{longest}c"), AreaError::Long(LONGEST + 1)),
        ] {
            assert_eq!(check(text), Err(error), "{text:?}");
        }
        assert_eq!(given(" \t".to_owned()), Ok(None));
        assert_eq!(given("a\nb".to_owned()), Err(AreaError::Forbidden));
    }
}
