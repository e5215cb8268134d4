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

fn json() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(VALUES.to_vec()).prop_map(str::to_owned);
    leaf.prop_recursive(4, 24, 5, |inner| {
        let list =
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
        prop_oneof![1 => list, 3 => object(inner)]
    })
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    proptest::collection::vec((prop::sample::select(NAMES.to_vec()), value), 0..5).prop_map(|members| {
        let members: Vec<String> =
            members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn any_shape_is_read_as_the_reference_reads_it(body in object(json())) {
        check_telemetry(body.as_bytes());
        check_rich_telemetry(body.as_bytes());
    }
}
