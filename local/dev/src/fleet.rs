//! A simulated fleet: devices that send over HTTP with tokens of their own and try again as real ones do.

mod measured;
mod places;

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
    connection::Connection,
    device::{Device, Refusal},
};
use measured::Signal;
use places::{PLACES, Place};

/// Mean time between two readings of a device.
const INTERVAL: Duration = Duration::from_secs(2);
/// A reading is given up after this many tries: about two minutes of waiting, then newer values matter more.
const TRIES: u32 = 8;
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The devices at work; they stop when this is dropped.
pub(crate) struct Fleet {
    devices: JoinSet<()>,
}

impl Fleet {
    /// Starts `size` devices. `connection_string` gives each its own; `catalogue` is the app's `telemetry.json`,
    /// which may not exist.
    pub(crate) fn start(
        size: u16,
        http: &Client,
        catalogue: &Path,
        connection_string: impl Fn(&str) -> Option<String>,
    ) -> Result<Fleet> {
        let mut devices = JoinSet::new();
        let own = measured::of_catalogue(catalogue)?;
        for number in 0..size {
            let place = &PLACES[usize::from(number) % PLACES.len()];
            let id = format!("{}-{:02}", place.id, usize::from(number) / PLACES.len() + 1);
            let connection =
                connection_string(&id).with_context(|| format!("the hub knows no device {id}"))?;
            let device = Device::new(http.clone(), Connection::parse(&connection)?, id);
            let signals = own.clone().unwrap_or_else(|| measured::of_weather(place));
            let sensor = Sensor { device, place, signals, sent: 0 };
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
    place: &'static Place,
    signals: Vec<Signal>,
    sent: u64,
}

impl Sensor {
    async fn work(mut self) {
        // Devices are not switched on all at once.
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
        reading.insert("geo".to_owned(), json!(self.place.name));
        for signal in &mut self.signals {
            reading.insert(signal.name.clone(), json!(signal.next(noise())));
        }
        Value::Object(reading)
    }

    /// Sends until the hub takes the reading, refuses it for good, or it is too old to matter.
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

/// One second, doubled with each failed attempt, half of it by chance so that devices do not return in step; longer
/// when the hub asks for it.
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
