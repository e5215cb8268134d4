//! Which bodies are readings, and the reason for each that is not.

mod forms;
mod several;
mod shapes;

use proptest::prelude::*;

use super::{Found, read};
use crate::rejected::reading::{Reason, Rejection};
use crate::telemetry::catalogue::Catalogue;
use crate::telemetry::measured::Measured;

fn found(body: impl AsRef<[u8]>) -> Vec<Found> {
    read(body.as_ref(), None, Some("sensor-1"), &Catalogue::environment())
}

fn numbers(values: &[(usize, f64)]) -> Vec<(usize, Measured)> {
    values.iter().map(|&(at, value)| (at, Measured::Number(value))).collect()
}

fn rejected(body: impl AsRef<[u8]>) -> (Reason, String) {
    let all = found(body);
    assert_eq!(all.len(), 1);
    let rejection = all.into_iter().next().unwrap().outcome.unwrap_err();
    assert_eq!(rejection.device.as_deref(), Some("sensor-1"));
    (rejection.reason, rejection.detail)
}

#[test]
fn an_object_in_any_spelling_is_one_reading() {
    for body in [
        r#"{"messageId":"7","temperature":21.5,"humidity":40,"geo":"Sydney"}"#,
        r#"{"Id":7,"Temperature":21.5,"Humidity":40,"Geo":"Sydney"}"#,
        " {\"Celsius\":21.5,\"humidity\":40.0,\"geo\":\"Sydney\",\"messageId\":7,\"unknown\":[{}]}\n",
        "\u{feff}{\"Celsius\":21.5,\"humidity\":40.0,\"geo\":\"Sydney\",\"messageId\":7}",
    ] {
        let all = found(body);
        let reading = all[0].outcome.as_ref().unwrap();
        assert_eq!(reading.device.as_str(), "sensor-1");
        assert_eq!(reading.raw, numbers(&[(0, 21.5), (2, 40.0)]));
        assert_eq!(reading.message_id.as_deref(), Some("7"));
        assert_eq!(reading.geo.as_deref(), Some("Sydney"));
    }
}

#[test]
fn missing_and_null_values_are_valid() {
    for body in
        [r#"{"temperature":null,"geo":null,"messageId":null}"#, r#"{"geo":"Sydney"}"#, r#"{"light":null}"#]
    {
        assert_eq!(found(body)[0].outcome.as_ref().unwrap().raw, [], "{body}");
    }
    assert_eq!(found(r#"{"temperature":0}"#)[0].outcome.as_ref().unwrap().raw, numbers(&[(0, 0.0)]));
}

#[test]
fn the_stamped_identity_wins_over_the_body() {
    let body = br#"{"deviceId":"forged","temperature":1}"#;
    let catalogue = Catalogue::environment();
    let device_of =
        |stamped| read(body, None, stamped, &catalogue)[0].outcome.as_ref().unwrap().device.to_string();
    assert_eq!(device_of(Some("sensor-1")), "sensor-1");
    assert_eq!(device_of(None), "forged");
    let nobody = read(b"{}", None, None, &catalogue);
    assert_eq!(nobody[0].outcome.as_ref().unwrap_err().reason, Reason::DeviceId);
    let unusable = read(b"{}", None, Some("a\nb"), &catalogue);
    let rejection = unusable[0].outcome.as_ref().unwrap_err();
    assert_eq!((rejection.reason, rejection.device.as_deref()), (Reason::DeviceId, Some("a\nb")));
}

#[test]
fn one_bad_reading_of_an_array_leaves_its_neighbours() {
    let body = r#"[{"temperature":1}, {"temperature":"2"}, 3, {"temperature":4}]"#;
    let all = found(body);
    let outcomes: Vec<_> =
        all.iter().map(|one| one.outcome.as_ref().map(|r| r.raw.clone()).map_err(|f| f.reason)).collect();
    assert_eq!(
        outcomes,
        [Ok(numbers(&[(0, 1.0)])), Err(Reason::WrongType), Err(Reason::WrongType), Ok(numbers(&[(0, 4.0)]))]
    );
    assert_eq!(&body[all[1].span.clone()], r#"{"temperature":"2"}"#);
}

#[test]
fn each_kind_of_bad_input_has_its_reason() {
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100), "]".repeat(100));
    let many = format!("[{}]", vec!["1"; 20_001].join(","));
    let long = format!(r#"{{"geo":"{}"}}"#, "x".repeat(1_000_000));
    for (body, reason, detail) in [
        ("", Reason::Unreadable, "the body is empty"),
        (" \n", Reason::Unreadable, "the body is empty"),
        ("[]", Reason::Unreadable, "the array is empty"),
        (
            "not json",
            Reason::Unreadable,
            "the body is not JSON: `not` is not JSON: texts must be in double quotes (line 1 column 2)",
        ),
        (
            r#"{"temperature":NaN}"#,
            Reason::Unreadable,
            "the body is not JSON: `NaN` is no JSON number: send null (line 1 column 16)",
        ),
        (
            r#"{"temperature":1}}"#,
            Reason::Unreadable,
            "the body is not JSON: there is a closing bracket too many, or of the wrong kind (line 1 column 18)",
        ),
        ("21.5", Reason::WrongType, "a reading must be a JSON object"),
        (r#"{"temperature":"21.5"}"#, Reason::WrongType, "temperature must be a number, it is a string"),
        (r#"{"humidity":true}"#, Reason::WrongType, "humidity must be a number, it is a boolean"),
        (r#"{"hPa":{"value":1}}"#, Reason::WrongType, "hPa must be a number, it is an object"),
        (r#"{"geo":5}"#, Reason::WrongType, "geo must be a string, it is a number"),
        (r#"{"temperature":1e999}"#, Reason::OutOfRange, "temperature is too large for a number"),
        (
            r#"{"temperature":1,"temperature":2}"#,
            Reason::DuplicateField,
            "temperature is there twice (all spellings of one field count as the same)",
        ),
        (
            r#"{"temperature":null,"Celsius":2}"#,
            Reason::DuplicateField,
            "Celsius is there twice (all spellings of one field count as the same)",
        ),
        (r#"{"geo":"a\u0000b"}"#, Reason::BadText, "geo has control characters"),
        (r#"{"messageId":"a\uffffb"}"#, Reason::BadText, "messageId has control characters"),
        (&many, Reason::TooMany, "20001 readings in one body, at most 20000"),
        (&deep, Reason::Unreadable, "the body is nested deeper than 64 levels"),
        (&long, Reason::BadText, "geo has 1000000 characters, at most 256 are kept"),
    ] {
        assert_eq!(rejected(body), (reason, detail.to_owned()), "{}", &body[..body.len().min(60)]);
    }
    let broken_utf8 = [b"{\"geo\":\"".as_slice(), b"\xff\xfe\"}"].concat();
    assert_eq!(
        rejected(broken_utf8),
        (Reason::Unreadable, "the body is not UTF-8 from byte 8 on: it looks like text in another encoding, such as ISO 8859-1, and must be JSON"
            .to_owned())
    );
}

#[test]
fn brackets_inside_strings_are_not_nesting() {
    let body = format!(r#"{{"note":"\"{}","temperature":1}}"#, "[".repeat(500));
    assert!(found(body)[0].outcome.is_ok());
}

#[test]
fn ten_thousand_readings_in_one_body_are_all_found() {
    let body = format!("[{}]", vec![r#"{"temperature":20}"#; 10_000].join(","));
    assert_eq!(found(body).iter().filter(|one| one.outcome.is_ok()).count(), 10_000);
}

proptest! {
    #[test]
    fn no_bytes_panic(body: Vec<u8>) {
        found(body);
    }

    #[test]
    fn no_json_like_text_panics(body in r#"[\[\]{}",:0-9a-zA-Z \\u\-+.]{0,200}"#) {
        found(body);
    }

    #[test]
    fn every_finite_number_arrives_exactly(value in proptest::num::f64::NORMAL | proptest::num::f64::ZERO) {
        let all = found(format!(r#"{{"temperature":{}}}"#, serde_json::to_string(&value).unwrap()));
        prop_assert_eq!(&all[0].outcome.as_ref().unwrap().raw, &numbers(&[(0, value)]));
    }
}

/// What `member` is of, by the catalogue's list and not by its search; texts come after the measurements.
fn field(catalogue: &Catalogue, name: &str) -> Option<usize> {
    let measurements = catalogue.measurements();
    match name {
        "messageId" | "Id" => Some(measurements.len()),
        "geo" | "Geo" => Some(measurements.len() + 1),
        _ => {
            measurements.iter().position(|entry| entry.spellings.iter().any(|spelling| spelling.path == name))
        }
    }
}

/// Slow and plain: why an object with these members is rejected, from the values as `serde_json` builds them.
fn expected(members: &[(&str, &str)]) -> Option<Reason> {
    let (catalogue, mut seen) = (Catalogue::environment(), std::collections::HashSet::new());
    let text_from = catalogue.measurements().len();
    let rejection = |&(name, raw): &(&str, &str)| {
        let field = field(&catalogue, name)?;
        if !seen.insert(field) {
            return Some(Reason::DuplicateField);
        }
        match (serde_json::from_str::<serde_json::Value>(raw).ok(), field.checked_sub(text_from)) {
            (Some(serde_json::Value::Null), _) | (Some(serde_json::Value::Number(_)), None | Some(0)) => None,
            (None, None) => Some(Reason::OutOfRange),
            (None, Some(0)) => None,
            (Some(serde_json::Value::String(text)), Some(_)) => {
                let bad = text.chars().count() > 256 || text.chars().any(char::is_control);
                bad.then_some(Reason::BadText)
            }
            _ => Some(Reason::WrongType),
        }
    };
    let is_known =
        members.iter().any(|(name, _)| field(&catalogue, name).is_some_and(|field| field != text_from));
    members.iter().find_map(rejection).or((!is_known).then_some(Reason::NothingKnown))
}

fn members() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let long: &'static str = Box::leak(format!("\"{}\"", "ü".repeat(257)).into_boxed_str());
    let names = prop::sample::select(vec![
        "temperature",
        "Temperature",
        "Celsius",
        "humidity",
        "hPa",
        "HPa",
        "light",
        "latitude",
        "longitude",
        "deviceId",
        "messageId",
        "Id",
        "geo",
        "Geo",
        "unknown",
        "",
        "temperaturf",
        "celsius",
    ]);
    let values = prop::sample::select(vec![
        "0",
        "-2.5",
        "1e999",
        "18446744073709551616",
        "null",
        "true",
        "{}",
        "[1,{}]",
        "\"\"",
        "\"21.5\"",
        "\"a\\u0000b\"",
        "\"\\u0053ydney\"",
        long,
    ]);
    proptest::collection::vec((names, values), 0..8)
}

fn object(members: &[(&str, &str)]) -> String {
    let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\" : {value}")).collect();
    format!("{{{}}}", members.join(" ,"))
}

proptest! {
    #[test]
    fn exactly_what_the_plain_reference_refuses_is_rejected(
        readings in proptest::collection::vec(members(), 1..5),
        alone: bool,
    ) {
        let readings = if alone { &readings[..1] } else { &readings[..] };
        let objects: Vec<_> = readings.iter().map(|members| object(members)).collect();
        let body = if alone { objects[0].clone() } else { format!("\u{feff} [{}]", objects.join(", ")) };
        let all = found(&body);
        let reasons: Vec<_> = all.iter().map(|one| one.outcome.as_ref().err().map(|rejection| rejection.reason)).collect();
        prop_assert_eq!(reasons, readings.iter().map(|members| expected(members)).collect::<Vec<_>>());
        for (one, object) in all.iter().zip(&objects) {
            prop_assert_eq!(&body[one.span.clone()], object);
        }
    }

    #[test]
    fn exactly_what_is_no_json_is_unreadable(
        readings in proptest::collection::vec("(\\{(\"(a|geo|light)\":(1|null|\"x\"|\\[\\]),?)?\\}|7)", 0..3),
        at: prop::sample::Index,
        change in proptest::option::of(prop::sample::select(b"[]{},:\"1 x".to_vec())),
    ) {
        let mut body = format!("[{}]", readings.join(",")).into_bytes();
        let at = at.index(body.len());
        match change {
            Some(byte) => body[at] = byte,
            None => drop(body.remove(at)),
        }
        let json: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        let is_readable = json.is_some_and(|json| json.as_array().is_none_or(|items| !items.is_empty()));
        let all = found(&body);
        let unreadable = |one: &Found| matches!(&one.outcome, Err(rejection) if rejection.reason == Reason::Unreadable);
        prop_assert_eq!(all.iter().any(unreadable), !is_readable, "{}", String::from_utf8_lossy(&body));
        for one in &all {
            prop_assert!(one.span.start <= one.span.end && one.span.end <= body.len());
        }
    }
}
