//! What is asked for, and how a body is shown.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::primitives::ids::{HubPartition, Position};
use crate::rejected::body::RejectedElements;
use crate::rejected::reading::{Reason, Rejection};

fn rejected() -> RejectedBody {
    let mut elements = RejectedElements::default();
    for index in [1, 2, 3, 7] {
        let rejection =
            Rejection { device: Some("a".to_owned()), ..Rejection::new(Reason::OutOfRange, "too hot") };
        elements.reject(index, rejection, || br#"{"t":99}"#.to_vec());
    }
    RejectedBody {
        position: Position { partition: HubPartition::new("hub", "0"), sequence: Some(7) },
        enqueued_at: Some(Millis(1_000)),
        rejected_at: Millis(1_005),
        body: b"{}".as_slice().into(),
        body_length: 2,
        rejected: elements,
    }
}

fn shown(rejected: &RejectedBody) -> serde_json::Value {
    serde_json::to_value(Shown::from(rejected)).unwrap()
}

#[test]
fn a_body_is_shown_with_its_first_rejected_element_and_is_text_where_it_was() {
    let mut rejected = rejected();
    let mut told = shown(&rejected);
    let samples = told["samples"].take();
    assert_eq!(
        told,
        json!({
            "deviceId": "a", "reason": "out_of_range", "detail": "too hot", "body": "{}", "bodyLength": 2,
            "partition": "hub/0", "sequenceNumber": 7, "reading": 1, "count": 4, "elements": "1-3,7", "samples": null,
            "enqueuedAt": "1970-01-01T00:00:01.000Z", "rejectedAt": "1970-01-01T00:00:01.005Z",
        })
    );
    assert_eq!(
        samples[3],
        json!({"index": 7, "reason": "out_of_range", "detail": "too hot", "deviceId": "a", "text": r#"{"t":99}"#})
    );
    rejected.body = vec![0xff, 0].into();
    assert_eq!((&shown(&rejected)["body"], &shown(&rejected)["bodyBase64"]), (&json!(null), &json!("/wA=")));
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let code = |query: &str| parse(query).err().map(|(code, _)| code);
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit="] {
        assert_eq!(code(query), Some("bad_limit"), "{query}");
    }
    assert_eq!(code("deviceId="), Some("bad_filter"));
    assert_eq!(code(&format!("deviceId={}", "d".repeat(256))), None);
    assert_eq!(code(&format!("deviceId={}", "d".repeat(257))), Some("bad_filter"));
    let forged = |group: &str, row: &str| {
        opaque::encode(&Continuation { device: None, group: group.to_owned(), row: Some(row.to_owned()) })
    };
    let long = "k".repeat(LONGEST_KEY + 1);
    for text in [
        "x",
        &URL_SAFE_NO_PAD.encode("{}"),
        &forged("a/b", "c"),
        &forged("a", "c?d"),
        &forged(&long, "c"),
        &forged("a", &long),
    ] {
        assert_eq!(code(&format!("continuation={text}")), Some("bad_continuation"), "{text}");
    }
    let genuine = forged("hub-0", "7");
    assert_eq!(code(&format!("continuation={genuine}")), None);
    assert_eq!(code(&format!("deviceId=d&continuation={genuine}")), Some("bad_continuation"));
}

#[test]
fn a_list_goes_on_where_it_ended() {
    let next = Some(Place { group: "079951".to_owned(), row: Some("7-hub~2f0-1".to_owned()) });
    let page = render(&Listed { bodies: vec![rejected()], next: next.clone() }, Some("a".to_owned()));
    let page: serde_json::Value = serde_json::from_str(&page).unwrap();
    let query = format!("limit=3&deviceId=a&continuation={}", page["continuation"].as_str().unwrap());
    let wanted =
        ListQuery { device: Some("a".to_owned()), after: next, limit: 3, enough_bytes: ENOUGH_BYTES };
    assert_eq!(parse(&query), Ok(wanted));
    let last = render(&Listed { bodies: vec![], next: None }, None);
    assert_eq!(last, r#"{"rejected":[]}"#);
}
