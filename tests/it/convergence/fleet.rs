//! Two hundred devices in four areas; now and then one moves. Half of them fall silent when the chaos ends.

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::stack::Stack;

const DEVICES: usize = 200;
/// The devices before this one go on reporting to the end.
const LIVELY: usize = DEVICES / 2;
const IN_A_ROUND: usize = 20;
/// One has a comma, which the Functions host joins repeated parameters with.
const AREAS: [&str; 4] = ["Bondi", "Hay, WA", "Manly", "Sydney"];

pub(crate) struct Fleet {
    dice: StdRng,
    /// Where each device is: an index into the areas.
    places: Vec<usize>,
}

impl Fleet {
    pub(crate) fn new(seed: u64) -> Fleet {
        let places = (0..DEVICES).map(|device| device % AREAS.len()).collect();
        Fleet { dice: StdRng::seed_from_u64(seed), places }
    }

    pub(crate) async fn send_all(&mut self, stack: &Stack) {
        self.send(stack, (0..DEVICES).collect()).await;
        stack.drained().await;
    }

    pub(crate) async fn send_some(&mut self, stack: &Stack) {
        let devices = (0..IN_A_ROUND).map(|_| self.dice.random_range(0..DEVICES)).collect();
        self.send(stack, devices).await;
    }

    pub(crate) async fn send_lively(&mut self, stack: &Stack) {
        self.send(stack, (0..LIVELY).collect()).await;
    }

    async fn send(&mut self, stack: &Stack, devices: Vec<usize>) {
        let readings: Vec<_> = devices.into_iter().map(|device| (device, self.reading(device))).collect();
        let send = async |(device, body)| stack.send(&format!("sensor-{device:03}"), body).await;
        join_all(readings.into_iter().map(send)).await;
    }

    fn reading(&mut self, device: usize) -> String {
        if self.dice.random_ratio(1, 10) {
            self.places[device] = self.dice.random_range(0..AREAS.len());
        }
        let temperature: f64 = self.dice.random_range(-40.0..80.0);
        json!({ "temperature": temperature, "geo": AREAS[self.places[device]] }).to_string()
    }
}
