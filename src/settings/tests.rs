//! Every setting: its default, and the one line that a person reads when it is wrong.

use super::*;

const SIGNALR: &str =
    "Endpoint=http://localhost;Port=8888;AccessKey=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGH;Version=1.0;";
const TABLES: &str = "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=c2VjcmV0LWtleQ==;EndpointSuffix=core.windows.net";

fn environment(changes: &[(&str, &str)]) -> Environment {
    let mut all: Environment = [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "7001"),
        ("StorageConnectionString", TABLES),
        ("AzureSignalRConnectionString", SIGNALR),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    for (name, value) in changes {
        all.insert((*name).to_owned(), (*value).to_owned());
    }
    all
}

fn problem(name: &str, value: &str) -> String {
    let error = Settings::read(&environment(&[(name, value)])).expect_err("the setting is wrong");
    assert_eq!(error.name, name);
    let text = error.to_string();
    assert!(value.len() < 5 || !text.contains(value), "the value must not be repeated: {text}");
    assert!(!text.contains('\n'));
    text
}

#[test]
fn defaults_are_those_of_the_predecessor() {
    let settings = Settings::read(&environment(&[])).unwrap();
    assert_eq!(settings.shards, Shards::new("Sydney", 1));
    assert_eq!(settings.hub.as_str(), "enviromon");
    assert_eq!(settings.callers, Callers::Anonymous);
    assert_eq!(settings.publish_mode, PublishMode::Broadcast);
    assert_eq!(settings.calibration_age, Duration::from_secs(30));
    assert_eq!(settings.snapshot_broadcast, Broadcast::Refused);
    assert!(matches!(settings.storage, Storage::Tables(_)));
}

#[test]
fn every_form_of_storage_is_understood() {
    let storage =
        |text: &str| Settings::read(&environment(&[("StorageConnectionString", text)])).unwrap().storage;
    assert!(
        matches!(storage("Embedded=/data/here"), Storage::Embedded(path) if path == std::path::Path::new("/data/here"))
    );
    assert!(matches!(storage("embedded = .fieldcast/state"), Storage::Embedded(_)));
    assert!(matches!(storage("UseDevelopmentStorage=true"), Storage::Tables(_)));
}

#[test]
fn a_missing_setting_says_what_is_expected() {
    for name in ["FUNCTIONS_CUSTOMHANDLER_PORT", "StorageConnectionString", "AzureSignalRConnectionString"] {
        assert!(
            problem(name, "").starts_with(&format!("setting {name}: it is missing, expected ")),
            "{}",
            problem(name, "")
        );
    }
}

#[test]
fn a_wrong_setting_says_what_is_expected_and_not_what_it_is() {
    for (name, value) in [
        ("FUNCTIONS_CUSTOMHANDLER_PORT", "seventy"),
        ("StorageConnectionString", "Embedded =  "),
        ("StorageConnectionString", "AccountKey=verysecret"),
        ("StorageConnectionString", "verysecret"),
        ("PartitionKey", "Syd/ney"),
        ("PartitionShards", "0"),
        ("PartitionShards", "101"),
        ("PartitionShards", "many!"),
        ("AzureSignalRConnectionString", "Endpoint=verysecret"),
        ("SignalRHub", "1 hub"),
        ("PublishMode", "sometimes"),
        ("SnapshotBroadcast", "perhaps"),
        ("CalibrationSeconds", "-1"),
        ("RejectedDays", "-1"),
        ("RejectedDays", "a while"),
    ] {
        let text = problem(name, value);
        assert!(!text.contains("verysecret"), "{text}");
    }
    assert_eq!(
        problem("PartitionShards", "0"),
        "setting PartitionShards: expected a whole number from 1 to 100"
    );
}

#[test]
fn rejected_readings_are_kept_90_days_or_as_many_as_it_says() {
    let retention =
        |value| Settings::read(&environment(&[("RejectedDays", value)])).unwrap().rejected_retention;
    assert_eq!(retention(" "), Retention::of_days(90));
    assert_eq!(retention("7"), Retention::of_days(7));
    assert_eq!(retention("0"), Retention::Forever);
}

#[test]
fn principal_headers_count_only_where_the_platform_checks_them() {
    let callers = |value| Settings::read(&environment(&[("WEBSITE_AUTH_ENABLED", value)])).unwrap().callers;
    assert_eq!(callers("True"), Callers::Authenticated);
    assert_eq!(callers("False"), Callers::Anonymous);
}

#[test]
fn settings_that_override_host_json_are_passed_on_even_when_blank() {
    let prefix = "AzureFunctionsJobHost__extensions__http__routePrefix";
    let forwarding = "azurefunctionsjobhost__customHandler__enableForwardingHttpRequest";
    let settings = Settings::read(&environment(&[(prefix, ""), (forwarding, "true")])).unwrap();
    let names: Vec<_> = settings.host_overrides.keys().map(String::as_str).collect();
    assert_eq!(names, [prefix, forwarding]);
}
