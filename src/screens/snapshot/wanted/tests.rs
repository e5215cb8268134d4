//! Queries as callers write them, and forged ones.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;

use super::*;
use crate::devices::state::{Latest, Stamp};
use crate::primitives::ids::HubPartition;
use crate::primitives::instant::Millis;
use crate::telemetry::catalogue::Catalogue;

fn cursor(moment: &str) -> Cursor {
    Cursor(Moment::from_text(moment))
}

fn state(device: &str, geo: Option<&str>) -> DeviceState {
    let mut state = DeviceState::new(DeviceId::parse(device).unwrap(), &Catalogue::environment());
    let stamp = Stamp { at: Millis(0), partition: HubPartition::unknown() };
    state.geo = geo.map(|geo| Latest { value: geo.to_owned(), stamp });
    state
}

#[test]
fn a_query_without_names_wants_everything() {
    assert_eq!(Wanted::parse(""), Ok(Wanted::everything()));
    assert_eq!(Wanted::parse("code=functionkey&_=1"), Ok(Wanted::everything()));
}

#[test]
fn filters_add_up() {
    let taken = |query: &str| {
        let filter = Wanted::parse(query).unwrap().filter;
        let fleet = [("a", Some("Sydney")), ("b", Some("Perth & co")), ("c", Some("Hay, WA")), ("d", None)];
        let taken = fleet.iter().filter(|(device, geo)| filter.takes(&state(device, *geo)));
        taken.map(|(device, _)| *device).collect::<String>()
    };
    assert_eq!(taken(""), "abcd");
    assert_eq!(taken("geo=Sydney"), "a");
    assert_eq!(taken("geo=Sydney&geo=Perth+%26%20co"), "ab");
    assert_eq!(taken("geo=Sydney,Perth+%26%20co"), "ab", "as the Functions host joins them");
    assert_eq!(taken("geo=Hay%252C%20WA,Sydney"), "ac");
    assert_eq!(taken("deviceId=d&geo=Sydney"), "ad");
    assert_eq!(taken("geo=sydney"), "", "areas are spelt as the devices spell them");
}

#[test]
fn a_cursor_comes_back_as_it_was() {
    let since = cursor("2026-11-21T03:00:00.000Z");
    let wanted = Wanted::parse(&format!("since={}", since.to_text())).unwrap();
    assert_eq!(wanted.since, Some(since));
}

#[test]
fn a_continuation_goes_on_with_the_same_query_only() {
    let query = format!("geo=Sydney&since={}", cursor("7").to_text());
    let wanted = Wanted::parse(&query).unwrap();
    let place = Place {
        next: Next::Page(2, Some(fieldcast_tables::Continuation::from_text("b"))),
        cursor: Some(cursor("9")),
    };
    let text = Continuation::new(&wanted, place.clone()).to_text();
    assert_eq!(Wanted::parse(&format!("{query}&continuation={text}")).unwrap().place, place);
    for other in ["geo=Sydney", "", &query.replace("Sydney", "Perth")] {
        let refused = Wanted::parse(&format!("{other}&continuation={text}"));
        assert_eq!(refused, Err(WantedError::Continuation), "{other}");
    }
}

#[test]
fn what_cannot_be_answered_is_refused_with_its_code() {
    let long = "x".repeat(129);
    let many = (0..=MOST_NAMES).map(|number| format!("geo={number}&")).collect::<String>();
    for (query, code) in [
        ("since=", "bad_cursor"),
        ("since=e30", "bad_cursor"),
        ("since=%2e%2e%2f", "bad_cursor"),
        ("continuation=AAAA", "bad_continuation"),
        ("limit=0", "bad_query"),
        ("limit=10001", "bad_query"),
        ("limit=all", "bad_query"),
        ("limit=1&limit=2", "bad_query"),
        ("geo=", "bad_filter"),
        ("geo=%20", "bad_filter"),
        ("deviceId=a%0Ab", "bad_filter"),
        (&format!("deviceId={long}"), "bad_filter"),
        (&many, "bad_filter"),
    ] {
        assert_eq!(Wanted::parse(query).unwrap_err().code(), code, "{query}");
    }
}

/// A cursor of one kind is not one of the other kind either.
#[test]
fn a_cursor_is_no_continuation() {
    let text = cursor("7").to_text();
    assert_eq!(Wanted::parse(&format!("continuation={text}")), Err(WantedError::Continuation));
}

proptest! {
    #[test]
    fn a_damaged_cursor_is_refused(moment in ".{0,30}", at in 0_usize..60, byte in any::<u8>()) {
        let mut bytes = URL_SAFE_NO_PAD.decode(cursor(&moment).to_text()).unwrap();
        let at = at % bytes.len();
        prop_assume!(bytes[at] != byte);
        bytes[at] = byte;
        let query = format!("since={}", URL_SAFE_NO_PAD.encode(bytes));
        prop_assert_eq!(Wanted::parse(&query), Err(WantedError::Cursor));
    }

    #[test]
    fn no_query_is_too_much(query in ".{0,80}") {
        let _ = Wanted::parse(&query);
    }
}
