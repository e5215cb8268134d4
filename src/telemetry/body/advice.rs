//! What is wrong with a text that is not JSON, as a sentence that says what to send instead: the parser knows what it
//! expected, and what people write in its place is known as well.

use serde_json::Error;

/// Bytes of a word that are repeated; it comes from outside.
const SHOWN: usize = 40;

/// Why a text is not JSON, given where the parser stopped.
pub(super) fn not_json(text: &str, error: &Error) -> String {
    if let Some(advice) = kind(text) {
        return format!("the body is not JSON: {advice}");
    }
    match near(text, offset(text, error), error) {
        Some(advice) => {
            format!("the body is not JSON: {advice} (line {} column {})", error.line(), error.column())
        }
        None => format!("the body is not JSON: {error}"),
    }
}

/// What a text is as a whole that does not begin as a reading.
fn kind(text: &str) -> Option<&'static str> {
    let text = text.trim_ascii_start();
    let bytes = text.as_bytes();
    let begins = |word: &str| text.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    match bytes.first()? {
        b'{' | b'[' => None,
        b'<' if begins("<!doctype html") || begins("<html") => Some("it is HTML"),
        b'<' => Some("it is XML or HTML"),
        b'b' if begins("b'") || begins("b\"") => {
            Some("it is Python's notation of bytes: send the bytes themselves, not their `str()`")
        }
        _ if ["eyJ", "eyA", "ewo", "ew0", "W3s"].iter().any(|word| text.starts_with(word)) => {
            Some("it is base64: send the JSON itself")
        }
        _ if bytes.len() >= 8 && bytes.iter().all(u8::is_ascii_hexdigit) => {
            Some("it looks like bytes in hexadecimal digits: send a JSON object")
        }
        _ if is_decimal_comma(text) => {
            Some("it is a number with a comma: send an object, and a dot in the number")
        }
        b'0'..=b'9' | b'-' if text.contains([',', ';', '\t']) && !text.contains('{') => {
            Some("it looks like comma-separated values: send an object with a name for each value")
        }
        _ if is_form(text) => Some("it looks like a form or a query (`name=value`): send a JSON object"),
        _ => None,
    }
}

fn is_decimal_comma(text: &str) -> bool {
    let is_whole = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    unsigned.trim_ascii_end().split_once(',').is_some_and(|(whole, part)| is_whole(whole) && is_whole(part))
}

fn is_form(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
    })
}

/// The byte at which the parser stopped. It counts lines from 1, and in them bytes from 1.
fn offset(text: &str, error: &Error) -> usize {
    let lines = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let before: usize = lines.map(str::len).sum();
    (before + error.column().saturating_sub(1)).min(text.len())
}

/// What stands where the parser stopped.
fn near(text: &str, at: usize, error: &Error) -> Option<String> {
    let bytes = text.as_bytes();
    let (before, behind) = (bytes[..at].trim_ascii_end(), &bytes[at..]);
    let here = behind.first().copied();
    if error.to_string().starts_with("control character") {
        let advice = "a text has a line end or another control character in it: write it as \\n or \\u00XX";
        return Some(advice.to_owned());
    }
    if here == Some(0) {
        return Some(format!(
            "there are more bytes behind the NUL at byte {at}: send the text alone, not the whole buffer"
        ));
    }
    if error.is_eof() {
        return Some("it ends too early, as if it were cut off".to_owned());
    }
    let (word, next) = word(text, at);
    word_advice(word, next, before).or_else(|| sign_advice(here, before, behind))
}

/// The word around a place, and the first byte behind it that is no space. Words are what people write without quotes:
/// names, and numbers of many kinds.
fn word(text: &str, at: usize) -> (&str, Option<u8>) {
    let bytes = text.as_bytes();
    let is_part =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.' | b'$');
    let start = at - bytes[..at].iter().rev().take_while(|byte| is_part(byte)).count();
    let end = at + bytes[at..].iter().take_while(|byte| is_part(byte)).count();
    let next = bytes[end..].trim_ascii_start().first().copied();
    // The parser stops at bytes; in the middle of a character there is no word.
    (text.get(start..end).unwrap_or_default(), next)
}

/// `before` is what stands in front of the place where the parser stopped, which may be inside the word.
fn word_advice(word: &str, next: Option<u8>, before: &[u8]) -> Option<String> {
    let shown = &word[..word.len().min(SHOWN)];
    let unsigned = word.trim_start_matches(['+', '-']).to_ascii_lowercase();
    let first = *unsigned.as_bytes().first()?;
    if first.is_ascii_alphabetic() || first == b'_' || first == b'$' {
        return match &*unsigned {
            _ if matches!(next, Some(b':' | b'=')) => {
                Some(format!("the name `{shown}` must be in double quotes"))
            }
            "nan" | "inf" | "infinity" | "1.#qnan" => Some(format!("`{shown}` is no JSON number: send null")),
            "none" | "null" | "nil" | "undefined" | "na" => Some(format!("`{shown}` is not JSON: send null")),
            "true" | "false" => Some(format!("`{shown}` is not JSON: send {unsigned}")),
            _ => Some(format!("`{shown}` is not JSON: texts must be in double quotes")),
        };
    }
    let whole = before.strip_suffix(b",").unwrap_or_default();
    let digits = whole.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 && first.is_ascii_digit() {
        let whole = String::from_utf8_lossy(&whole[whole.len() - digits.min(SHOWN)..]);
        return Some(format!("the decimal sign of JSON is a dot: send {whole}.{shown}, not {whole},{shown}"));
    }
    let is_number = word.parse::<f64>().is_ok();
    match word {
        _ if word.starts_with('+') => Some(format!("`{shown}` is no JSON number: it must not begin with +")),
        _ if unsigned.starts_with('.') => {
            Some(format!("`{shown}` is no JSON number: write a 0 before the dot"))
        }
        _ if unsigned.ends_with('.') => {
            Some(format!("`{shown}` is no JSON number: write a digit behind the dot"))
        }
        _ if unsigned.starts_with('0') && unsigned.len() > 1 && is_number && !unsigned.starts_with("0.") => {
            Some(format!("`{shown}` is no JSON number: it must not begin with 0"))
        }
        _ if !is_number => Some(format!("`{shown}` is no JSON number")),
        _ => None,
    }
}

/// A sign that does not belong there.
fn sign_advice(here: Option<u8>, before: &[u8], behind: &[u8]) -> Option<String> {
    let last = before.last().copied();
    let advice = match (here?, last) {
        (b'\'' | b'`', _) => "names and texts must be in double quotes, not in single ones",
        (0xe2, _)
            if [b"\xe2\x80\x9c", b"\xe2\x80\x9d", b"\xe2\x80\x98", b"\xe2\x80\x99"]
                .iter()
                .any(|quote| behind.starts_with(*quote)) =>
        {
            "names and texts must be in straight double quotes, not in typographic ones"
        }
        (b'/' | b'#', _) => "JSON has no comments",
        (b'}' | b']', Some(b',')) => "there is a comma too many before the end of an object or array",
        (b',', Some(b',' | b'{' | b'[')) => "there is a comma too many",
        (b',', Some(b'}' | b']')) if behind[1..].trim_ascii_start().starts_with(b"{") => {
            "several objects with commas between them must be in an array: [{…},{…}]"
        }
        (b'}' | b']', Some(b'}' | b']')) => "there is a closing bracket too many, or of the wrong kind",
        (b'}' | b',', Some(b':')) => "there is no value behind a name: send null",
        (b'=', _) => "a colon must stand between a name and its value",
        (b';', _) => "members must have commas between them",
        (0..0x20, _) => {
            "a text has a line end or another control character in it: write it as \\n or \\u00XX"
        }
        _ => return None,
    };
    Some(advice.to_owned())
}

#[cfg(test)]
mod tests;
