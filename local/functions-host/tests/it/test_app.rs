//! An app in a temporary folder, with its hub, the director of its handler, and small tools.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use fieldcast_functions_host::{Host, HostConfig, HostError, LogSink};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    deadline::{PATIENCE, within},
    director::Director,
    hub::FakeHub,
};

pub(crate) struct TestApp {
    pub(crate) director: Director,
    pub(crate) hub: FakeHub,
    pub(crate) host_json: Value,
    pub(crate) config: HostConfig,
    pub(crate) log: Arc<Mutex<Vec<String>>>,
    root: TempDir,
}

impl TestApp {
    /// An app without functions whose handler is controlled by the test, and a hub of one partition.
    pub(crate) async fn new() -> TestApp {
        TestApp::with_partitions(1).await
    }

    pub(crate) async fn with_partitions(partitions: usize) -> TestApp {
        let root = tempfile::tempdir().unwrap();
        let director = Director::start().await;
        let hub = FakeHub::start(partitions).await;
        let log = Arc::new(Mutex::new(Vec::new()));
        let settings = BTreeMap::from([
            ("DIRECTOR".to_owned(), director.address.to_string()),
            ("HubConnection".to_owned(), hub.connection_string()),
        ]);
        let config = HostConfig {
            app_root: root.path().join("app"),
            listen: "127.0.0.1:0".parse().unwrap(),
            settings,
            static_dir: None,
            data_dir: None,
            keys: vec!["k1".to_owned()],
            log: LogSink::Collect(Arc::clone(&log)),
        };
        fs::create_dir(&config.app_root).unwrap();
        let host_json = json!({
            "version": "2.0",
            "customHandler": {
                "description": {"defaultExecutablePath": "node", "arguments": [script()]},
                "enableForwardingHttpRequest": true
            }
        });
        TestApp { director, hub, host_json, config, log, root }
    }

    /// An app with the function `F` on an Event Hub trigger.
    pub(crate) async fn with_events(partitions: usize, extra: Value) -> TestApp {
        let test = TestApp::with_partitions(partitions).await;
        test.add_events("F", extra, Value::Null);
        test
    }

    pub(crate) fn add_function(&self, name: &str, function_json: &Value) {
        let folder = self.config.app_root.join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("function.json"), function_json.to_string()).unwrap();
    }

    pub(crate) fn add_events(&self, name: &str, extra: Value, retry: Value) {
        let mut binding = json!({
            "type": "eventHubTrigger", "direction": "in", "name": "events", "connection": "HubConnection",
            "eventHubName": "ignored", "cardinality": "many", "dataType": "binary"
        });
        binding.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        self.add_function(name, &json!({"bindings": [binding], "retry": retry}));
    }

    /// Adds an HTTP function with one `http` output named `res`.
    pub(crate) fn add_http(&self, name: &str, extra: Value) {
        let mut trigger =
            json!({"type": "httpTrigger", "direction": "in", "name": "req", "authLevel": "anonymous"});
        trigger.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let output = json!({"type": "http", "direction": "out", "name": "res"});
        self.add_function(name, &json!({"bindings": [trigger, output]}));
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.root.path().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    pub(crate) fn app_root(&self) -> &Path {
        &self.config.app_root
    }

    pub(crate) async fn try_start(&self) -> Result<Host, HostError> {
        fs::write(self.app_root().join("host.json"), self.host_json.to_string()).unwrap();
        within("the start of the host", PATIENCE, Host::start(self.config.clone())).await
    }

    pub(crate) async fn start(&self) -> Host {
        match self.try_start().await {
            Ok(host) => host,
            Err(error) => panic!("the host did not start: {error}\n{}", self.log_text()),
        }
    }

    pub(crate) async fn start_error(&self) -> HostError {
        match self.try_start().await {
            Ok(_) => panic!("the host started"),
            Err(error) => error,
        }
    }

    pub(crate) fn log_text(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    pub(crate) async fn logged(&self, text: &str) {
        self.logged_times(text, 1).await;
    }

    pub(crate) async fn logged_times(&self, text: &str, times: usize) {
        within(&format!("{text:?} {times} times in the log"), PATIENCE, async {
            while self.log_text().matches(text).count() < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

impl Drop for TestApp {
    /// Shows the log of the host when a test fails.
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.log_text());
        }
    }
}

/// The handler script, beside this file.
pub(crate) fn script() -> String {
    format!("{}/tests/it/handler.mjs", env!("CARGO_MANIFEST_DIR"))
}

/// Waits until everything that the hub holds is done.
pub(crate) async fn drained(host: &Host) {
    if let Err(status) = host.drained(PATIENCE).await {
        panic!("not drained: {status:?}");
    }
}

/// Whether a process exists, even as a zombie.
pub(crate) fn exists(pid: u32) -> bool {
    let output = Command::new("kill").args(["-0", &pid.to_string()]).output().unwrap();
    output.status.success()
}

pub(crate) async fn gone(pid: u32) {
    within(&format!("the end of process {pid}"), PATIENCE, async {
        while exists(pid) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct HttpResponse {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl HttpResponse {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends these bytes and reads until the server closes.
pub(crate) async fn send_raw(address: SocketAddr, request: &[u8]) -> HttpResponse {
    within("an HTTP answer", PATIENCE, async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).await.unwrap();
        parse(&reply)
    })
    .await
}

/// Sends a request line with these header lines and this body; `Host` and length are added.
pub(crate) async fn send(address: SocketAddr, line: &str, headers: &[&str], body: &str) -> HttpResponse {
    let mut request = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        request.push_str(&format!("Host: {address}\r\n"));
    }
    headers.iter().for_each(|header| request.push_str(&format!("{header}\r\n")));
    if !body.is_empty() {
        request.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    send_raw(address, format!("{request}\r\n{body}").as_bytes()).await
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> HttpResponse {
    send(address, &format!("GET {path}"), &[], "").await
}

fn parse(reply: &[u8]) -> HttpResponse {
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").expect("a whole head");
    let head = String::from_utf8_lossy(&reply[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let split = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
    HttpResponse { status, headers: lines.filter_map(split).collect(), body: reply[end + 4..].to_vec() }
}
