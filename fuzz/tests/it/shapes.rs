//! Bodies of any shape that a catalogue may describe: the reader that goes down the tree of paths finds what the slow
//! reference finds.

use fieldcast_fuzz::{check_rich_telemetry, check_telemetry};
use proptest::prelude::*;

/// Names of both catalogues, and some of neither.
const NAMES: [&str; 46] = [
    "t",
    "amb",
    "u",
    "amb.t",
    "amb.u",
    "deep",
    "er",
    "tF",
    "tu",
    "p",
    "pu",
    "readings",
    "door",
    "state",
    "state.door",
    "alarm",
    "data",
    "up",
    "payload",
    "list",
    "n",
    "v",
    "name",
    "value",
    "site",
    "place",
    "place.name",
    "beat",
    "meta",
    "at",
    "time",
    "Id",
    "geo",
    "deviceId",
    "unknown",
    "",
    "temperature",
    "Celsius",
    "ambient",
    "ambient.temperature",
    "humidity",
    "pressure",
    "pressure_unit",
    "unit",
    "uplink_message",
    "decoded_payload",
];

/// JSON that is no object and no array.
const VALUES: [&str; 24] = [
    "0",
    "21.5",
    "-3",
    "1",
    "1e999",
    "null",
    "true",
    "false",
    "\"F\"",
    "\"k\"",
    "\"Pa\"",
    "\"R\"",
    "\"open\"",
    "\"off\"",
    "\"t\"",
    "\"p\"",
    "\"amb.t\"",
    "\"temperature\"",
    "\"Sydney\"",
    "\"\\ud800\"",
    "\"a\\u0000\"",
    "\"u\"",
    "\"tF\"",
    "\"geo\"",
];

/// Names that belong together: bodies of a few of them have a meaning far more often.
const RELATED: [&[&str]; 7] = [
    &["t", "amb", "amb.t", "data"],
    &["t", "amb", "tF", "tu", "u", "amb.u"],
    &["list", "n", "v", "u", "name", "value"],
    &["up", "payload", "p", "pu", "data"],
    &["state", "state.door", "door", "alarm", "data"],
    &["deep", "er", "t", "readings", "p"],
    &["ambient", "ambient.temperature", "temperature", "temperature_unit", "payload", "unit"],
];

fn names() -> impl Strategy<Value = Vec<&'static str>> {
    let others = prop::sample::subsequence(NAMES.to_vec(), 0..4);
    let related = prop::sample::select(RELATED.to_vec());
    (related, others).prop_map(|(related, others)| [related, &others[..]].concat())
}

fn json(names: Vec<&'static str>) -> impl Strategy<Value = String> {
    let number = prop::sample::select(vec!["1", "21.5"]).prop_map(str::to_owned);
    let any = prop::sample::select(VALUES.to_vec()).prop_map(str::to_owned);
    let leaf = prop_oneof![3 => number, 1 => any];
    leaf.prop_recursive(3, 12, 4, move |inner| {
        let list =
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![1 => list, 2 => object(names.clone(), inner)]
    })
}

fn object(names: Vec<&'static str>, value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec((prop::sample::select(names), value), 0..4).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn body() -> impl Strategy<Value = String> {
    names().prop_flat_map(|names| object(names.clone(), json(names)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn any_shape_is_read_as_the_reference_reads_it(body in body()) {
        check_telemetry(body.as_bytes());
        check_rich_telemetry(body.as_bytes());
    }
}
