//! The whole system on free ports of the loopback address: devices → hub → host → handler process → storage → SignalR.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fieldcast::devices::rows::DeviceRows;
use fieldcast::store::Store;
use fieldcast::store::shard::Shards;
use fieldcast::telemetry::catalogue::Catalogue;
use fieldcast_azurite::Azurite;
use fieldcast_functions_host::{Host, HostConfig, LogSink};
use fieldcast_iot_hub::{Hub, HubConfig};
use fieldcast_signalr_service::{Service, ServiceConfig};
use fieldcast_tables::{
    AzureTables, ConnectionString, Deadline, Entity, Query, Table, TableName, TableStore,
};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;

/// Generous, because two busy cores may be shared with a compiler; a passing test never waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Retries soon, so that a killed handler does not hold a test up; the wait is the host's, as function.json says.
pub(crate) const SOON: (&str, &str) =
    ("\"minimumInterval\": \"00:00:01\"", "\"minimumInterval\": \"00:00:00.100\"");

/// Waits for a condition and says what was last seen when it does not come true.
pub(crate) async fn eventually<T, F: Future<Output = Result<T, String>>>(
    what: &str,
    check: impl Fn() -> F,
) -> T {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        match check().await {
            Ok(value) => return value,
            Err(last) if tokio::time::Instant::now() > deadline => {
                panic!("{what} did not happen; last seen: {last}")
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// JSON as JavaScript reads and writes it: 20.0 is 20. What npm clients report can then be compared.
fn as_javascript(value: Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            #[expect(clippy::cast_possible_truncation, reason = "whole and small: checked in the guard")]
            Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e15 => {
                Value::from(float as i64)
            }
            _ => Value::Number(number),
        },
        Value::Array(items) => items.into_iter().map(as_javascript).collect(),
        Value::Object(members) => {
            members.into_iter().map(|(name, value)| (name, as_javascript(value))).collect()
        }
        other => other,
    }
}

/// An account of its own on a real Azurite.
pub(crate) struct Account {
    azurite: Azurite,
}

impl Account {
    pub(crate) fn start() -> Account {
        Account { azurite: Azurite::start(None).unwrap_or_else(|error| panic!("{error}")) }
    }

    pub(crate) fn connection_string(&self) -> String {
        self.azurite.connection_string()
    }

    pub(crate) fn port(&self) -> u16 {
        self.azurite.port()
    }

    pub(crate) fn tables(&self) -> Arc<dyn TableStore> {
        let connection = ConnectionString::parse(&self.connection_string()).unwrap();
        Arc::new(AzureTables::new(connection, http()))
    }

    /// The device rows of an app with these shards.
    pub(crate) fn devices(&self, shards: Shards) -> DeviceRows {
        let store = Store::new(self.tables(), shards);
        DeviceRows::new(Arc::new(store), Arc::new(Catalogue::environment()))
    }

    pub(crate) async fn table(&self, name: &str) -> Table {
        let table = Table::new(self.tables(), TableName::new(name).unwrap());
        table.create(Deadline::after(PATIENCE)).await.unwrap();
        table
    }

    pub(crate) async fn rows(&self, table: &str, partition: &str) -> Vec<Entity> {
        self.entities(table, Query::partition(partition)).await
    }

    pub(crate) async fn all_rows(&self, table: &str) -> Vec<Entity> {
        self.entities(table, Query::everything()).await
    }

    async fn entities(&self, table: &str, query: Query) -> Vec<Entity> {
        let table = self.table(table).await;
        let rows = table.query_all(&query, Deadline::after(PATIENCE)).await.unwrap();
        rows.into_iter().map(|stored| stored.entity).collect()
    }
}

pub(crate) fn http() -> reqwest::Client {
    fieldcast::https::client(fieldcast::https::Peers::Local).unwrap()
}

/// A call of the handler with the headers that the Functions host gives every invocation.
pub(crate) fn as_the_host(call: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    let id = "5f1d3c8e-0b57-4c0a-9a55-0d6f2f6b7a10";
    call.header("content-type", "application/json; charset=utf-8")
        .header("x-azure-functions-invocationid", id)
}

/// What a test changes of the ordinary set-up.
#[derive(Default)]
pub(crate) struct Options<'a> {
    /// App settings beside or instead of the usual ones.
    pub(crate) settings: Vec<(&'a str, String)>,
    /// Text replacements in the trigger's function.json.
    pub(crate) trigger: Vec<(&'a str, &'a str)>,
    /// Folder with a telemetry.json that is staged with the app.
    pub(crate) catalogue: Option<&'a Path>,
    /// Files served at `/`.
    pub(crate) pages: Option<&'a Path>,
    /// Where the lines of host and handler go; nowhere without it.
    pub(crate) log: Option<LogSink>,
}

/// A further Functions host with a handler of its own. Dropping it ends both.
pub(crate) struct Owner {
    pub(crate) host: Host,
    _app: TempDir,
}

/// The running system. Dropping it ends every process.
pub(crate) struct Stack {
    pub(crate) hub: Hub,
    pub(crate) signalr: Service,
    pub(crate) host: Host,
    http: reqwest::Client,
    _app: TempDir,
}

impl Stack {
    pub(crate) async fn start(storage: &str, options: Options<'_>) -> Stack {
        let loopback = "127.0.0.1:0".parse().unwrap();
        let hub = Hub::start(HubConfig { listen: loopback, ..HubConfig::default() }).await.unwrap();
        let signalr =
            Service::start(ServiceConfig { listen: loopback, ..ServiceConfig::default() }).await.unwrap();
        let Owner { host, _app } = start_host(&hub, &signalr, storage, options).await;
        Stack { hub, signalr, host, http: http(), _app }
    }

    /// A second owner of every partition: another host that reads the same hub, with its own checkpoints.
    pub(crate) async fn second_owner(&self, storage: &str, options: Options<'_>) -> Owner {
        start_host(&self.hub, &self.signalr, storage, options).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.host.address())
    }

    /// Sends as a device would, and insists that the hub accepts it.
    pub(crate) async fn send(&self, device: &str, body: impl Into<reqwest::Body>) {
        let (status, text) = self.offer(device, body).await;
        assert_eq!(status, 204, "{text}");
    }

    /// Sends as a device would; the hub's status and words.
    pub(crate) async fn offer(&self, device: &str, body: impl Into<reqwest::Body>) -> (u16, String) {
        let encoded = utf8_percent_encode(device, NON_ALPHANUMERIC);
        let url =
            format!("http://{}/devices/{encoded}/messages/events?api-version=2020-03-13", self.hub.address());
        let request = self.http.post(url).header("Authorization", self.token(device)).body(body);
        let reply = request.send().await.unwrap();
        (reply.status().as_u16(), reply.text().await.unwrap())
    }

    fn token(&self, device: &str) -> String {
        let connection = self.hub.device_connection_string(device).unwrap();
        let part =
            |name: &str| connection.split(';').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let resource = encode(&format!("{}/devices/{device}", part("HostName=")));
        let expiry = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 3_600;
        let key = STANDARD.decode(part("SharedAccessKey=")).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{resource}\n{expiry}").as_bytes());
        let signature = encode(&STANDARD.encode(mac.finalize().into_bytes()));
        format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}")
    }

    /// Waits until everything that the hub accepted is checkpointed.
    pub(crate) async fn drained(&self) {
        if let Err(status) = self.host.drained(PATIENCE).await {
            panic!("the hub was not drained: {status:?}");
        }
    }

    pub(crate) async fn snapshot(&self) -> Value {
        let reply = self.http.get(self.url("/api/getdevicestate")).send().await.unwrap();
        assert_eq!(reply.status(), 200);
        as_javascript(serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap())
    }

    /// One device of the snapshot.
    pub(crate) async fn device(&self, id: &str) -> Option<Value> {
        let snapshot = self.snapshot().await;
        snapshot["devices"].as_array().unwrap().iter().find(|device| device["deviceId"] == id).cloned()
    }

    /// Posts JSON to an HTTP function.
    pub(crate) async fn post(&self, path: &str, body: &str) -> (u16, Value) {
        let reply = self.http.post(self.url(path)).body(body.to_owned()).send().await.unwrap();
        (reply.status().as_u16(), serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap())
    }

    /// An address of the handler itself, to call it as several hosts at once would.
    pub(crate) fn handler_url(&self, path: &str) -> String {
        let pid = self.host.handler_pid().expect("the handler runs");
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
        let port = |entry: &[u8]| {
            std::str::from_utf8(entry).ok()?.strip_prefix("FUNCTIONS_CUSTOMHANDLER_PORT=").map(str::to_owned)
        };
        let port = environment.split(|&byte| byte == 0).find_map(port).expect("the host names a port");
        format!("http://127.0.0.1:{port}{path}")
    }

    /// Ends everything and waits for it.
    pub(crate) async fn stop(self) {
        self.host.stop().await;
        self.hub.stop().await;
        self.signalr.stop().await;
    }
}

async fn start_host(hub: &Hub, signalr: &Service, storage: &str, options: Options<'_>) -> Owner {
    let app = stage(&options.trigger);
    if let Some(folder) = options.catalogue {
        std::fs::copy(folder.join("telemetry.json"), app.path().join("telemetry.json")).unwrap();
    }
    let mut settings: std::collections::BTreeMap<String, String> = [
        ("StorageConnectionString", storage.to_owned()),
        ("AzureSignalRConnectionString", signalr.connection_string()),
        ("IoTHubConnectionString", hub.event_hub_connection_string()),
        ("EventHubName", "fieldcast".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    settings.extend(options.settings.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let config = HostConfig {
        app_root: app.path().to_owned(),
        listen: "127.0.0.1:0".parse().unwrap(),
        settings,
        static_dir: options.pages.map(Path::to_owned),
        data_dir: None,
        keys: Vec::new(),
        log: options.log.unwrap_or(LogSink::Quiet),
    };
    let host = Host::start(config).await.unwrap_or_else(|error| panic!("{error}"));
    // A test does not depend on the time of day.
    host.faults().hold_timers();
    Owner { host, _app: app }
}

/// The function app as it would be published, with the binary under test.
fn stage(trigger: &[(&str, &str)]) -> TempDir {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let app = tempfile::tempdir().unwrap();
    std::fs::copy(root.join("host.json"), app.path().join("host.json")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_fieldcast"), app.path().join("fieldcast")).unwrap();
    for folder in root.read_dir().unwrap() {
        let function = folder.unwrap().file_name();
        let Ok(mut text) = std::fs::read_to_string(root.join(&function).join("function.json")) else {
            continue;
        };
        if function == "EnvironmentEventTrigger" {
            for (from, to) in trigger {
                assert!(text.contains(from), "function.json has no {from}");
                text = text.replace(from, to);
            }
        }
        std::fs::create_dir(app.path().join(&function)).unwrap();
        std::fs::write(app.path().join(&function).join("function.json"), text).unwrap();
    }
    app
}
