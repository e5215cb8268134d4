//! Checks telemetry bodies: each reading must be found at its position, and must be counted or rejected as the judge
//! says.

use std::borrow::Cow;
use std::io::Write;
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use crate::judge::{self, Expected};
use crate::rejected::reading::Rejection;
use crate::telemetry::body::{self, Found, Reading};
use crate::telemetry::catalogue::Catalogue;

/// A catalogue, and as it is written, for the judge.
struct Known {
    catalogue: Catalogue,
    written: serde_json::Value,
}

impl Known {
    fn read(json: &str) -> Known {
        let catalogue = Catalogue::parse(json).expect("a catalogue");
        Known { catalogue, written: serde_json::from_str(json).expect("a catalogue is JSON") }
    }
}

/// Read once, because reading it takes longer than all the rest.
static BUILT_IN: LazyLock<Known> = LazyLock::new(|| Known::read(Catalogue::ENVIRONMENT));

/// One with everything that a catalogue can have.
static RICH: LazyLock<Known> = LazyLock::new(|| Known::read(include_str!("rich.json")));

/// What is declared beside the bodies: nothing, and what changes how bytes are read.
const ENCODINGS: [Option<&str>; 3] = [None, Some("deflate"), Some("gzip, utf-16")];

/// Checks a body with the hub's device stamp and without one, and under some declarations of its encoding.
pub fn check_telemetry(body: &[u8]) {
    for stamped in [Some("sensor-1"), None, Some("a/b")] {
        check_body(body, None, stamped);
    }
    for encoding in ENCODINGS {
        check_body(body, encoding, Some("sensor-1"));
    }
    check_forms(body);
}

/// Checks a body as [`check_telemetry`] does, with a catalogue that has everything a catalogue can have.
pub fn check_rich_telemetry(body: &[u8]) {
    for stamped in [Some("sensor-1"), None] {
        check_with(&RICH, body, None, stamped);
    }
}

pub(crate) fn check_body(body: &[u8], encoding: Option<&str>, stamped: Option<&str>) {
    check_with(&BUILT_IN, body, encoding, stamped);
}

fn check_with(known: &Known, body: &[u8], encoding: Option<&str>, stamped: Option<&str>) {
    let catalogue = &known.catalogue;
    let found = body::read(body, encoding, stamped, catalogue);
    assert_eq!(found, body::read(body, encoding, stamped, catalogue), "reading twice gives the same");
    let text = body::text_of(body, encoding);
    check_spans(&text, &found);
    let unmarked = match &text {
        Cow::Borrowed(_) => text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text),
        Cow::Owned(text) => text,
    };
    if !begins_as_json(unmarked) {
        // Not what was declared or seems to be packed or wide, which only the decoders know.
        return;
    }
    match judge::elements(unmarked) {
        Some(elements) => {
            assert_eq!(found.len(), elements.len(), "one outcome for each reading");
            for (found, (element, is_json)) in found.iter().zip(elements) {
                let written = &text[found.span.clone()];
                assert!(written.ends_with(element.as_bytes()) || found.span == (0..text.len()), "{found:?}");
                let expected = is_json.then(|| judge::reading(element, stamped, &known.written)).flatten();
                check_outcome(&found.outcome, expected, stamped);
            }
        }
        None => {
            assert_eq!((found.len(), &found[0].span), (1, &(0..text.len())), "rejected as a whole");
            check_outcome(&found[0].outcome, None, stamped);
        }
    }
}

/// NULs, then white space, and then an object, an array or a record separator that
/// no NUL follows.
fn begins_as_json(text: &[u8]) -> bool {
    let behind = text.iter().skip_while(|&&byte| byte == 0);
    let mut behind = behind.skip_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
    matches!((behind.next(), behind.next()), (Some(b'{' | b'[' | 0x1e), None | Some(1..)))
}

/// The same text in another encoding, compressed, and with NULs behind it must be read alike.
fn check_forms(body: &[u8]) {
    /// What compresses best must still be within the bounds of unpacking.
    const LONGEST: usize = 32 * 1024;
    let Ok(text) = std::str::from_utf8(body) else { return };
    let text = text.trim_matches('\0');
    let is_json_like = text.len() > 1 && text.starts_with(['{', '[']) && text.as_bytes()[1].is_ascii();
    if !is_json_like || text.len() > LONGEST || text.as_bytes()[1] == 0 {
        return;
    }
    let outcomes = |body: &[u8], encoding| -> Vec<_> {
        let found = body::read(body, encoding, Some("sensor-1"), &BUILT_IN.catalogue);
        found.into_iter().map(|found| found.outcome).collect()
    };
    let expected = outcomes(text.as_bytes(), None);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf32: Vec<u8> = text.chars().flat_map(|c| u32::from(c).to_be_bytes()).collect();
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
    let mut gzipped = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = deflated.write_all(&utf16).and_then(|()| gzipped.write_all(text.as_bytes()));
    packed.expect("memory takes everything");
    let finished = |bytes: std::io::Result<Vec<u8>>| bytes.expect("memory takes everything");
    let forms = [
        (utf16, Some("UTF-16")),
        (utf32, None),
        (finished(deflated.finish()), Some("deflate, utf-16")),
        (finished(gzipped.finish()), None),
    ];
    for (mut form, encoding) in forms {
        form.extend([0; 3]);
        assert_eq!(outcomes(&form, encoding), expected, "{encoding:?}");
    }
}

/// Spans must lie within the body, in order, and must not overlap.
fn check_spans(body: &[u8], found: &[Found]) {
    assert!(!found.is_empty(), "whatever came is counted or rejected");
    let mut end = 0;
    for one in found {
        assert!(end <= one.span.start && one.span.start <= one.span.end, "{:?} after {end}", one.span);
        end = one.span.end;
    }
    assert!(end <= body.len(), "{end} of {}", body.len());
}

fn check_outcome(outcome: &Result<Reading, Rejection>, expected: Option<Expected>, stamped: Option<&str>) {
    match outcome {
        Ok(reading) => {
            let mut values = vec![None; expected.as_ref().map_or(0, |expected| expected.values.len())];
            for (at, value) in &reading.raw {
                assert_eq!(
                    values[*at].replace(value.clone()),
                    None,
                    "one value for each measurement: {reading:?}"
                );
            }
            assert_eq!(Some(Expected { device: reading.device.device().into_owned(), values }), expected);
        }
        Err(rejection) => {
            assert_eq!(expected, None, "must be counted, but: {rejection:?}");
            assert!(!rejection.detail.is_empty(), "a refusal says why");
            assert!(stamped.is_none() || rejection.device.as_deref() == stamped, "{rejection:?}");
        }
    }
}
