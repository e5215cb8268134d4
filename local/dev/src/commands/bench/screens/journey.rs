//! Measures the time from a device to the number on the screen: devices send to the hub over HTTP, the host calls the
//! handler, the handler stores and announces, and Chromium shows the dashboard. One value of each reading is the time
//! at which it was sent; a script in the page notes when that value appears in the table.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, anyhow, ensure};
use fieldcast_functions_host::{Host, HostConfig, LogSink};
use fieldcast_iot_hub::{Hub, HubConfig};
use fieldcast_signalr_service::{Service, ServiceConfig};
use fieldcast_test_clients::Browser;
use serde::Serialize;
use serde_json::json;
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval_at, sleep},
};

use super::super::{
    cell::BenchPlan,
    scratch::Scratch,
    statistics::{Milliseconds, quantile},
};
use crate::{
    connection_string::ConnectionString,
    device::{self, Device, Refusal},
    npm, stage,
    workspace::Workspace,
};

/// The number of devices; each sends once a second.
const DEVICES: u32 = 200;
const PERIOD: Duration = Duration::from_secs(1);
const WARM_UP: Duration = Duration::from_secs(3);
/// The longest wait for the page.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, Serialize)]
pub(in super::super) struct Journey {
    pub(in super::super) readings_per_second: u32,
    /// Readings of the devices that are in the visible part of the table.
    pub(in super::super) samples: usize,
    pub(in super::super) p50_ms: Milliseconds,
    pub(in super::super) p99_ms: Milliseconds,
    pub(in super::super) longest_ms: Milliseconds,
}

pub(super) async fn measure(program: &Path, plan: &BenchPlan, workspace: &Workspace) -> Result<Journey> {
    npm::install(&workspace.test_clients()).await?;
    let dashboard = npm::dashboard(workspace).await?;
    let folder = Scratch::make("journey")?;
    let stack = JourneyStack::start(program, &dashboard, folder.path(), workspace).await?;
    let mut page = Browser::open(&format!("http://{}/", stack.host.address()))?;
    let began = SystemTime::now();
    let devices = stack.send_on(began)?;
    evaluate(&mut page, &watching(began)?).await?;
    // The first seconds are not measured: processes start, and the page paints for the first time.
    sleep(WARM_UP).await;
    evaluate(&mut page, "window.journeys.length = 0").await?;
    sleep(plan.watched).await;
    let journeys = evaluate(&mut page, "window.journeys").await?;
    drop(devices);
    page.stop().await?;
    stack.stop().await;
    let mut times: Vec<Milliseconds> =
        serde_json::from_value(journeys).context("the page told something else than times")?;
    ensure!(times.len() > 10, "only {} readings were seen on the page", times.len());
    times.sort_by(f64::total_cmp);
    let at = |share| quantile(&times, share).context("no reading was seen");
    Ok(Journey {
        readings_per_second: DEVICES,
        samples: times.len(),
        p50_ms: at(0.5)?,
        p99_ms: at(0.99)?,
        longest_ms: at(1.0)?,
    })
}

/// Notes, for each new value of `light` in the table, how long ago it was sent. The first value of a row is ignored,
/// because it may come from the snapshot.
fn watching(began: SystemTime) -> Result<String> {
    let began = began.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    Ok(format!(
        r#"new Promise((ready) => {{
            window.journeys = [];
            const shown = new Map();
            const look = () => {{
                for (const row of document.querySelectorAll("tr[data-device]")) {{
                    const text = row.querySelector('td[data-field="light"]')?.textContent ?? "";
                    const sent = Number.parseInt(text.replace(/\D/g, ""), 10);
                    const before = shown.get(row.dataset.device);
                    if (Number.isNaN(sent) || sent === before) continue;
                    if (before !== undefined) window.journeys.push(Date.now() - {began} - sent);
                    shown.set(row.dataset.device, sent);
                }}
                if (shown.size > 5) ready(true);
            }};
            new MutationObserver(look).observe(document.body, {{ subtree: true, childList: true, characterData: true }});
        }})"#
    ))
}

async fn evaluate(page: &mut Browser, script: &str) -> Result<serde_json::Value> {
    page.evaluate(script, PATIENCE).await?.map_err(|error| anyhow!("the page says: {error}"))
}

/// Everything between the devices and the browser.
struct JourneyStack {
    hub: Hub,
    signalr: Service,
    host: Host,
}

impl JourneyStack {
    async fn start(
        program: &Path,
        dashboard: &Path,
        folder: &Path,
        workspace: &Workspace,
    ) -> Result<JourneyStack> {
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let hub = Hub::start(HubConfig { listen, ..HubConfig::default() }).await?;
        let signalr = Service::start(ServiceConfig { listen, ..ServiceConfig::default() }).await?;
        let app = folder.join("app");
        let mut files = stage::app_files(&workspace.root)?;
        files.push(stage::program(program));
        stage::lay_out(&files, &app)?;
        let settings: BTreeMap<String, String> = [
            ("AzureSignalRConnectionString", signalr.connection_string()),
            ("EventHubName", HubConfig::default().entity),
            ("IoTHubConnectionString", hub.event_hub_connection_string()),
            ("StorageConnectionString", format!("Embedded={}", folder.join("state").display())),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        let config = HostConfig {
            app_root: app,
            listen,
            settings,
            static_dir: Some(dashboard.to_path_buf()),
            data_dir: None,
            keys: Vec::new(),
            log: LogSink::Quiet,
        };
        let host = Host::start(config).await?;
        Ok(JourneyStack { hub, signalr, host })
    }

    /// Starts devices that send until the set is dropped, spread over the period.
    fn send_on(&self, began: SystemTime) -> Result<JoinSet<()>> {
        let http = device::http_client()?;
        let mut devices = JoinSet::new();
        for number in 0..DEVICES {
            let id = format!("sensor-{number:03}");
            let connection =
                self.hub.device_connection_string(&id).context("the hub knows no such device")?;
            let device = Device::new(http.clone(), ConnectionString::parse(&connection)?, id);
            devices.spawn(async move {
                let mut turns = interval_at(Instant::now() + PERIOD * number / DEVICES, PERIOD);
                turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
                loop {
                    turns.tick().await;
                    let _refused: Result<_, Refusal> =
                        device.send(reading(began, number), SystemTime::now()).await;
                }
            });
        }
        Ok(devices)
    }

    async fn stop(self) {
        self.host.stop().await;
        self.hub.stop().await;
        self.signalr.stop().await;
    }
}

fn reading(began: SystemTime, number: u32) -> Vec<u8> {
    let sent = u64::try_from(began.elapsed().unwrap_or_default().as_millis()).unwrap_or_default();
    let temperature = 20.0 + f64::from(number % 10) / 2.0;
    json!({ "temperature": temperature, "light": sent, "geo": "Sydney" }).to_string().into_bytes()
}
