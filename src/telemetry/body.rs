//! Telemetry bodies: bytes of a device to readings, each accepted or rejected with its reason. Nothing here panics or
//! does I/O, and one bad reading of an array does not touch its neighbours.

mod advice;
mod decode;
mod draft;
mod enrichments;
mod object;
mod reading;
mod seen;
mod split;
mod units;
mod values;

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use self::advice::not_json;
use self::decode::{Declared, PADDING};
pub use self::enrichments::Enrichments;
pub use self::reading::Reading;
use self::reading::named;
use self::split::Part;
use crate::primitives::span::span_of;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::Catalogue;

/// One JSON object (or whatever stood in its place) of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its bytes within the body, or within its text where the body had to be unpacked or converted: see [`text_of`].
    pub span: Range<usize>,
    /// The reading, or why there is none.
    pub outcome: Result<Reading, Rejection>,
}

/// Reads a body: one JSON object, an array of them, or several one after the other, in any encoding of Unicode, compressed
/// or not. `encoding` is the message's `content-encoding`. `stamped` is the identity that the hub authenticated; only
/// without it is the body's own id believed.
pub fn read(body: &[u8], encoding: Option<&str>, stamped: Option<&str>, catalogue: &Catalogue) -> Vec<Found> {
    let declared = Declared::of(encoding);
    let whole = |length, outcome: Result<Reading, Rejection>| {
        let outcome = outcome.map_err(|rejection| named(remarked(rejection, &declared), stamped));
        vec![Found { span: 0..length, outcome }]
    };
    let text = match decode::text(body, &declared) {
        Ok(text) => text,
        Err(rejection) => return whole(body.len(), Err(rejection)),
    };
    let (bytes, most) = match &text {
        Cow::Borrowed(_) => (body, split::most_of_plain()),
        Cow::Owned(text) => (text.as_bytes(), split::most_of_packed(without_padding(body))),
    };
    let text = match text.as_bytes() {
        // Nothing around it, which is cheaper to see than to look for.
        [b'{' | b'[', .., b'}' | b']'] => &*text,
        _ => text.trim_matches(PADDING),
    };
    let mut as_one = None;
    if text.starts_with('{') && !split::is_too_deep(text) {
        match read_one(text, stamped, catalogue) {
            // Several of them, perhaps.
            Err(rejection) if rejection.reason == Reason::Unreadable => as_one = Some(rejection),
            outcome => return whole(bytes.len(), outcome),
        }
    }
    let found = |part: Part<'_>| {
        let outcome = match part.rejection {
            Some(rejection) => Err(named(rejection, stamped)),
            None => read_one(part.text, stamped, catalogue),
        };
        Found { span: span_of(part.text, bytes), outcome }
    };
    match parts(text, most, as_one) {
        Ok(parts) => parts.into_iter().map(found).collect(),
        Err(rejection) => whole(bytes.len(), Err(rejection)),
    }
}

/// The bytes that the spans of [`read`] lie in: the text of a body that had to be unpacked or converted, otherwise the body.
pub fn text_of<'b>(body: &'b [u8], encoding: Option<&str>) -> Cow<'b, [u8]> {
    match decode::text(body, &Declared::of(encoding)) {
        Ok(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
        Ok(Cow::Borrowed(_)) | Err(_) => Cow::Borrowed(body),
    }
}

/// The parts of a text, or why it is rejected as a whole. `as_one` is why it is not one reading, where that was tried: it
/// says more than what splitting found.
fn parts(text: &str, most: usize, as_one: Option<Rejection>) -> Result<Vec<Part<'_>>, Rejection> {
    match split::split(text, most) {
        Ok(mut parts) if parts.len() == 1 => {
            let alone = &mut parts[0];
            let tried = as_one.filter(|_| alone.text == text || alone.rejection.is_some());
            match tried.or_else(|| alone.rejection.take()) {
                Some(rejection) => Err(rejection),
                None => Ok(parts),
            }
        }
        Ok(parts) => Ok(parts),
        Err(too_many) if too_many.reason == Reason::TooMany => Err(too_many),
        Err(rejection) => Err(as_one.unwrap_or(rejection)),
    }
}

/// How long a body is without the NULs that firmware leaves behind it.
fn without_padding(body: &[u8]) -> usize {
    body.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1)
}

/// An unreadable body may be one in an encoding that is not read here.
fn remarked(mut rejection: Rejection, declared: &Declared<'_>) -> Rejection {
    if rejection.reason == Reason::Unreadable
        && let Some(remark) = declared.remark()
    {
        rejection.detail = format!("{}; {remark}", rejection.detail);
    }
    rejection
}

fn read_one(text: &str, stamped: Option<&str>, catalogue: &Catalogue) -> Result<Reading, Rejection> {
    if !text.trim_ascii_start().starts_with('{') {
        let rejection = match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Rejection::new(Reason::WrongType, "a reading must be a JSON object"),
            Err(error) => Rejection::new(Reason::Unreadable, not_json(text, &error)),
        };
        return Err(named(rejection, stamped));
    }
    let draft = object::read(text, stamped.is_some(), catalogue)
        .map_err(|error| named(Rejection::new(Reason::Unreadable, not_json(text, &error)), stamped))?;
    draft.into_reading(stamped, text)
}

#[cfg(test)]
mod tests;
