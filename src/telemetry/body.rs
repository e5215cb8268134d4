//! Telemetry bodies: bytes of a device to readings, each accepted or rejected with its reason. Nothing here panics or
//! does I/O, and one bad reading of an array does not touch its neighbours.

mod draft;
mod enrichments;
mod object;
mod reading;
mod seen;
mod units;
mod values;

use std::ops::Range;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub use self::enrichments::Enrichments;
pub use self::reading::Reading;
use self::reading::named;
use crate::primitives::span::span_of;
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::Catalogue;

/// Nesting that is read; Json.NET, which the Functions host uses, stops at 64 as well.
const DEEPEST: usize = 64;
/// Readings in one body. The shortest useful one, `{"light":5}`, fits 21,000 times into IoT Hub's 256 KB; what has more is
/// an array of something else, and each rejected element would cost a row.
const MOST_READINGS: usize = 20_000;

/// One JSON object (or whatever stood in its place) of a body.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its bytes within the body.
    pub span: Range<usize>,
    /// The reading, or why there is none.
    pub outcome: Result<Reading, Rejection>,
}

/// Reads a body: one JSON object or an array of them. `stamped` is the identity that the hub authenticated; only
/// without it is the body's own id believed.
pub fn read(body: &[u8], stamped: Option<&str>, catalogue: &Catalogue) -> Vec<Found> {
    let whole = |rejection| vec![Found { span: 0..body.len(), outcome: Err(named(rejection, stamped)) }];
    let text = match readable(body) {
        Ok(text) => text,
        Err(rejection) => return whole(rejection),
    };
    let one = |text: &str| read_one(text, stamped, catalogue);
    match text.trim_ascii_start().as_bytes().first() {
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(elements) if elements.is_empty() => {
                whole(Rejection::new(Reason::Unreadable, "the array is empty"))
            }
            Ok(elements) if elements.len() > MOST_READINGS => {
                let found = elements.len();
                whole(Rejection::new(
                    Reason::TooMany,
                    format!("{found} readings in one body, at most {MOST_READINGS}"),
                ))
            }
            Ok(elements) => elements
                .iter()
                .map(|raw| Found { span: span_of(raw.get(), body), outcome: one(raw.get()) })
                .collect(),
            Err(error) => whole(Rejection::new(Reason::Unreadable, format!("the body is not JSON: {error}"))),
        },
        _ => vec![Found { span: 0..body.len(), outcome: one(text) }],
    }
}

/// The body as text: UTF-8, a byte order mark dropped, not empty, not nested beyond reason.
fn readable(body: &[u8]) -> Result<&str, Rejection> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = std::str::from_utf8(body).map_err(|error| {
        Rejection::new(
            Reason::Unreadable,
            format!("the body is not UTF-8 from byte {} on", error.valid_up_to()),
        )
    })?;
    if text.trim_ascii().is_empty() {
        return Err(Rejection::new(Reason::Unreadable, "the body is empty"));
    }
    if nested_too_deep(body) {
        return Err(Rejection::new(
            Reason::Unreadable,
            format!("the body is nested deeper than {DEEPEST} levels"),
        ));
    }
    Ok(text)
}

/// Counts open brackets outside strings. Most bodies have few brackets at all, which one cheap count settles.
fn nested_too_deep(body: &[u8]) -> bool {
    if body.iter().filter(|&&byte| matches!(byte, b'[' | b'{')).count() <= DEEPEST {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    body.iter().any(|&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => depth += 1,
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEEPEST
    })
}

fn read_one(text: &str, stamped: Option<&str>, catalogue: &Catalogue) -> Result<Reading, Rejection> {
    if !text.trim_ascii_start().starts_with('{') {
        let rejection = match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Rejection::new(Reason::WrongType, "a reading must be a JSON object"),
            Err(error) => Rejection::new(Reason::Unreadable, format!("the body is not JSON: {error}")),
        };
        return Err(named(rejection, stamped));
    }
    let draft = object::read(text, stamped.is_some(), catalogue).map_err(|error| {
        named(Rejection::new(Reason::Unreadable, format!("the body is not JSON: {error}")), stamped)
    })?;
    draft.into_reading(stamped, text)
}

#[cfg(test)]
mod tests;
