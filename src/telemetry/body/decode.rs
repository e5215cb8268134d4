//! A body's bytes as text: unpacked where they are compressed, and read in the encoding that they are in.
//!
//! The bytes decide, not their label. JSON begins with an ASCII character, so its encoding shows in the pattern of its NULs
//! (RFC 4627, section 3), and no JSON begins as a gzip or zlib stream does. `content-encoding` says what to try where the
//! bytes leave it open, and what to name when nothing helped.

mod declared;
mod foreign;
mod unpack;
mod wide;

use std::borrow::Cow;

pub(super) use self::declared::Declared;
use self::unpack::unpacked;
use self::wide::Wide;
use crate::rejected::reading::{Reason, Rejection};

/// What firmware that sends its whole buffer leaves around the text, and what JSON calls white space.
pub(super) const PADDING: [char; 5] = ['\0', ' ', '\t', '\r', '\n'];

const UTF_8_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text of a body without a byte order mark; padding is still around it. Borrowed where the body is UTF-8.
pub(super) fn text<'b>(body: &'b [u8], declared: &Declared<'_>) -> Result<Cow<'b, str>, Rejection> {
    // Nearly every body. Neither gzip nor zlib nor JSON in wider characters can begin like this; raw deflate can.
    let is_usual = matches!(body, [b'{' | b'[', 1..=0xff, ..]);
    if is_usual && !declared.is_deflate() {
        return utf8(body).map(Cow::Borrowed);
    }
    match unpacked(body, declared).map_err(unreadable)? {
        Some(unpacked) => {
            let text = plain(&unpacked, declared)?.into_owned();
            Ok(Cow::Owned(text))
        }
        None => plain(body, declared),
    }
}

/// The text of bytes that are not compressed.
fn plain<'b>(bytes: &'b [u8], declared: &Declared<'_>) -> Result<Cow<'b, str>, Rejection> {
    let wide = wide::seen(bytes).or_else(|| declared.wide().filter(|_| !begins_as_utf8(bytes)));
    match wide {
        Some(wide) => wide::text(bytes, wide).map(Cow::Owned).map_err(unreadable),
        None => utf8(bytes).map(Cow::Borrowed),
    }
}

/// JSON in UTF-8 does, with a byte order mark or padding before it or not.
fn begins_as_utf8(bytes: &[u8]) -> bool {
    let is_padding = |byte: &&u8| PADDING.contains(&char::from(**byte));
    let mut first = bytes.iter().skip_while(is_padding).take(2).copied();
    bytes.starts_with(UTF_8_MARK)
        || matches!((first.next(), first.next()), (Some(..0x80), None | Some(1..0x80)) | (None, _))
}

fn utf8(bytes: &[u8]) -> Result<&str, Rejection> {
    let bytes = bytes.strip_prefix(UTF_8_MARK).unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| unreadable(foreign::describe(bytes, error.valid_up_to())))
}

fn unreadable(detail: String) -> Rejection {
    Rejection::new(Reason::Unreadable, detail)
}
