//! Devices that say valid, impossible and unreadable things from a seed, and remember what must have become of it.

use fieldcast_tables::{Entity, Value};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use crate::stack::{Account, Stack};

/// One device. What it remembers was accepted by the hub.
pub(crate) struct Sensor {
    name: String,
    dice: StdRng,
    messages: u32,
    /// Valid readings so far.
    count: i64,
    /// The last valid reading: temperature and message id.
    last: Option<(f64, String)>,
    /// The bytes of every body of which something must be rejected; no two are the same.
    rejected: Vec<Vec<u8>>,
}

impl Sensor {
    pub(crate) fn fleet(size: u64, seed: u64) -> Vec<Sensor> {
        let sensor = |number| Sensor {
            name: format!("sensor-{number:02}"),
            dice: StdRng::seed_from_u64(seed ^ number),
            messages: 0,
            count: 0,
            last: None,
            rejected: Vec::new(),
        };
        (0..size).map(sensor).collect()
    }

    /// Sends the next message, and insists that the hub accepts it.
    pub(crate) async fn send(&mut self, stack: &Stack) {
        self.messages += 1;
        let body = match self.dice.random_range(0..10) {
            0 => self.rejected(self.unreadable()),
            1 => self.rejected(self.impossible("only")),
            2 => {
                let body = format!("[{},{},{}]", self.valid("a"), self.impossible("b"), self.valid("c"));
                self.rejected(body)
            }
            _ => self.valid("only"),
        };
        stack.send(&self.name, body).await;
    }

    fn id(&self, part: &str) -> String {
        format!("{}/{}/{part}", self.name, self.messages)
    }

    fn valid(&mut self, part: &str) -> String {
        let (temperature, id) = (self.dice.random_range(-40.0..80.0), self.id(part));
        let reading = json!({ "temperature": temperature, "messageId": id }).to_string();
        self.count += 1;
        self.last = Some((temperature, id));
        reading
    }

    fn impossible(&self, part: &str) -> String {
        json!({ "temperature": 900, "messageId": self.id(part) }).to_string()
    }

    fn unreadable(&self) -> String {
        format!("{{\"temperature\":20,\"messageId\":\"{}\"", self.id("only"))
    }

    /// Remembers a body of which one reading must be rejected.
    fn rejected(&mut self, body: String) -> String {
        self.rejected.push(body.clone().into_bytes());
        body
    }
}

/// Messages, valid readings and rejected readings of all.
pub(crate) fn totals(sensors: &[Sensor]) -> (u32, i64, usize) {
    let messages = sensors.iter().map(|sensor| sensor.messages).sum();
    let valid = sensors.iter().map(|sensor| sensor.count).sum();
    (messages, valid, sensors.iter().map(|sensor| sensor.rejected.len()).sum())
}

/// Every row has its device's count and its last values, and every rejected reading stands there once.
pub(crate) async fn check_tables(sensors: &[Sensor], account: &Account) {
    let wanted: Vec<_> = sensors.iter().filter(|sensor| sensor.count > 0).map(wanted_row).collect();
    let mut rows: Vec<_> = account.all_rows("DeviceState").await.iter().map(found_row).collect();
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    for (wanted, row) in wanted.iter().zip(&rows) {
        assert_eq!(row, wanted, "device, count, temperature, message id");
    }
    assert_eq!(rows.len(), wanted.len());

    let mut wanted: Vec<&[u8]> =
        sensors.iter().flat_map(|sensor| sensor.rejected.iter().map(Vec::as_slice)).collect();
    let rejected = account.all_rows("RejectedTelemetry").await;
    let mut found: Vec<&[u8]> =
        rejected.iter().map(|row| row.get("Body").unwrap().as_bytes().unwrap()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    let text = |bodies: &[&[u8]]| -> Vec<String> {
        bodies.iter().map(|body| String::from_utf8_lossy(body).into_owned()).collect()
    };
    assert_eq!(text(&found), text(&wanted), "every body with a rejected reading once");
}

type Row = (String, i64, f64, String);

fn wanted_row(sensor: &Sensor) -> Row {
    let (temperature, id) = sensor.last.clone().expect("a counted reading");
    (sensor.name.clone(), sensor.count, temperature, id)
}

fn found_row(row: &Entity) -> Row {
    let number = |name| row.get(name).and_then(Value::as_f64).unwrap();
    let id = row.get("Id").and_then(Value::as_str).unwrap().to_owned();
    (row.row.clone(), row.get("Count").and_then(Value::as_i64).unwrap(), number("Celsius"), id)
}
