//! What people write that is not JSON, and what they are told.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn advice(text: &str) -> String {
    let error = serde_json::from_str::<IgnoredAny>(text).unwrap_err();
    let detail = not_json(text, &error);
    let detail = detail.strip_prefix("the body is not JSON: ").unwrap();
    detail.split(" (line").next().unwrap().to_owned()
}

#[test]
fn a_person_learns_what_to_send_instead() {
    let quotes = "names and texts must be in double quotes, not in single ones";
    let comma = "there is a comma too many before the end of an object or array";
    for (text, expected) in [
        (r#"{"temperature":NaN}"#, "`NaN` is no JSON number: send null"),
        (r#"{"temperature": nan, "humidity": 4}"#, "`nan` is no JSON number: send null"),
        (r#"{"temperature":Infinity}"#, "`Infinity` is no JSON number: send null"),
        (r#"{"temperature":-Infinity}"#, "`-Infinity` is no JSON number: send null"),
        (r#"{"temperature":-inf}"#, "`-inf` is no JSON number: send null"),
        (r#"{"temperature":None}"#, "`None` is not JSON: send null"),
        (r#"{"temperature":undefined}"#, "`undefined` is not JSON: send null"),
        (r#"{"temperature":NULL}"#, "`NULL` is not JSON: send null"),
        (r#"{"open":True}"#, "`True` is not JSON: send true"),
        (r#"{"open":FALSE,"temperature":1}"#, "`FALSE` is not JSON: send false"),
        ("{'temperature':1}", quotes),
        ("{'temperature': 21.5, 'ok': True, 'geo': None}", quotes),
        (r#"{"geo":'Sydney'}"#, quotes),
        (
            "{\u{201c}temperature\u{201d}:1}",
            "names and texts must be in straight double quotes, not in typographic ones",
        ),
        (r#"{"temperature":1,}"#, comma),
        (r#"[{"temperature":1},]"#, comma),
        (r#"{"temperature":1,,"humidity":2}"#, "there is a comma too many"),
        ("{\"temperature\":1 // degrees\n}", "JSON has no comments"),
        (r#"{/* now */"temperature":1}"#, "JSON has no comments"),
        ("{temperature:1}", "the name `temperature` must be in double quotes"),
        ("{\"humidity\":2, temperature : 1}", "the name `temperature` must be in double quotes"),
        (r#"{"temperature"=1}"#, "a colon must stand between a name and its value"),
        (r#"{"temperature":21,5}"#, "the decimal sign of JSON is a dot: send 21.5, not 21,5"),
        (r#"{"temperature":-21,5,"humidity":1}"#, "the decimal sign of JSON is a dot: send 21.5, not 21,5"),
        ("21,5", "it is a number with a comma: send an object, and a dot in the number"),
        (r#"{"temperature":+1}"#, "`+1` is no JSON number: it must not begin with +"),
        (r#"{"temperature":.5}"#, "`.5` is no JSON number: write a 0 before the dot"),
        (r#"{"temperature":5.}"#, "`5.` is no JSON number: write a digit behind the dot"),
        (r#"{"temperature":05}"#, "`05` is no JSON number: it must not begin with 0"),
        (r#"{"temperature":0x1F}"#, "`0x1F` is no JSON number"),
        (r#"{"temperature":}"#, "there is no value behind a name: send null"),
        (r#"{"temperature":,"humidity":1}"#, "there is no value behind a name: send null"),
        (r#"{"geo":Sydney}"#, "`Sydney` is not JSON: texts must be in double quotes"),
        (r#"{"temperature":1;"humidity":2}"#, "members must have commas between them"),
        (r#"{"temperature":1}]"#, "there is a closing bracket too many, or of the wrong kind"),
        (
            r#"{"temperature":1},{"temperature":2}"#,
            "several objects with commas between them must be in an array: [{…},{…}]",
        ),
        (r#"{"temperature":1"#, "it ends too early, as if it were cut off"),
        (r#"{"geo":"Syd"#, "it ends too early, as if it were cut off"),
        (
            "{\"geo\":\"a\nb\"}",
            "a text has a line end or another control character in it: write it as \\n or \\u00XX",
        ),
        ("<!DOCTYPE html><html></html>", "it is HTML"),
        ("<?xml version=\"1.0\"?><t>1</t>", "it is XML or HTML"),
        (
            "b'{\"temperature\": 1}'",
            "it is Python's notation of bytes: send the bytes themselves, not their `str()`",
        ),
        ("eyJ0ZW1wZXJhdHVyZSI6MX0=", "it is base64: send the JSON itself"),
        ("7b2274656d70223a317d", "it looks like bytes in hexadecimal digits: send a JSON object"),
        ("21.5,40,1013", "it looks like comma-separated values: send an object with a name for each value"),
        (
            "temperature=21.5&humidity=40",
            "it looks like a form or a query (`name=value`): send a JSON object",
        ),
        ("hello", "`hello` is not JSON: texts must be in double quotes"),
    ] {
        assert_eq!(advice(text), expected, "{text}");
    }
}

#[test]
fn the_place_is_said() {
    let text = "{\n  \"temperature\": NaN\n}";
    let error = serde_json::from_str::<IgnoredAny>(text).unwrap_err();
    assert_eq!(
        not_json(text, &error),
        "the body is not JSON: `NaN` is no JSON number: send null (line 2 column 18)"
    );
}

proptest! {
    #[test]
    fn no_text_panics_and_none_is_repeated_at_length(text in r#"[\[\]{}",:'0-9a-zA-ZäNn\n\\u\-+./=\x00 ]{0,300}"#) {
        if let Err(error) = serde_json::from_str::<IgnoredAny>(&text) {
            let detail = not_json(&text, &error);
            prop_assert!(detail.len() < 250, "{}", detail);
        }
    }
}
