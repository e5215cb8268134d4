//! A simulated fleet: devices that send over HTTP with tokens of their own, and retry as real devices do.

mod areas;
mod measured;

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use rand::RngExt;
use reqwest::Client;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::{
    connection_string::ConnectionString,
    device::{Device, Refusal},
};
use areas::{AREAS, Area};
use measured::Signal;

/// Mean time between two readings of a device.
const INTERVAL: Duration = Duration::from_secs(2);
/// The tries of one reading, which take about two minutes. After that newer values matter more.
const TRIES: u32 = 8;
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The running devices. They stop when this is dropped.
pub(crate) struct Fleet {
    devices: JoinSet<()>,
}

impl Fleet {
    /// Starts `size` devices. `connection_string` returns the one of a device id; `catalogue` is the app's
    /// `telemetry.json`, which may not exist.
    pub(crate) fn start(
        size: u16,
        http: &Client,
        catalogue: &Path,
        connection_string: impl Fn(&str) -> Option<String>,
    ) -> Result<Fleet> {
        let mut devices = JoinSet::new();
        let own = measured::of_catalogue(catalogue)?;
        for number in 0..size {
            let area = &AREAS[usize::from(number) % AREAS.len()];
            let id = format!("{}-{:02}", area.id, usize::from(number) / AREAS.len() + 1);
            let connection =
                connection_string(&id).with_context(|| format!("the hub knows no device {id}"))?;
            let device = Device::new(http.clone(), ConnectionString::parse(&connection)?, id);
            let signals = own.clone().unwrap_or_else(|| measured::of_weather(area));
            let sensor = Sensor { device, area, signals, sent: 0 };
            devices.spawn(sensor.work());
        }
        Ok(Fleet { devices })
    }

    /// Ends every device.
    pub(crate) async fn stop(mut self) {
        self.devices.shutdown().await;
    }
}

struct Sensor {
    device: Device,
    area: &'static Area,
    signals: Vec<Signal>,
    sent: u64,
}

impl Sensor {
    async fn work(mut self) {
        // Devices do not start all at once.
        tokio::time::sleep(INTERVAL.mul_f64(rand::random())).await;
        loop {
            let reading = self.next_reading(|| rand::rng().random_range(-1.0..1.0));
            self.deliver(&reading).await;
            let pause = INTERVAL.mul_f64(rand::rng().random_range(0.7..1.3));
            tokio::time::sleep(pause).await;
        }
    }

    fn next_reading(&mut self, noise: impl Fn() -> f64) -> Value {
        self.sent += 1;
        let mut reading = Map::new();
        reading.insert("deviceId".to_owned(), json!(self.device.id()));
        reading.insert("messageId".to_owned(), json!(self.sent));
        reading.insert("geo".to_owned(), json!(self.area.name));
        for signal in &mut self.signals {
            reading.insert(signal.name.clone(), json!(signal.next(noise())));
        }
        Value::Object(reading)
    }

    /// Sends until the hub accepts the reading or refuses it for good, or until it is too old to matter.
    async fn deliver(&self, reading: &Value) {
        for attempt in 1..=TRIES {
            let body = reading.to_string().into_bytes();
            let Err(refusal) = self.device.send(body, SystemTime::now()).await else {
                return;
            };
            if !refusal.is_transient() || attempt == TRIES {
                return complain(self.device.id(), &refusal);
            }
            tokio::time::sleep(wait_before(attempt, &refusal, rand::random())).await;
        }
    }
}

/// One second, doubled with each failed try. Half of it is random, so that devices do not retry in step. Longer when
/// the hub asks for it.
fn wait_before(attempt: u32, refusal: &Refusal, chance: f64) -> Duration {
    let doubled = Duration::from_secs(1 << attempt.min(5)).min(LONGEST_WAIT);
    let jittered = doubled.mul_f64(0.5 + chance / 2.0);
    match refusal {
        Refusal::Answered { wait: Some(asked), .. } => jittered.max(*asked),
        _ => jittered,
    }
}

fn complain(device: &str, refusal: &Refusal) {
    match refusal {
        Refusal::Answered { status, words, .. } => {
            eprintln!("fleet: the hub refused a reading of {device} ({}): {words}", status.as_u16());
        }
        Refusal::Unreachable(_) => {
            eprintln!("fleet: a reading of {device} was given up: the hub does not answer")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::StatusCode;

    #[test]
    fn waits_grow_and_stay_bounded() {
        let refusal = Refusal::Answered { status: StatusCode::BAD_GATEWAY, words: String::new(), wait: None };
        let waits: Vec<u64> =
            (1..=TRIES).map(|attempt| wait_before(attempt, &refusal, 1.0).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30, 30, 30]);
        assert_eq!(wait_before(1, &refusal, 0.0), Duration::from_secs(1));
    }

    #[test]
    fn the_hubs_wish_to_wait_is_respected() {
        let wait = Some(Duration::from_secs(60));
        let refusal = Refusal::Answered { status: StatusCode::TOO_MANY_REQUESTS, words: String::new(), wait };
        assert_eq!(wait_before(1, &refusal, 0.5), Duration::from_secs(60));
    }
}
