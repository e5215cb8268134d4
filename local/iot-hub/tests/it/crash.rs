//! The promise behind 204: a hub that is killed has every acknowledged event in its log.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fieldcast_iot_hub::{HubConfig, StatusCode};
use reqwest::Client;
use tempfile::TempDir;

use crate::support::{TestHub, client, config, device_key, encode, in_an_hour, numbers, texts, token};

/// A hub in a process of its own; killed when the test is over, however it ends.
struct HubProcess {
    child: Child,
    address: String,
}

impl HubProcess {
    fn start(folder: &TempDir) -> HubProcess {
        HubProcess::run(Command::new(env!("CARGO_BIN_EXE_fieldcast-iot-hub")), folder)
    }

    /// A hub that cannot write more than a few KiB into any file: the write that reaches the limit is cut short, and
    /// later ones fail as on a full disk.
    fn start_on_a_full_disk(folder: &TempDir) -> HubProcess {
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"trap "" XFSZ; ulimit -f 16; exec "$0" "$@""#]);
        shell.arg(env!("CARGO_BIN_EXE_fieldcast-iot-hub"));
        HubProcess::run(shell, folder)
    }

    fn run(mut command: Command, folder: &TempDir) -> HubProcess {
        let mut child = command
            .arg("127.0.0.1:0")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the hub runs");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening on ").map(str::to_owned));
        let address = address.expect("the hub says where it listens, and that last");
        HubProcess { child, address }
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

impl Drop for HubProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends numbered messages until the hub is gone; returns those that were acknowledged.
async fn send_until_killed(
    http: Client,
    address: String,
    device: String,
    sent: Arc<AtomicUsize>,
) -> Vec<String> {
    let resource = encode(&format!("{address}/devices/{device}"));
    let token = token(&device_key(&device), &resource, in_an_hour(), None);
    let url = format!("http://{address}/devices/{device}/messages/events?api-version=2021-04-12");
    let mut acknowledged = Vec::new();
    for count in 0.. {
        let body = format!("{device}/{count}");
        let answer = http.post(&url).header("Authorization", &token).body(body.clone()).send().await;
        let Ok(answer) = answer else { break };
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        acknowledged.push(body);
        sent.fetch_add(1, Ordering::Relaxed);
    }
    acknowledged
}

async fn send_and_kill(folder: &TempDir, round: usize) -> Vec<String> {
    let mut hub = HubProcess::start(folder);
    let sent = Arc::new(AtomicUsize::new(0));
    let sender = |index: usize| {
        let device = format!("dev-{round}-{index}");
        tokio::spawn(send_until_killed(client(), hub.address.clone(), device, Arc::clone(&sent)))
    };
    let senders: Vec<_> = (0..8).map(sender).collect();
    while sent.load(Ordering::Relaxed) < 200 {
        assert!(senders.iter().all(|sender| !sender.is_finished()), "a sender gave up");
        tokio::task::yield_now().await;
    }
    hub.kill();
    let mut acknowledged = Vec::new();
    for sender in senders {
        acknowledged.extend(sender.await.expect("a sender"));
    }
    acknowledged
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_by_kill_9() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut acknowledged = BTreeSet::new();
    for round in 0..3 {
        acknowledged.extend(send_and_kill(&folder, round).await);
    }
    let test = TestHub::with(HubConfig { data_dir: Some(folder.path().to_owned()), ..config() }).await;
    let mut stored = BTreeSet::new();
    for partition in 0..4 {
        let events = test.partition(partition).await;
        assert_eq!(numbers(&events), (0..events.len() as u64).collect::<Vec<_>>());
        stored.extend(texts(&events));
    }
    let lost: Vec<&String> = acknowledged.difference(&stored).collect();
    assert!(acknowledged.len() >= 600 && lost.is_empty(), "lost {lost:?} of {}", acknowledged.len());
}

#[tokio::test]
async fn a_write_that_fails_half_way_leaves_a_clean_log_and_is_not_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let hub = HubProcess::start_on_a_full_disk(&folder);
    let (http, device) = (client(), "dev");
    let resource = encode(&format!("{}/devices/{device}", hub.address));
    let token = token(&device_key(device), &resource, in_an_hour(), None);
    let url = format!("http://{}/devices/{device}/messages/events?api-version=2021-04-12", hub.address);
    let send = async |body: String| {
        let request = http.post(&url).header("Authorization", &token).body(body);
        request.send().await.expect("an answer").status()
    };
    let mut acknowledged = Vec::new();
    while send(acknowledged.len().to_string()).await == StatusCode::NO_CONTENT {
        acknowledged.push(acknowledged.len().to_string());
        assert!(acknowledged.len() < 1000, "the limit on files does not work here");
    }
    assert_eq!(send("again".to_owned()).await, StatusCode::SERVICE_UNAVAILABLE);
    drop(hub);
    let test = TestHub::with(HubConfig { data_dir: Some(folder.path().to_owned()), ..config() }).await;
    assert!(test.hub.repairs().is_empty(), "{:?}", test.hub.repairs());
    assert_eq!(texts(&test.all().await), acknowledged);
}
