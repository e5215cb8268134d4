//! The table of functions against the function.json files, which the host goes by.

use std::path::Path;

use serde_json::{Value, json};

use super::super::FUNCTIONS;
use crate::host::functions::{Access, Kind};
use crate::host::routes::parameter;

/// The functions that the host knows: each folder with its function.json.
fn folders() -> Vec<(String, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |folder: std::fs::DirEntry| {
        let text = std::fs::read_to_string(folder.path().join("function.json")).ok()?;
        Some((folder.file_name().into_string().unwrap(), serde_json::from_str(&text).unwrap()))
    };
    let mut found: Vec<_> = root.read_dir().unwrap().map(Result::unwrap).filter_map(read).collect();
    found.sort_by(|(one, _), (next, _)| one.cmp(next));
    found
}

#[test]
fn every_function_has_a_folder_and_a_line() {
    let folders: Vec<_> = folders().into_iter().map(|(name, _)| name).collect();
    let mut lines: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
    lines.sort_unstable();
    assert_eq!(folders, lines);
}

#[test]
fn every_function_json_says_what_the_line_says() {
    for (name, found) in folders() {
        let function = FUNCTIONS.iter().find(|function| function.name == name).unwrap();
        match &function.kind {
            Kind::Trigger(_) => {
                let [binding] = &found["bindings"].as_array().unwrap()[..] else { panic!("{name}: {found}") };
                let shape = ["type", "direction", "name", "cardinality", "dataType"].map(|key| &binding[key]);
                assert_eq!(shape, ["eventHubTrigger", "in", "events", "many", "binary"], "{name}");
            }
            Kind::Timer(_) => {
                let [binding] = &found["bindings"].as_array().unwrap()[..] else { panic!("{name}: {found}") };
                let shape = ["type", "direction", "name", "useMonitor"].map(|key| &binding[key]);
                assert_eq!(
                    shape,
                    [&json!("timerTrigger"), &json!("in"), &json!("timer"), &json!(true)],
                    "{name}"
                );
                let schedule = binding["schedule"].as_str().unwrap_or_default();
                assert!(is_daily(schedule), "{name}: {schedule:?}");
            }
            Kind::Http(http) => {
                let level = match http.access {
                    Access::Anonymous | Access::Named => "anonymous",
                };
                let methods = http.methods.iter().filter(|method| **method != "HEAD");
                let methods: Vec<_> = methods.map(|method| method.to_ascii_lowercase()).collect();
                // One input and one output, or the host wraps the calls although host.json says that it forwards them.
                let expected = json!([
                    {
                        "type": "httpTrigger", "direction": "in", "name": "req",
                        "authLevel": level, "methods": methods, "route": http.route,
                    },
                    { "type": "http", "direction": "out", "name": "res" },
                ]);
                assert_eq!(found["bindings"], expected, "{name}");
            }
        }
    }
}

/// Whether an NCRONTAB expression names one time of each day. That the host reads it is seen by the tests with the host.
fn is_daily(schedule: &str) -> bool {
    let fields: Vec<&str> = schedule.split(' ').collect();
    let [second, minute, hour, "*", "*", "*"] = fields[..] else { return false };
    let below = |text: &str, end: u8| text.parse().is_ok_and(|number: u8| number < end);
    below(second, 60) && below(minute, 60) && below(hour, 24)
}

/// The host would forward what clients post there, and nobody could tell it from the host's own events.
#[test]
fn no_route_can_be_the_address_of_a_trigger() {
    let triggers = FUNCTIONS.iter().filter(|function| !matches!(function.kind, Kind::Http(_)));
    let triggers: Vec<_> = triggers.map(|function| function.name).collect();
    for function in &FUNCTIONS {
        let Kind::Http(http) = &function.kind else { continue };
        let first = http.route.split('/').next().unwrap();
        assert_eq!(parameter(first), None, "{}: a route begins with a literal", function.name);
        assert!(!triggers.iter().any(|name| name.eq_ignore_ascii_case(first)), "{}", function.name);
    }
}

/// The host makes the forwarded address of the decoded one, so that `..\` in a parameter leads to any address of the
/// handler. A trigger cannot tell such a post from the host's own, so no such call may be one.
#[test]
fn a_function_with_a_parameter_in_its_address_is_not_posted_to() {
    for function in &FUNCTIONS {
        let Kind::Http(http) = &function.kind else { continue };
        let has_parameter = http.route.split('/').any(|segment| parameter(segment).is_some());
        assert!(!(has_parameter && http.methods.contains(&"POST")), "{}", function.name);
    }
}
