//! One level of wrapping: a value that stands as itself or as JSON text inside a string, which is unescaped in place.

use std::ops::Range;

use serde::de::{Deserialize, IgnoredAny};

use super::unescape::unescape;

/// Where the JSON of a value is, after the string around it, if there is one, has been unescaped.
pub(super) fn open(request: &mut [u8], value: Range<usize>) -> Result<Range<usize>, String> {
    if request[value.start] != b'"' {
        return Ok(value);
    }
    let inside = value.start + 1..value.end - 1;
    let length = unescape(&mut request[inside.clone()]).map_err(|error| error.to_string())?;
    Ok(inside.start..inside.start + length)
}

/// As [`open`], for a value that may also be a plain string: what is no JSON inside, or `null`, stays as it is.
pub(super) fn open_if_json(request: &mut [u8], value: Range<usize>) -> Result<Range<usize>, String> {
    let inner = serde_json::from_slice::<String>(&request[value.clone()]).ok();
    let is_json = |inner: &String| inner != "null" && serde_json::from_str::<IgnoredAny>(inner).is_ok();
    match inner.filter(is_json) {
        Some(_) => open(request, value),
        None => Ok(value),
    }
}

/// Reads JSON whose outer levels have been opened. Its text is checked once, which is faster than string by string.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, String> {
    let text = std::str::from_utf8(json).map_err(|error| error.to_string())?;
    serde_json::from_str(text).map_err(|error| error.to_string())
}
