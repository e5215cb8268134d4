//! Where values are found, in which unit, and what goes before what: with bodies as real devices send them.

use proptest::prelude::*;

use super::*;
use crate::primitives::instant::Millis;
use crate::telemetry::body::{Enrichments, Reading};

fn catalogue(json: &str) -> Catalogue {
    Catalogue::parse(json).unwrap()
}

fn outcome(catalogue: &Catalogue, body: &str) -> Result<Reading, Rejection> {
    read(body.as_bytes(), None, Some("sensor-1"), catalogue).remove(0).outcome
}

/// The values by name, as text; or the reason and its detail.
fn said(catalogue: &Catalogue, body: &str) -> String {
    match outcome(catalogue, body) {
        Ok(reading) => {
            let shown = |(at, value): &(usize, Measured)| match value {
                Measured::Number(number) => {
                    format!("{}={}", catalogue.measurements()[*at].name, (number * 1_000.0).round() / 1_000.0)
                }
                value => format!("{}={value}", catalogue.measurements()[*at].name),
            };
            let mut shown: Vec<String> = reading.raw.iter().map(shown).collect();
            shown.extend(reading.geo.map(|geo| format!("geo={geo}")));
            shown.join(" ")
        }
        Err(rejection) => format!("{}: {}", rejection.reason.code(), rejection.detail),
    }
}

fn check(catalogue: &Catalogue, table: &[(&str, &str)]) {
    for (body, expected) in table {
        assert_eq!(said(catalogue, body), *expected, "{body}");
    }
}

#[test]
fn the_bodies_of_microsofts_simulators_and_dev_kits_are_understood() {
    let table = [
        // IoT Edge SimulatedTemperatureSensor: the machine is not the environment.
        (
            r#"{"machine":{"temperature":21.4,"pressure":1.05},"ambient":{"temperature":20.6,"humidity":26},
                "timeCreated":"2026-11-28T10:00:00Z"}"#,
            "temperature=20.6 humidity=26",
        ),
        // Raspberry Pi web simulator.
        (
            r#"{"messageId":1,"deviceId":"Raspberry Pi Web Client","temperature":26.5,"humidity":61.2}"#,
            "temperature=26.5 humidity=61.2",
        ),
        // MXChip AZ3166: one message for each sensor.
        (
            r#"{"humidity":43.05,"temperature":26.1,"pressure":1006.78}"#,
            "humidity=43.05 temperature=26.1 pressure=1006.78",
        ),
        (r#"{"magnetometerX":-96.0,"magnetometerY":12.0,"magnetometerZ":-7.5}"#, ""),
        (r#"{"accelerometerX":0.1,"accelerometerY":12.0,"accelerometerZ":981.0}"#, ""),
        (r#"{"Celsius":26.1}"#, "temperature=26.1"),
        // Plug and Play Thermostat and TemperatureController.
        (r#"{"temperature":38.2}"#, "temperature=38.2"),
        (
            r#"{"workingSet":19072}"#,
            "nothing_known: nothing in it is known, its members are \"workingSet\": the catalogue (telemetry.json) says \
             what is measured",
        ),
    ];
    check(&Catalogue::environment(), &table);
    let edge = outcome(&Catalogue::environment(), table[0].0).unwrap();
    assert_eq!((edge.measured_at, edge.clock_ignored), (Some(Millis(1_795_860_000_000)), false));
}

#[test]
fn values_are_found_in_wrappers_and_in_pairs_of_name_and_value() {
    let table = [
        (r#"{"payload":{"temperature":21.5,"geo":"Perth"}}"#, "temperature=21.5 geo=Perth"),
        (r#"{"telemetry":{"ambient":{"temperature":21.5}}}"#, "temperature=21.5"),
        (
            r#"{"end_device_ids":{"device_id":"x"},"uplink_message":{"decoded_payload":{"temperature":21.5}}}"#,
            "temperature=21.5",
        ),
        (
            r#"{"sensors":[{"name":"temperature","value":21.5},{"name":"humidity","value":40},{"name":"x","value":1}]}"#,
            "temperature=21.5 humidity=40",
        ),
        (
            r#"{"data":[{"n":"temperature","u":"Cel","v":21.5},{"v":40,"n":"humidity"}]}"#,
            "temperature=21.5 humidity=40",
        ),
        (r#"{"n":"temperature","v":70.7,"u":"F"}"#, "temperature=21.5"),
        (r#"{"data":[{"temperature":21.5},{"humidity":40}, 7, [8]]}"#, "temperature=21.5 humidity=40"),
        (r#"{"data":5,"payload":"x","temperature":21.5,"body":1e999}"#, "temperature=21.5"),
    ];
    check(&Catalogue::environment(), &table);
}

#[test]
fn paths_lead_through_objects_and_arrays() {
    let catalogue = catalogue(
        r#"{"wrappers":["w"],"measurements":[
            {"name":"a","spellings":["/x/0/a~1b"],"column":"A"},
            {"name":"b","spellings":["b.value"],"column":"B"}]}"#,
    );
    let table = [
        (r#"{"x":[{"a/b":1},{"a/b":2}],"b":{"value":3}}"#, "a=1 b=3"),
        (r#"{"x":{"0":{"a/b":1}}}"#, "a=1"),
        (r#"{"w":{"b":{"value":3}}}"#, "b=3"),
        (r#"{"b.value":4}"#, "b=4"),
        (
            r#"{"w":{"x":[{"a/b":1}]}}"#,
            "nothing_known: nothing in it is known, its members are \"w\": the catalogue (telemetry.json) says what is \
             measured",
        ),
        (r#"{"b":{"value":"x"}}"#, "wrong_type: b.value must be a number, it is a string"),
        (r#"{"b":{"value":1},"x":7,"w":[]}"#, "b=1"),
    ];
    check(&catalogue, &table);
}

#[test]
fn what_stands_outside_goes_before_what_a_wrapper_holds_and_a_name_before_a_path() {
    let twice = "is there twice (all spellings of one field count as the same)";
    let table = [
        (r#"{"data":{"temperature":"broken"},"temperature":21.5}"#, "temperature=21.5".to_owned()),
        (r#"{"temperature":null,"data":{"temperature":1}}"#, String::new()),
        (r#"{"ambient":{"temperature":1},"ambient.temperature":2}"#, "temperature=2".to_owned()),
        (r#"{"geo":"Perth","payload":{"geo":7,"light":1}}"#, "light=1 geo=Perth".to_owned()),
        (
            r#"{"temperature":1,"ambient":{"temperature":2}}"#,
            format!("duplicate_field: ambient.temperature {twice}"),
        ),
        (
            r#"{"data":{"temperature":1},"payload":{"Celsius":2}}"#,
            format!("duplicate_field: Celsius {twice}"),
        ),
        (
            r#"{"data":{"temperature":1},"data":{"temperature":1}}"#,
            format!("duplicate_field: temperature {twice}"),
        ),
        (
            r#"{"sensors":[{"name":"light","value":1},{"name":"light","value":2}]}"#,
            format!("duplicate_field: light {twice}"),
        ),
        (
            r#"{"name":"light","value":1,"value":2}"#,
            "duplicate_field: a pair of name and value has one of its members twice".to_owned(),
        ),
    ];
    for (body, expected) in table {
        assert_eq!(said(&Catalogue::environment(), body), expected, "{body}");
    }
}

#[test]
fn a_stated_unit_is_converted_or_the_reading_is_rejected() {
    let known = "known are C, Cel, Celsius, F, Fahrenheit, K, degC, degF, degreeCelsius, degreeFahrenheit, kelvin, °C, °F, ℃, ℉";
    let table = [
        (
            r#"{"temperature":71.3,"temperature_unit":"F","humidity":43.8}"#,
            "temperature=21.833 humidity=43.8".to_owned(),
        ),
        (r#"{"temperature_unit":"°f","temperature":81.3}"#, "temperature=27.389".to_owned()),
        (r#"{"temperatureUnit":"kelvin","temperature":294.65}"#, "temperature=21.5".to_owned()),
        (r#"{"temperature":21.5,"temperature_unit":" celsius "}"#, "temperature=21.5".to_owned()),
        (r#"{"temperature":21.5,"temperature_unit":null}"#, "temperature=21.5".to_owned()),
        (r#"{"pressure":102230,"pressure_unit":"Pa"}"#, "pressure=1022.3".to_owned()),
        (r#"{"payload":{"pressure":102.23,"pressureUnit":"kPa"}}"#, "pressure=1022.3".to_owned()),
        // A member that several share: whose unit it is must be certain.
        (r#"{"temperature":71.3,"unit":"F"}"#, "temperature=21.833".to_owned()),
        (r#"{"temperature":71.3,"humidity":40,"unit":"F"}"#, "temperature=21.833 humidity=40".to_owned()),
        (r#"{"temperature":21.5,"light":400,"unit":"lux"}"#, "temperature=21.5 light=400".to_owned()),
        (r#"{"temperature":21.5,"unit":"R"}"#, format!("wrong_type: unit is \"R\", {known}")),
        (r#"{"temperature":70.7,"unit":"C","temperature_unit":"F"}"#, "temperature=21.5".to_owned()),
        (
            r#"{"temperature":1,"temperature_unit":"Rankine"}"#,
            format!("wrong_type: temperature_unit is \"Rankine\", {known}"),
        ),
        (
            r#"{"temperature":1,"temperature_unit":5}"#,
            "wrong_type: temperature_unit must be a string, it is a number".to_owned(),
        ),
        (
            r#"{"temperature":1,"temperature_unit":"F","temperatureUnit":"C"}"#,
            "duplicate_field: temperatureUnit is there twice (all spellings of one field count as the same)"
                .to_owned(),
        ),
        (
            r#"{"sensors":[{"name":"temperature","value":1,"unit":"Rankine"}]}"#,
            format!("wrong_type: the unit of temperature is \"Rankine\", {known}"),
        ),
        (r#"{"humidity":40,"temperature_unit":"Rankine"}"#, "humidity=40".to_owned()),
    ];
    for (body, expected) in table {
        assert_eq!(said(&Catalogue::environment(), body), expected, "{body}");
    }
}

#[test]
fn a_spelling_has_its_own_scale_and_then_no_other_unit() {
    let catalogue = catalogue(
        r#"{"measurements":[{"name":"p","column":"P","unit":"hPa","unitMember":"u","units":{"Pa":{"scale":0.01}},
            "spellings":["p",{"path":"pa","scale":0.01,"offset":2}]}]}"#,
    );
    check(
        &catalogue,
        &[
            (r#"{"p":1000}"#, "p=1000"),
            (r#"{"p":1000,"u":"HPA"}"#, "p=1000"),
            (r#"{"pa":100000}"#, "p=1002"),
            (r#"{"u":"Pa","pa":100000}"#, "p=1002"),
        ],
    );
}

#[test]
fn texts_and_flags_are_read() {
    let catalogue = catalogue(
        r#"{"measurements":[
            {"name":"door","kind":"text","spellings":["door"],"values":["open","closed"],"column":"Door"},
            {"name":"note","kind":"text","spellings":["note"],"column":"Note"},
            {"name":"alarm","kind":"flag","spellings":["alarm"],"values":["off",1],"column":"Alarm"},
            {"name":"lamp","kind":"flag","spellings":["lamp"],"column":"Lamp"}]}"#,
    );
    check(
        &catalogue,
        &[
            (
                r#"{"door":"open","note":"any","alarm":true,"lamp":false}"#,
                "door=\"open\" note=\"any\" alarm=true lamp=false",
            ),
            (r#"{"alarm":"off"}"#, "alarm=false"),
            (r#"{"alarm":1.0}"#, "alarm=true"),
            (r#"{"door":null,"alarm":null}"#, ""),
            (r#"{"door":1}"#, "wrong_type: door must be a string, it is a number"),
            (r#"{"note":"a\u0000"}"#, "bad_text: note has control characters"),
            (r#"{"alarm":"on"}"#, "wrong_type: alarm must be true or false, 1 or \"off\", it is a string"),
            (r#"{"lamp":1}"#, "wrong_type: lamp must be true or false, it is a number"),
        ],
    );
    let door = &catalogue.measurements()[0];
    assert_eq!(door.problem_with(&"open".into()), None);
    assert_eq!(door.problem_with(&"ajar".into()).unwrap(), r#"door is "ajar", valid is "open", "closed""#);
}

#[test]
fn a_value_that_would_fit_in_another_unit_is_explained() {
    let catalogue = Catalogue::environment();
    let problem = |at: usize, value: f64| catalogue.measurements()[at].problem_with(&value.into()).unwrap();
    assert_eq!(
        problem(1, 102_230.0),
        "pressure is 102230, valid is 600 to 1600 hPa; if it is in Pa, a unit member or a scale in the catalogue \
         (telemetry.json) converts it"
    );
    assert!(problem(0, 81.3).contains("if it is in F,"));
    assert_eq!(problem(0, 999.0), "temperature is 999, valid is -40 to 80 °C");
}

#[test]
fn without_anything_known_there_is_no_reading() {
    let eleven: Vec<String> = (0..11).map(|n| format!(r#""m{n}":{n}"#)).collect();
    let names: Vec<String> = (0..10).map(|n| format!(r#""m{n}""#)).collect();
    let many = format!("{{{}}}", eleven.join(","));
    let long = format!(r#"{{"{}\n":1}}"#, "ü".repeat(100_000));
    let says = "the catalogue (telemetry.json) says what is measured";
    for (body, detail) in [
        ("{}", "the object is empty".to_owned()),
        (r#"{"temp":22}"#, format!(r#"nothing in it is known, its members are "temp": {says}"#)),
        (
            r#"{"messageId":1,"deviceId":"x","timestamp":1795860000,"unit":"F"}"#,
            format!(
                r#"nothing in it is known, its members are "messageId", "deviceId", "timestamp", "unit": {says}"#
            ),
        ),
        (&many, format!("nothing in it is known, its members are {} and 1 more: {says}", names.join(", "))),
        (&long, format!(r#"nothing in it is known, its members are "{}"…: {says}"#, "ü".repeat(32))),
    ] {
        assert_eq!(rejected(body), (Reason::NothingKnown, detail), "{}", &body[..body.len().min(60)]);
    }
}

#[test]
fn ignored_members_are_a_sign_of_life() {
    let catalogue = catalogue(
        r#"{"ignored":["beat","/status/uptime"],"measurements":[{"name":"a","spellings":["a"],"column":"A"}]}"#,
    );
    check(&catalogue, &[(r#"{"beat":{}}"#, ""), (r#"{"status":{"uptime":1}}"#, ""), (r#"{"a":null}"#, "")]);
    assert_eq!(outcome(&catalogue, r#"{"status":{}}"#).unwrap_err().reason, Reason::NothingKnown);
}

#[test]
fn the_time_is_that_of_the_first_spelling_and_an_absurd_one_is_said() {
    let catalogue = Catalogue::environment();
    let time = |members: &str| {
        let reading = outcome(&catalogue, &format!(r#"{{"light":1,{members}}}"#)).unwrap();
        (reading.measured_at.map(|time| time.0), reading.clock_ignored)
    };
    for (members, expected) in [
        (r#""light2":1"#, (None, false)),
        (r#""timestamp":1795860000"#, (Some(1_795_860_000_000), false)),
        (r#""ts":1795860000123"#, (Some(1_795_860_000_123), false)),
        (r#""ts":1,"timeCreated":"2026-11-28T10:00:00Z""#, (Some(1_795_860_000_000), false)),
        (
            r#""payload":{"timeCreated":"2020-01-01T00:00:00Z"},"ts":1795860000"#,
            (Some(1_795_860_000_000), false),
        ),
        (r#""time":"1970-01-01T00:00:12Z""#, (None, true)),
        (r#""time":{}"#, (None, true)),
        (r#""time":null"#, (None, false)),
    ] {
        assert_eq!(time(members), expected, "{members}");
    }
}

#[test]
fn enrichments_say_what_the_body_does_not() {
    let catalogue = catalogue(
        r#"{"geo":["site"],"measurements":[
            {"name":"a","spellings":["a"],"column":"A"},
            {"name":"door","kind":"text","spellings":["door","d.state"],"values":["open","closed"],"column":"Door"}]}"#,
    );
    let filled = |properties: &str, body: &str| {
        let mut reading = outcome(&catalogue, body).unwrap();
        Enrichments::read(properties, &catalogue).fill(&mut reading);
        let door = reading.raw.iter().find(|(at, _)| *at == 1).map(|(_, value)| value.to_string());
        (reading.geo, reading.message_id, door, reading.raw.iter().any(|(at, _)| *at == 0))
    };
    let text = |text: &str| Some(text.to_owned());
    for properties in ["", "{}", "null", "[]", "5", "{", r#"{"geo":7,"door":"ajar","a":"5","x":"y"}"#] {
        assert_eq!(filled(properties, r#"{"a":1}"#), (None, None, None, true), "{properties}");
    }
    let all = r#"{"site":"Perth","messageId":"9","d.state":"open","a":5}"#;
    assert_eq!(filled(all, r#"{"geo":null}"#), (text("Perth"), text("9"), text("\"open\""), false));
    let own = r#"{"geo":"Sydney","messageId":1,"door":"closed"}"#;
    assert_eq!(filled(all, own), (text("Sydney"), text("1"), text("\"closed\""), false));
    let long = format!(r#"{{"geo":"{}"}}"#, "x".repeat(300));
    assert_eq!(filled(&long, r#"{"a":1}"#).0, None);
}

proptest! {
    #[test]
    fn a_unit_that_no_catalogue_knows_never_passes(unit in "[a-zA-Z°]{1,12}") {
        let catalogue = Catalogue::environment();
        let conversion = catalogue.measurements()[0].conversion_from(&unit);
        let body = format!(r#"{{"temperature":20,"temperature_unit":"{unit}"}}"#);
        let raw = outcome(&catalogue, &body).map(|reading| reading.raw);
        match conversion {
            Some(conversion) => prop_assert_eq!(raw.unwrap(), numbers(&[(0, conversion.apply(20.0))])),
            None => prop_assert_eq!(raw.unwrap_err().reason, Reason::WrongType),
        }
    }
}
