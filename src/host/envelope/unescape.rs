//! JSON strings unescaped where they stand: an escape is never shorter than what it stands for, so the text only moves
//! towards the front and needs no second buffer.

use memchr::memchr;

/// An escape that JSON does not have, or half a surrogate pair.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid escape or lone surrogate at byte {at} of a JSON string")]
pub(super) struct BadEscape {
    at: usize,
}

/// Unescapes the inside of a JSON string and returns how long it is now. What lies behind that is left-over text.
pub(super) fn unescape(text: &mut [u8]) -> Result<usize, BadEscape> {
    let Some(first) = memchr(b'\\', text) else { return Ok(text.len()) };
    let (mut read, mut written) = (first, first);
    while read < text.len() {
        let escape = Escape::read(&text[read..]).ok_or(BadEscape { at: read })?;
        read += escape.length;
        written += escape.means.encode_utf8(&mut text[written..]).len();
        let run = memchr(b'\\', &text[read..]).unwrap_or(text.len() - read);
        text.copy_within(read..read + run, written);
        read += run;
        written += run;
    }
    Ok(written)
}

/// One escape sequence.
struct Escape {
    means: char,
    length: usize,
}

impl Escape {
    /// Reads the escape at the start of `text`, which is a backslash.
    fn read(text: &[u8]) -> Option<Escape> {
        let short = |means| Some(Escape { means, length: 2 });
        match text.get(1)? {
            b'"' => short('"'),
            b'\\' => short('\\'),
            b'/' => short('/'),
            b'b' => short('\u{8}'),
            b'f' => short('\u{c}'),
            b'n' => short('\n'),
            b'r' => short('\r'),
            b't' => short('\t'),
            b'u' => Escape::unicode(text),
            _ => None,
        }
    }

    fn unicode(text: &[u8]) -> Option<Escape> {
        let first = unit(text)?;
        if let Some(means) = char::from_u32(first) {
            return Some(Escape { means, length: 6 });
        }
        let second = unit(&text[6..])?;
        let is_pair = (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second);
        let point = is_pair.then(|| 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))?;
        Some(Escape { means: char::from_u32(point)?, length: 12 })
    }
}

/// The UTF-16 unit of the `\uXXXX` at the start of `text`.
fn unit(text: &[u8]) -> Option<u32> {
    let digits = text.strip_prefix(b"\\u")?.get(..4)?;
    let digit = |&byte: &u8| char::from(byte).to_digit(16);
    digits.iter().try_fold(0, |unit, byte| Some(unit << 4 | digit(byte)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unescaped(inside: &str) -> Option<String> {
        let mut text = inside.as_bytes().to_vec();
        let length = unescape(&mut text).ok()?;
        Some(String::from_utf8(text[..length].to_vec()).unwrap())
    }

    fn by_serde_json(inside: &str) -> Option<String> {
        serde_json::from_str(&format!("\"{inside}\"")).ok()
    }

    #[test]
    fn what_other_serialisers_escape_is_read() {
        for (inside, expected) in [
            (r"a\u002Bb\/c\u003d", "a+b/c="),
            (r#"\"\\\b\f\n\r\t"#, "\"\\\u{8}\u{c}\n\r\t"),
            (r"\ud83d\uDE00 and \u00fc", "\u{1f600} and ü"),
            ("plain", "plain"),
            ("", ""),
        ] {
            assert_eq!(unescaped(inside).as_deref(), Some(expected), "{inside}");
        }
    }

    #[test]
    fn what_is_no_escape_is_refused_with_its_place() {
        for inside in [r"ab\", r"ab\x", r"ab\u12", r"ab\u12g4", r"ab\ud800", r"ab\ud800\u0041", r"ab\udc00"] {
            assert_eq!(unescape(&mut inside.as_bytes().to_vec()), Err(BadEscape { at: 2 }), "{inside}");
            assert_eq!(by_serde_json(inside), None, "{inside}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back(text: String) {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(unescaped(&json[1..json.len() - 1]), Some(text));
        }

        #[test]
        fn any_mixture_of_escapes_is_read_as_serde_json_reads_it(
            inside in r#"([a-zü\u{1f600}]{0,9}(\\["\\/bfnrt]|\\u[0-9a-fA-F]{4}|\\u[dD][89aA][0-9]{2}(\\u[dD][c-fC-F][0-9]{2})?|\\[a-z0-9])?){0,12}"#
        ) {
            prop_assert_eq!(unescaped(&inside), by_serde_json(&inside));
        }
    }
}
