//! The event bodies of a `Data` value, decoded where they stand: every level is opened in the request's own memory, and
//! what is left of a body is a range of it.

use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;

use super::level::{open, read};
use crate::primitives::span::span_of;

/// Finds the bodies of a native array or object, or of JSON text inside a string. An event that is neither is base64
/// (`dataType` binary with `cardinality` one).
pub(super) fn find(request: &mut [u8], value: Range<usize>) -> Result<Vec<Range<usize>>, String> {
    let inner = open(request, value)?;
    let mut decoder = Decoder { request, scratch: Vec::new() };
    let text = &decoder.request[inner.clone()];
    match (text.first(), text.trim_ascii_start().first()) {
        (_, Some(b'[')) => {
            let elements: Vec<&RawValue> = read(text)?;
            let spans: Vec<_> = elements.iter().map(|raw| span_of(raw.get(), decoder.request)).collect();
            spans.into_iter().map(|element| decoder.element(element)).collect()
        }
        (Some(b'"'), _) => {
            let string: &RawValue = read(text)?;
            let span = span_of(string.get(), decoder.request);
            Ok(vec![decoder.element(span)?])
        }
        (_, Some(b'{' | b'"')) => Ok(vec![inner]),
        (_, Some(_)) if text != b"null" => Ok(vec![decoder.text(inner)]),
        _ => Err("it is empty".to_owned()),
    }
}

/// Decodes single events.
struct Decoder<'a> {
    request: &'a mut [u8],
    /// Holds one decoded body until it is known to be base64 to its end. Only then may it replace the text.
    scratch: Vec<u8>,
}

impl Decoder<'_> {
    /// One event of an array: a string (base64 or the text itself) or, without `dataType`, the parsed JSON.
    fn element(&mut self, raw: Range<usize>) -> Result<Range<usize>, String> {
        match &self.request[raw.clone()] {
            [b'"', ..] => {
                let inside = open(self.request, raw)?;
                Ok(self.text(inside))
            }
            b"null" => Ok(raw.start..raw.start),
            _ => Ok(raw),
        }
    }

    /// Telemetry that can be counted starts with `{` or `[`, which are no base64 characters, so the two cannot be
    /// confused.
    fn text(&mut self, text: Range<usize>) -> Range<usize> {
        self.scratch.clear();
        match STANDARD.decode_vec(&self.request[text.clone()], &mut self.scratch) {
            Ok(()) => {
                let body = text.start..text.start + self.scratch.len();
                self.request[body.clone()].copy_from_slice(&self.scratch);
                body
            }
            Err(_) => text,
        }
    }
}
