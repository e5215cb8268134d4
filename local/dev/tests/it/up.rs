//! `cargo dev up` from end to end: real ports, the real handler, simulated devices, and a clean end.

use std::{fs, net::TcpListener, path::Path};

use rustix::process::Signal;
use serde_json::Value;

use crate::{
    app::{self, path},
    http, program,
    running::{Running, kill, wait_for_the_end_of, wait_until},
};

fn data() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn send(data: &Path, device: &str) {
    let ended = program::run(&["send", "--device", device, "--data", path(data), r#"{"temperature":21.5}"#]);
    assert_eq!(ended.stdout, "accepted (204)\n", "{}", ended.stderr);
}

fn count_of(devices: &[Value], device: &str) -> u64 {
    let found = devices.iter().find(|state| state["deviceId"] == device);
    found.and_then(|state| state["count"].as_u64()).unwrap_or(0)
}

fn files_below(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { 1 }).sum()
}

#[test]
fn a_fleet_shows_up_and_ctrl_c_leaves_nothing_behind() {
    let data = data();
    let up = Running::start(data.path(), &["--fleet", "3"]);
    let page = http::get(&up.host, "/").expect("the dashboard is served");
    assert!(page.status == 200 && page.body.contains("<html"), "{} {}", page.status, page.body);

    let devices = up.devices(|devices| devices.len() == 3);
    let first = devices.iter().find(|state| state["deviceId"] == "bondi-01").expect("the first of the fleet");
    assert!(
        first["temperature"].is_f64() && first["latitude"].is_f64() && first["geo"] == "Bondi",
        "{first}"
    );

    let children = up.descendants();
    assert!(!children.is_empty(), "the handler is a process of its own");
    let stopped = up.stop(Signal::INT);
    assert_eq!(stopped.status.code(), Some(0), "{}", stopped.stderr);
    assert_eq!(stopped.stderr, "");
    assert!(
        stopped.last_words.iter().any(|line| line.starts_with("stopped; readings taken: ")),
        "{:?}",
        stopped.last_words
    );
    wait_for_the_end_of(&children);
}

#[test]
fn device_states_survive_a_restart() {
    let data = data();
    let up = Running::start(data.path(), &["--fleet", "0"]);
    send(data.path(), "sensor-1");
    send(data.path(), "sensor-1");
    up.devices(|devices| count_of(devices, "sensor-1") == 2);
    // The states themselves prevent double counting; the checkpoints only save reading all events at each start.
    wait_until(|| match files_below(&data.path().join("checkpoints")) {
        0 => Err("no checkpoint".to_owned()),
        _ => Ok(()),
    });
    assert_eq!(up.stop(Signal::TERM).status.code(), Some(0));

    let up = Running::start(data.path(), &["--fleet", "0"]);
    up.devices(|devices| count_of(devices, "sensor-1") == 2);
    send(data.path(), "sensor-1");
    let devices = up.devices(|devices| count_of(devices, "sensor-1") > 2);
    assert_eq!(count_of(&devices, "sensor-1"), 3);
    up.stop(Signal::INT);
}

#[test]
fn azurite_keeps_device_states_too() {
    let data = data();
    let up = Running::start(data.path(), &["--fleet", "0", "--storage", "azurite"]);
    send(data.path(), "sensor-1");
    up.devices(|devices| count_of(devices, "sensor-1") == 1);
    let children = up.descendants();
    assert!(children.len() >= 2, "the handler and Azurite: {children:?}");
    assert_eq!(up.stop(Signal::INT).status.code(), Some(0));
    wait_for_the_end_of(&children);

    let up = Running::start(data.path(), &["--fleet", "0", "--storage", "azurite"]);
    send(data.path(), "sensor-1");
    let devices = up.devices(|devices| count_of(devices, "sensor-1") > 1);
    assert_eq!(count_of(&devices, "sensor-1"), 2);
    up.stop(Signal::INT);
}

/// The local host gives up after the third error of the handler, as the real one does.
#[test]
fn a_handler_that_keeps_dying_ends_everything() {
    let data = data();
    let up = Running::start(data.path(), &["--fleet", "0"]);
    let mut killed = Vec::new();
    for _ in 0..3 {
        let handler = wait_until(|| {
            let new = up.descendants().into_iter().find(|process| !killed.contains(process));
            new.ok_or_else(|| format!("no new handler after {killed:?}"))
        });
        up.wait_for_an_answer();
        kill(handler);
        killed.push(handler);
    }
    let stopped = up.ended();
    assert_eq!(stopped.status.code(), Some(1));
    assert!(stopped.stderr.trim_end().ends_with("its last words are above"), "{}", stopped.stderr);
    assert!(stopped.stderr.contains("third error"), "{}", stopped.stderr);
    wait_for_the_end_of(&killed);
}

#[test]
fn a_second_one_on_the_same_data_is_turned_away() {
    let data = data();
    let up = Running::start(data.path(), &["--fleet", "0"]);
    let handler = app::handler();
    let arguments =
        ["up", "--port", "0", "--signalr-port", "0", "--hub-port", "0", "--data", path(data.path())];
    let ended = program::run(&[&arguments[..], &["--handler", path(&handler)]].concat());
    let complaint = ended.complaint();
    assert!(
        complaint.contains(&format!("(process {})", up.id())) && complaint.contains("--data"),
        "{complaint}"
    );
    up.stop(Signal::INT);
}

#[test]
fn a_taken_port_is_named_with_its_flag() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = taken.local_addr().expect("it is bound").port().to_string();
    let data = data();
    for flag in ["--port", "--signalr-port", "--hub-port"] {
        let mut arguments = vec!["up", "--data", path(data.path())];
        for other in ["--port", "--signalr-port", "--hub-port"] {
            arguments.extend([other, if other == flag { &port } else { "0" }]);
        }
        let ended = program::run(&arguments);
        let complaint = ended.complaint();
        assert!(
            complaint.contains(&format!("port {port} ")) && complaint.contains(&format!(" {flag} ")),
            "{complaint}"
        );
        assert_eq!(ended.stdout, "");
    }
}

/// Runs `up` on a copy of the app in which `file` was replaced, and returns its one line of error.
fn complaint_about(file: &str, content: &str) -> String {
    let (app, data) = (app::copy(), data());
    fs::write(app.path().join(file), content).expect("the copy is ours");
    let handler = app::handler();
    let mut arguments = vec!["up", "--port", "0", "--signalr-port", "0", "--hub-port", "0", "--fleet", "0"];
    arguments.extend(["--data", path(data.path()), "--app", path(app.path()), "--handler", path(&handler)]);
    program::run(&arguments).complaint().to_owned()
}

#[test]
fn a_broken_file_is_one_clear_line() {
    let line = complaint_about("negotiate/function.json", "{ \"bindings\": [");
    assert!(line.starts_with("negotiate/function.json is not valid JSON"), "{line}");

    let line = complaint_about(
        "negotiate/function.json",
        r#"{"bindings":[{"type":"queueTrigger","direction":"in","name":"q"}]}"#,
    );
    assert!(line.contains("negotiate/function.json") && line.contains("queueTrigger"), "{line}");

    let line = complaint_about("local.settings.json", "{ \"Values\": ");
    assert!(line.starts_with("local.settings.json is not valid JSON"), "{line}");
}

#[test]
fn a_setting_that_the_handler_refuses_is_one_clear_line() {
    let line = complaint_about("local.settings.json", r#"{"Values":{"PartitionShards":"many"}}"#);
    assert!(line.contains("PartitionShards"), "{line}");
}

/// The store remembers its number of shards and refuses another one, so what the log says of it shows that the setting
/// arrived. Callers are told only that something is to be changed.
#[test]
fn the_developers_own_settings_reach_the_handler() {
    let (app, data) = (app::copy(), data());
    let local = app.path().join("local.settings.json");
    fs::write(&local, r#"{"Values":{"PartitionShards":"4"}}"#).expect("the copy is ours");
    let up = Running::start(data.path(), &["--fleet", "0", "--app", path(app.path())]);
    send(data.path(), "sensor-1");
    up.devices(|devices| count_of(devices, "sensor-1") == 1);
    assert_eq!(up.stop(Signal::INT).status.code(), Some(0));

    let up = Running::start(data.path(), &["--fleet", "0"]);
    let answer = http::get(&up.host, "/api/getdevicestate").expect("an answer");
    assert!(answer.status >= 500, "{} {}", answer.status, answer.body);
    up.stop(Signal::INT);
    let log = fs::read_to_string(data.path().join("log.txt")).expect("the log of the run");
    assert!(log.contains("PartitionShards"), "the log says what to change: {log}");
}
