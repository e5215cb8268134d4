//! Checks telemetry bodies: each reading must be found at its position, and must be counted or rejected as the judge
//! says.

use std::sync::LazyLock;

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

/// Checks a body with the hub's device stamp, and without one.
pub fn check_telemetry(body: &[u8]) {
    for stamped in [Some("sensor-1"), None, Some("a/b")] {
        check_body(body, stamped);
    }
}

/// Checks a body as [`check_telemetry`] does, with a catalogue that has everything a catalogue can have.
pub fn check_rich_telemetry(body: &[u8]) {
    for stamped in [Some("sensor-1"), None] {
        check_with(&RICH, body, stamped);
    }
}

pub(crate) fn check_body(body: &[u8], stamped: Option<&str>) {
    check_with(&BUILT_IN, body, stamped);
}

fn check_with(known: &Known, body: &[u8], stamped: Option<&str>) {
    let catalogue = &known.catalogue;
    let found = body::read(body, stamped, catalogue);
    assert_eq!(found, body::read(body, stamped, catalogue), "reading twice gives the same");
    check_spans(body, &found);
    match judge::elements(body) {
        Some(elements) => {
            assert_eq!(found.len(), elements.len(), "one outcome for each reading");
            for (found, element) in found.iter().zip(elements) {
                let written = &body[found.span.clone()];
                assert!(written.ends_with(element.as_bytes()) || found.span == (0..body.len()), "{found:?}");
                check_outcome(&found.outcome, judge::reading(element, stamped, &known.written), stamped);
            }
        }
        None => {
            assert_eq!((found.len(), &found[0].span), (1, &(0..body.len())), "rejected as a whole");
            check_outcome(&found[0].outcome, None, stamped);
        }
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
            assert_eq!(Some(Expected { device: reading.device.to_string(), values }), expected);
        }
        Err(rejection) => {
            assert_eq!(expected, None, "must be counted, but: {rejection:?}");
            assert!(!rejection.detail.is_empty(), "a refusal says why");
            assert!(stamped.is_none() || rejection.device.as_deref() == stamped, "{rejection:?}");
        }
    }
}
