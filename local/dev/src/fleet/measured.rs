//! What a simulated device measures: values that drift around the usual ones, like weather or machines.

use std::{fs, io::ErrorKind, path::Path};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::areas::Area;

/// One measured value over time. Pure: the noise of each step is a parameter.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) name: String,
    value: f64,
    usual: f64,
    /// The largest random change in one step.
    step: f64,
    low: f64,
    high: f64,
    decimals: i32,
}

/// How much of the distance to the usual value each step takes back, so that excursions last minutes and not hours.
const PULL: f64 = 0.02;

impl Signal {
    fn new(name: &str, usual: f64, step: f64, (low, high): (f64, f64), decimals: i32) -> Signal {
        Signal { name: name.to_owned(), value: usual, usual, step, low, high, decimals }
    }

    /// The next value, with `noise` between -1 and 1.
    pub(super) fn next(&mut self, noise: f64) -> f64 {
        let wandered = self.value + (self.usual - self.value) * PULL + noise * self.step;
        self.value = wandered.clamp(self.low, self.high);
        let scale = 10_f64.powi(self.decimals);
        (self.value * scale).round() / scale
    }
}

/// The built-in catalogue's measurements at `area`.
pub(super) fn of_weather(area: &Area) -> Vec<Signal> {
    let position = |name, degrees| Signal::new(name, degrees, 0.0005, (degrees - 0.01, degrees + 0.01), 5);
    vec![
        Signal::new("temperature", area.temperature, 0.25, (-20.0, 48.0), 1),
        Signal::new("humidity", area.humidity, 0.8, (5.0, 100.0), 1),
        Signal::new("pressure", area.pressure, 0.3, (850.0, 1050.0), 1),
        Signal::new("light", 600.0, 25.0, (0.0, 1000.0), 0),
        position("latitude", area.latitude),
        position("longitude", area.longitude),
    ]
}

#[derive(Deserialize)]
struct Catalogue {
    measurements: Vec<Measurement>,
}

#[derive(Deserialize)]
struct Measurement {
    name: String,
    #[serde(default)]
    spellings: Vec<serde_json::Value>,
    kind: Option<String>,
    min: Option<f64>,
    max: Option<f64>,
}

/// The measurements of a catalogue file, which drift within their valid ranges; `None` when there is no such file.
pub(super) fn of_catalogue(file: &Path) -> Result<Option<Vec<Signal>>> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).context("telemetry.json cannot be read"),
    };
    let catalogue: Catalogue = serde_json::from_str(&text).context("telemetry.json is not a catalogue")?;
    Ok(Some(catalogue.measurements.iter().filter(is_number).map(of_measurement).collect()))
}

fn of_measurement(measurement: &Measurement) -> Signal {
    let (low, high) = match (measurement.min, measurement.max) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low + 100.0),
        (None, Some(high)) => (high - 100.0, high),
        (None, None) => (0.0, 100.0),
    };
    let name = plain_spelling(measurement).unwrap_or(&measurement.name);
    Signal::new(name, f64::midpoint(low, high), (high - low) / 100.0, (low, high), 3)
}

/// Texts and flags do not drift.
fn is_number(measurement: &&Measurement) -> bool {
    measurement.kind.as_deref().is_none_or(|kind| kind == "number")
}

/// The first spelling that is a member's name and needs no conversion.
fn plain_spelling(measurement: &Measurement) -> Option<&str> {
    measurement.spellings.iter().filter_map(|spelling| spelling.as_str()).find(|name| !name.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_returns_to_what_is_usual() {
        let mut signal = Signal::new("t", 20.0, 1.0, (0.0, 40.0), 1);
        (0..10).for_each(|_| {
            signal.next(1.0);
        });
        assert!(signal.value > 25.0, "{signal:?}");
        (0..400).for_each(|_| {
            signal.next(0.0);
        });
        assert!((signal.value - 20.0).abs() < 0.1, "{signal:?}");
    }

    #[test]
    fn a_signal_stays_in_its_range_and_is_rounded() {
        let mut signal = Signal::new("h", 99.0, 5.0, (5.0, 100.0), 1);
        for _ in 0..50 {
            let value = signal.next(0.999);
            assert!(value <= 100.0);
            assert!((value * 10.0 - (value * 10.0).round()).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn a_catalogue_of_ones_own_is_measured_under_its_spellings() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("telemetry.json");
        assert!(of_catalogue(&file)?.is_none());

        fs::write(
            &file,
            r#"{"measurements":[{"name":"revolutions","spellings":["/motor/rpm",
                {"path":"rps","scale":60},"rpm"],"column":"R","min":0,"max":200},
                {"name":"door","kind":"text","spellings":["door"],"column":"Door"}]}"#,
        )?;
        let mut signals = of_catalogue(&file)?.expect("there is a file");
        assert_eq!(signals.iter().map(|signal| signal.name.as_str()).collect::<Vec<_>>(), ["rpm"]);
        assert!((signals[0].next(0.0) - 100.0).abs() < f64::EPSILON);
        Ok(())
    }
}
