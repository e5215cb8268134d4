//! Several objects in a body: each is a reading, and what cannot be read costs no neighbour whose boundary is known.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{read, text_of};
use super::rejected;
use crate::rejected::reading::Reason;
use crate::telemetry::catalogue::Catalogue;

/// What was found, a word for each: its temperature, or the first bytes of what was rejected.
fn found(body: &str) -> Vec<String> {
    let text = text_of(body.as_bytes(), None);
    let shown = |one: super::Found| match one.outcome {
        Ok(reading) => reading.raw.iter().map(|(_, value)| value.to_string()).collect(),
        Err(_) => format!("!{}", String::from_utf8_lossy(&text[one.span])),
    };
    read(body.as_bytes(), None, Some("sensor-1"), &Catalogue::environment()).into_iter().map(shown).collect()
}

#[test]
fn objects_one_after_the_other_are_readings() {
    for (body, expected) in [
        ("{\"temperature\":1}\r\n{\"temperature\":2}\r\n", &["1", "2"][..]),
        ("{\"temperature\":1}{\"temperature\":2} {\"temperature\":3}", &["1", "2", "3"]),
        ("\u{1e}{\"temperature\":1}\n\u{1e}{\"temperature\":2}\n", &["1", "2"]),
        ("[{\"temperature\":1},{\"temperature\":2}]\n{\"temperature\":3}", &["1", "2", "3"]),
        ("{\n \"temperature\": 1\n}\n{\n \"temperature\": 2\n}\n", &["1", "2"]),
        ("{\"temperature\":1}\n\n\n{\"temperature\":\"2\"}\n[]", &["1", "!{\"temperature\":\"2\"}", "![]"]),
    ] {
        assert_eq!(found(body), expected, "{body:?}");
    }
}

#[test]
fn what_cannot_be_read_leaves_neighbours_whose_boundary_is_known() {
    for (body, expected) in [
        (
            "{\"temperature\":1}\n{\"temperature\":NaN}\n{\"temperature\":3}",
            &["1", "!{\"temperature\":NaN}", "3"][..],
        ),
        ("{\"temperature\":NaN}\n{\"temperature\":2}\n", &["!{\"temperature\":NaN}", "2"]),
        ("{\"temperature\":1}\ngarbage\n{\"temperature\":3}", &["1", "!garbage", "3"]),
        ("{\"temperature\":1}\n5\n{\"temperature\":3}", &["1", "!5", "3"]),
        (
            "{\"temperature\":1}{\"temperature\":NaN}{\"temperature\":3}",
            &["1", "!{\"temperature\":NaN}{\"temperature\":3}"],
        ),
        ("\u{1e}{\"temperature\":1\n\u{1e}{\"temperature\":2}", &["!{\"temperature\":1", "2"]),
        // Cut off in the middle of a value: its lines are not records.
        (
            "{\"temperature\":1}\n{\"list\":[\n{\"temperature\":2}\n",
            &["1", "!{\"list\":[\n{\"temperature\":2}"],
        ),
    ] {
        assert_eq!(found(body), expected, "{body:?}");
    }
}

#[test]
fn where_a_value_ends_in_doubt_nothing_is_counted() {
    for body in [
        "{\"temperature\":1}}",
        "{\"temperature\":1} junk",
        "{\"temperature\":1},{\"temperature\":2}",
        "{\"temperature\":1}\0{\"temperature\":2}",
        "{\"a\":NaN,\"list\":[\n{\"temperature\":1}\n]}",
        "[{\"temperature\":1},\n{\"temperature\":NaN}\n]",
        "{\"temperature\":1}\n}\n",
        "{\n\"temperature\": 1,\n}\n",
    ] {
        assert_eq!(rejected(body).0, Reason::Unreadable, "{body:?}");
    }
    let comma = rejected("{\"temperature\":1},{\"temperature\":2}").1;
    assert!(comma.contains("must be in an array"), "{comma}");
}

#[test]
fn the_limits_hold_for_all_of_them() {
    let many = "{\"light\":5}".repeat(20_001);
    assert_eq!(rejected(&many), (Reason::TooMany, "20001 readings in one body, at most 20000".to_owned()));
    let bad = "{\"light\":x}\n".repeat(20_001);
    assert_eq!(rejected(&bad).0, Reason::TooMany);
    let deep = format!(
        "{{\"temperature\":1}}\n{{\"x\":{}{}}}\n{{\"temperature\":3}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let all = found(&deep);
    assert_eq!((all.len(), &*all[0], &*all[2]), (3, "1", "3"));
}

proptest! {
    /// Good and bad records in lines: each good one is found, each bad one rejected alone, in order.
    #[test]
    fn every_line_is_on_its_own(
        lines in prop::collection::vec((0_u32..80, select(vec!["", "NaN", "}", "\"", ",", "x"])), 2..20),
        end in select(vec!["\n", "\r\n", "\n\n"]),
    ) {
        let line = |(n, bad): &(u32, &str)| format!("{{\"temperature\":{n}{bad}}}");
        let body: Vec<String> = lines.iter().map(line).collect();
        let expected: Vec<String> = lines.iter().map(|one| match one.1 {
            "" => one.0.to_string(),
            _ => format!("!{}", line(one)),
        }).collect();
        prop_assert_eq!(found(&body.join(end)), expected);
    }

    /// Nothing inside of one value is ever taken for a reading of its own, wherever it was cut or spoiled.
    #[test]
    fn a_spoiled_value_gives_no_reading(at: prop::sample::Index, with in select(vec!["", "\n", "NaN", "}", "{", "]", "\0"])) {
        let text = "{\n\"list\": [\n{\"temperature\": 1},\n{\"temperature\": 2}\n],\n\"temperature\": 3\n}";
        let at = at.index(text.len());
        let spoiled = format!("{}{with}{}", &text[..at], &text[at + 1..]);
        let counted: Vec<String> = found(&spoiled).into_iter().filter(|one| !one.starts_with('!')).collect();
        // The outer one may still be a value, with or without its temperature.
        let is_outer = |one: &String| one.is_empty() || one == "3";
        prop_assert!(counted.len() <= 1 && counted.iter().all(is_outer), "{:?} of {}", counted, spoiled);
        let cut = found(&text[..at]);
        prop_assert!(cut.iter().all(|one| one.starts_with('!')), "{:?} of {}", cut, &text[..at]);
    }
}
