//! Starting the handler process: fast, on its port, and with one clear line when it cannot.

use std::process::{Command, Output, Stdio};

const SIGNALR: &str =
    "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";

/// Runs the handler with these settings until it ends.
fn run(settings: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fieldcast"));
    command.env_clear().stdin(Stdio::null());
    let usual = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "0"),
        ("StorageConnectionString", "UseDevelopmentStorage=true"),
        ("AzureSignalRConnectionString", SIGNALR),
    ];
    command.envs(usual).envs(settings.iter().copied()).output().unwrap()
}

fn only_line(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "not 0: the host would not start it again");
    assert!(output.stdout.is_empty());
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    text
}

#[test]
fn a_bad_setting_stops_the_start_with_one_line_that_names_it() {
    for (name, value) in [
        ("StorageConnectionString", ""),
        ("StorageConnectionString", "AccountName=a;AccountKey=topsecret!"),
        ("AzureSignalRConnectionString", "topsecret"),
        ("PartitionShards", "none"),
        ("FUNCTIONS_CUSTOMHANDLER_PORT", ""),
    ] {
        let line = only_line(&run(&[(name, value)]));
        assert!(line.contains(&format!("setting {name}: ")), "{line}");
        assert!(!line.contains("topsecret"), "{line}");
    }
}

#[test]
fn a_broken_catalogue_stops_the_start_and_names_the_entry() {
    let app = tempfile::tempdir().unwrap();
    let catalogue = r#"{"measurements":[{"name":"rpm","spellings":["rpm"],"column":"Count"}]}"#;
    std::fs::write(app.path().join("telemetry.json"), catalogue).unwrap();
    let line = only_line(&run(&[("FUNCTIONS_APP_ROOT_PATH", app.path().to_str().unwrap())]));
    assert!(line.contains("telemetry.json: measurement \"rpm\": "), "{line}");
}

#[test]
fn a_broken_host_json_stops_the_start_and_names_it() {
    let app = tempfile::tempdir().unwrap();
    let root = app.path().to_str().unwrap();
    let begin = |text: &str, settings: &[(&str, &str)]| {
        std::fs::write(app.path().join("host.json"), text).unwrap();
        only_line(&run(&[&[("FUNCTIONS_APP_ROOT_PATH", root)], settings].concat()))
    };
    let line = begin(r#"{"version":"2.0","#, &[]);
    assert!(line.contains("host.json is not JSON: "), "{line}");
    let line = begin(r#"{"extensions":{"http":{"routePrefix":5}}}"#, &[]);
    assert!(line.contains("host.json: extensions.http.routePrefix must be "), "{line}");
    let forwarding = "AzureFunctionsJobHost__customHandler__enableForwardingHttpRequest";
    let line = begin("{}", &[(forwarding, "perhaps")]);
    assert!(line.contains(&format!("setting {forwarding} must be true or false")), "{line}");
}

#[test]
fn a_taken_port_stops_the_start_and_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let line = only_line(&run(&[("FUNCTIONS_CUSTOMHANDLER_PORT", &port)]));
    assert!(
        line.contains(&format!("port {port} (FUNCTIONS_CUSTOMHANDLER_PORT) cannot be listened on")),
        "{line}"
    );
}
