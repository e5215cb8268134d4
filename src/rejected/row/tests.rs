//! Rows say what was rejected, to the last element and byte, within what the store takes.

use fieldcast_tables::Operation;
use fieldcast_tables::limits::{LARGEST_ROW, LARGEST_TRANSACTION};
use proptest::prelude::*;

use super::*;
use crate::rejected::reading::Rejection;

const REASONS: [Reason; 3] = [Reason::OutOfRange, Reason::WrongType, Reason::NothingKnown];

fn rejected_body(body: &[u8], elements: &[(usize, usize)], detail: &str) -> RejectedBody {
    let mut rejected = RejectedElements::default();
    for &(index, reason) in elements {
        let rejection =
            Rejection { device: Some(detail.to_owned()), ..Rejection::new(REASONS[reason], detail) };
        rejected.reject(index, rejection, || detail.as_bytes().to_vec());
    }
    RejectedBody {
        position: Position { partition: HubPartition::new("hub", "3"), sequence: Some(12) },
        enqueued_at: Some(Millis(1_732_150_631_123)),
        rejected_at: Millis(1_732_150_632_000),
        body: Bytes::copy_from_slice(body),
        body_length: body.len(),
        rejected,
    }
}

#[test]
fn people_can_read_a_row() {
    let rejected = rejected_body(b"[5,{},5]", &[(0, 1), (2, 1), (1, 2)], "d");
    let row = entity(&rejected.key(), &rejected);
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap().to_owned();
    assert_eq!((text("Reason"), text("Elements")), ("wrong_type".to_owned(), "0-2".to_owned()));
    assert_eq!(text("Reasons"), "wrong_type 2, nothing_known 1");
    assert_eq!(
        (row.get("Count"), row.get("BodyLength"), row.get("Body")),
        (Some(&Value::Int64(3)), Some(&Value::Int64(8)), Some(&Value::Binary(b"[5,{},5]".to_vec())))
    );
    assert!(
        text("Samples")
            .starts_with(r#"[{"index":0,"reason":"wrong_type","detail":"d","device":"d","text":"d"},"#)
    );
}

#[test]
fn a_row_of_an_earlier_version_is_one_element() {
    let row = |time: &str| {
        Entity::new("hub-3", "9223372036854775795-000004")
            .with("Reason", "out_of_range")
            .with("Detail", "too hot")
            .with("Body", b"{}".to_vec())
            .with("BodyLength", 2_i64)
            .with("HubPartition", "hub/3")
            .with("ReadingIndex", 4_i64)
            .with(time, Value::DateTime("2024-11-21T00:57:11.123Z".to_owned()))
    };
    for time in ["RejectedAt", "RefusedAt"] {
        let body = body(&row(time)).unwrap();
        assert_eq!((body.rejected.count(), body.rejected_at), (1, Millis(1_732_150_631_123)));
        let first = body.rejected.first().unwrap();
        assert_eq!((first.index, &*first.reason, first.device.as_deref()), (4, "out_of_range", None));
        assert!(body.rejected.all().contains(4));
    }
    assert_eq!(body(&row("When")), None);
}

#[test]
fn a_reason_of_a_later_version_is_listed() {
    let rejected = rejected_body(b"{}", &[(0, 0)], "d");
    let row = entity(&rejected.key(), &rejected)
        .with("Reason", "too_heavy")
        .with("Samples", "")
        .with("ElementBits", vec![9]);
    assert_eq!(&*body(&row).unwrap().rejected.first().unwrap().reason, "too_heavy");
    // Nor does a number that nobody can have written cost anything.
    assert_eq!(body(&row.with("ReadingIndex", i64::MAX)), None);
}

#[test]
fn a_body_is_kept_as_far_as_a_row_takes_it() {
    for length in [0, 1, LARGEST_PROPERTY, LARGEST_PROPERTY + 1, MOST_BYTES, MOST_BYTES + 1, 1_000_000] {
        let bytes: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let rejected = rejected_body(&bytes, &[(0, 0)], "d");
        let read = body(&entity(&rejected.key(), &rejected)).unwrap();
        assert_eq!(read.body, bytes[..length.min(MOST_BYTES)], "{length}");
        assert_eq!(read.body_length, length);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_row_is_read_as_it_was_written_and_never_too_large(
        elements in prop::collection::vec((0..20_000_usize, 0..3_usize), 1..40),
        repeat in 1..20_000_usize,
        length in 0..300_000_usize,
        detail in "[\"\\\\\u{0}\u{ffff}aü€𝄞]{0,600}",
    ) {
        let elements: Vec<(usize, usize)> =
            elements.iter().flat_map(|&(index, reason)| (index..20_000).step_by(repeat).map(move |index| (index, reason))).collect();
        let rejected = rejected_body(&vec![b'x'; length], &elements, &detail);
        let row = entity(&rejected.key(), &rejected);
        let read = body(&row).unwrap();
        prop_assert_eq!(&read.rejected, &rejected.rejected);
        prop_assert!(read == rejected || length > MOST_BYTES);
        prop_assert!(row.stored_size() <= LARGEST_ROW, "{}", row.stored_size());
        for (name, value) in row.properties() {
            let units = value.as_str().map_or(0, |text| text.encode_utf16().count());
            prop_assert!(2 * units <= LARGEST_PROPERTY && value.as_bytes().map_or(0, <[u8]>::len) <= LARGEST_PROPERTY, "{name}");
        }
        let wire = Operation::Insert(row).wire_size();
        prop_assert!(wire <= weight(&rejected) && wire < LARGEST_TRANSACTION, "{wire} of {}", weight(&rejected));
    }
}
