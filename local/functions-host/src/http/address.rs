//! The path of a call as the real host sees it, and as it hands it on. Pure.
//!
//! Its server decodes a path before anything looks at it (Kestrel, `PathNormalizer` and `UrlDecoder`), and the forwarded
//! address is made of the decoded one (azure-functions-host, `GetPathValue`: `new Uri(request.GetDisplayUrl())
//! .AbsolutePath`). So an encoded `#` or `?` ends the path there, and an encoded `\` becomes a slash. The rules of
//! `System.Uri` are restated from its documentation and source; no live host was asked.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// A path as the server decodes it: percent-encoding is undone once, except that of a slash and of what is not UTF-8, and
/// dot segments are resolved. `None` for a path with a NUL, which the server refuses.
pub(crate) fn decoded(path: &str) -> Option<String> {
    let mut text = String::new();
    let mut bytes: Vec<u8> = Vec::new();
    let mut rest = path;
    while let Some(first) = rest.chars().next() {
        match escape(rest) {
            Some(0) => return None,
            Some(byte) if byte != b'/' => {
                bytes.push(byte);
                rest = &rest[3..];
            }
            Some(_) => {
                flush(&mut bytes, &mut text);
                text.push_str(&rest[..3]);
                rest = &rest[3..];
            }
            None => {
                flush(&mut bytes, &mut text);
                text.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    flush(&mut bytes, &mut text);
    Some(without_dots(&text))
}

/// The path that the handler gets for a decoded one. Spaces at the end of an address without a query are lost.
pub(crate) fn forwarded(decoded: &str, has_query: bool) -> String {
    let address = if has_query { decoded } else { decoded.trim_end_matches([' ', '\t', '\r', '\n']) };
    // Read as an address, written, and read again.
    as_uri(&as_uri(address))
}

/// What `System.Uri` gives for the path of an address that goes on with this text.
fn as_uri(text: &str) -> String {
    let path = text.split(['?', '#']).next().unwrap_or_default().replace('\\', "/");
    let path = without_dots(&path);
    let (mut escaped, mut rest) = (String::new(), path.as_str());
    while let Some(first) = rest.chars().next() {
        let length = match escape(rest) {
            Some(byte) => {
                match is_unreserved(byte) {
                    true => escaped.push(char::from(byte)),
                    false => escaped.push_str(&rest[..3]),
                }
                3
            }
            None => {
                escaped.extend(utf8_percent_encode(&rest[..first.len_utf8()], ESCAPED));
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    escaped
}

/// What is escaped in a path: everything but unreserved characters, and delimiters other than `?` and `#`.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/')
    .remove(b':')
    .remove(b';')
    .remove(b'@')
    .remove(b'&')
    .remove(b'=')
    .remove(b'+')
    .remove(b'$')
    .remove(b',')
    .remove(b'!')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'[')
    .remove(b']');

fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// The byte of the escape that a text begins with.
fn escape(text: &str) -> Option<u8> {
    let digits = text.strip_prefix('%')?.get(..2)?;
    let are_digits = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    are_digits.then(|| u8::from_str_radix(digits, 16).ok())?
}

/// Appends bytes that were escaped: as text, and what is not UTF-8 as the escapes that it was.
fn flush(bytes: &mut Vec<u8>, text: &mut String) {
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("%{byte:02X}")));
    }
    bytes.clear();
}

/// RFC 3986, 5.2.4.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
        if is_last && matches!(segment, "." | "..") {
            kept.push("");
        }
    }
    kept.iter().flat_map(|segment| ["/", segment]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path that the handler gets for one that a client sent with a query.
    fn handed_on(path: &str) -> String {
        forwarded(&decoded(path).unwrap(), true)
    }

    #[test]
    fn the_server_decodes_all_but_slashes_and_what_is_no_text() {
        for (sent, seen) in [
            ("/api/a%20b", "/api/a b"),
            ("/API/%61pi", "/API/api"),
            ("/a%2Fb%2fc", "/a%2Fb%2fc"),
            ("/%C3%BC/%c3/%C3%28", "/ü/%C3/%C3("),
            ("/50%/%zz/%2", "/50%/%zz/%2"),
            ("/%252F", "/%2F"),
            ("/a/../b/./c", "/b/c"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/b/..", "/a/"),
            ("/../../a", "/a"),
            ("/a%5C..%5Cb", "/a\\..\\b"),
            ("/a//b/", "/a//b/"),
            ("/", "/"),
        ] {
            assert_eq!(decoded(sent).as_deref(), Some(seen), "{sent}");
        }
        assert_eq!(decoded("/a%00b"), None);
    }

    #[test]
    fn what_ends_an_address_ends_the_path_that_is_handed_on() {
        for (sent, gets) in [
            ("/api/subscriptions/geo:Rig%20%234", "/api/subscriptions/geo:Rig%20"),
            ("/api/subscriptions/geo:why%3F", "/api/subscriptions/geo:why"),
            ("/api/x/..%5C..%5CEnvironmentEventTrigger", "/EnvironmentEventTrigger"),
            ("/api/a%5Cb", "/api/a/b"),
            ("/api/devices/a%20b", "/api/devices/a%20b"),
            ("/api/x/geo%3AHay%2C%20%22WA%22%2F%C3%BC", "/api/x/geo:Hay,%20%22WA%22%2F%C3%BC"),
            ("/api/50%25", "/api/50%25"),
            ("/api/%252F", "/api/%2F"),
            ("/api/%2541", "/api/A"),
            ("/api/%252e%252e/x", "/x"),
            ("/api/%7B%7C%7D%5E%60%3C", "/api/%7B%7C%7D%5E%60%3C"),
            ("/api/[x]'()*!~", "/api/[x]'()*!~"),
            ("/api/x/", "/api/x/"),
        ] {
            assert_eq!(handed_on(sent), gets, "{sent}");
        }
    }

    #[test]
    fn spaces_at_the_end_of_an_address_are_lost() {
        assert_eq!(forwarded("/api/a ", false), "/api/a");
        assert_eq!(forwarded("/api/a ", true), "/api/a%20");
    }

    #[test]
    fn whatever_a_client_sends_the_handler_gets_a_plain_path() {
        // Every pair of odd pieces, which reach each rule beside each other.
        let pieces = [
            "a", "%", "%2", "%25", "%2e", "..", ".", "/", "%2F", "%5C", "%23", "%3F", "%C3", "%BC", "%20",
            "é",
        ];
        for first in pieces {
            for second in pieces {
                for third in pieces {
                    let path = format!("/api/{first}{second}{third}");
                    let Some(seen) = decoded(&path) else { panic!("{path} holds no NUL") };
                    let gets = forwarded(&seen, true);
                    assert!(gets.starts_with('/') && gets.is_ascii(), "{path}: {gets}");
                    assert!(!gets.contains(['?', '#', '\\', ' ']), "{path}: {gets}");
                    assert_eq!(as_uri(&gets), gets, "{path}: it is not read in another way");
                    assert!(gets.parse::<axum::http::Uri>().is_ok(), "{path}: {gets}");
                }
            }
        }
    }
}
