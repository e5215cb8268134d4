//! `cargo dev send` sends to a hub as a device does, and explains the hub's errors.

use std::{
    io::{Seek, Write},
    net::Ipv4Addr,
};

use fieldcast_iot_hub::{Device, Devices, Hub, HubConfig};

use crate::program::{self, Ended};

async fn hub(devices: Devices) -> Hub {
    let config = HubConfig { listen: (Ipv4Addr::LOCALHOST, 0).into(), devices, ..HubConfig::default() };
    Hub::start(config).await.expect("the hub starts")
}

/// The program would block the thread that the hub needs.
async fn send(arguments: &[&str]) -> Ended {
    let arguments: Vec<String> =
        ["send"].iter().chain(arguments).map(|&argument| argument.to_owned()).collect();
    let run = move || program::run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.expect("it runs")
}

#[tokio::test]
async fn the_local_hub_takes_a_reading_with_the_development_key() {
    let hub = hub(Devices::AnyWithPolicy).await;
    let port = hub.address().port().to_string();
    let ended = send(&["--device", "sensor-1", "--hub-port", &port, r#"{"temperature":21.5}"#]).await;
    assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(0), "accepted (204)\n", ""));
    assert_eq!(hub.accepted(), 1);
    hub.stop().await;
}

#[tokio::test]
async fn odd_device_ids_survive_the_path_and_the_signature() {
    let hub = hub(Devices::AnyWithPolicy).await;
    let port = hub.address().port().to_string();
    for device in ["a%2Fb", "x:y=z@home", "(50%)!", "it's"] {
        let ended = send(&["--device", device, "--hub-port", &port, "{}"]).await;
        assert_eq!(ended.stdout, "accepted (204)\n", "{device}: {}", ended.stderr);
    }
    hub.stop().await;
}

#[tokio::test]
async fn a_devices_own_connection_string_needs_no_device_flag() {
    let hub = hub(Devices::AnyWithPolicy).await;
    let string = hub.device_connection_string("pump-7").expect("any device");
    let ended = send(&["--connection-string", &string, "{}"]).await;
    assert_eq!(ended.stdout, "accepted (204)\n", "{}", ended.stderr);

    let ended = send(&["--device", "other", "--connection-string", &string, "{}"]).await;
    assert!(ended.complaint().contains("pump-7"), "{}", ended.stderr);
    hub.stop().await;
}

#[tokio::test]
async fn a_refusal_is_told_with_the_hubs_words_and_what_to_do() {
    let device = Device {
        id: "sensor-1".to_owned(),
        primary_key: "cmlnaHQ=".to_owned(),
        secondary_key: None,
        generation_id: "1".to_owned(),
    };
    let hub = hub(Devices::Registered(vec![device])).await;
    let string = format!("HostName={};DeviceId=sensor-1;SharedAccessKey=d3Jvbmc=", hub.address());
    let ended = send(&["--connection-string", &string, "{}"]).await;
    let complaint = ended.complaint();
    assert!(complaint.starts_with("refused (401): ") && complaint.contains("check the key"), "{complaint}");
    assert!(!complaint.contains("d3Jvbmc"), "{complaint}");
    hub.stop().await;
}

#[tokio::test]
async fn a_body_that_is_not_json_is_sent_with_a_note() {
    let hub = hub(Devices::AnyWithPolicy).await;
    let port = hub.address().port().to_string();
    let ended = send(&["--device", "sensor-1", "--hub-port", &port, "temperature=21"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "accepted (204)\n"));
    assert!(ended.stderr.starts_with("note: the body is not JSON"), "{}", ended.stderr);
    assert_eq!(hub.accepted(), 1);
    hub.stop().await;
}

#[tokio::test]
async fn the_body_may_come_from_standard_input() {
    let hub = hub(Devices::AnyWithPolicy).await;
    let port = hub.address().port().to_string();
    let mut body = tempfile::tempfile().expect("a temporary file");
    body.write_all(br#"{"temperature":21.5}"#).and_then(|()| body.rewind()).expect("the file is ours");
    let mut command = program::command(&["send", "--device", "sensor-1", "--hub-port", &port, "-"]);
    command.stdin(body);
    let ended = tokio::task::spawn_blocking(|| program::finish(command)).await.expect("it runs");
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("accepted (204)\n", ""));
    hub.stop().await;
}

#[tokio::test]
async fn without_a_hub_the_next_step_is_named() {
    let hub = hub(Devices::AnyWithPolicy).await;
    let port = hub.address().port().to_string();
    hub.stop().await;
    let ended = send(&["--device", "sensor-1", "--hub-port", &port, "{}"]).await;
    let complaint = ended.complaint();
    assert!(complaint.contains(&port) && complaint.contains("cargo dev up"), "{complaint}");
}

#[tokio::test]
async fn a_broken_connection_string_is_one_line_without_the_key() {
    let ended = send(&["--connection-string", "HostName=h;SharedAccessKey=c2VjcmV0", "{}"]).await;
    assert!(ended.complaint().contains("DeviceId"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("c2VjcmV0"), "{}", ended.stderr);
}
