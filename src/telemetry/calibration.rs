//! Calibration: value = raw × slope + intercept, per device and measurement, applied only where both are present.

mod cache;
mod source;

pub use cache::CalibrationCache;
pub use source::{CalibrationSource, Calibrations};

use crate::primitives::stable_hash::stable_hash;
use crate::telemetry::catalogue::Catalogue;

/// One measurement's correction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Factor.
    pub slope: f64,
    /// Offset, in the measurement's unit.
    pub intercept: f64,
}

/// One device's corrections, by position in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    factors: Vec<Option<Factors>>,
    version: String,
}

impl Calibration {
    /// From the numeric columns of a calibration row. Columns that are missing or not finite count as absent.
    pub fn from_columns(catalogue: &Catalogue, column: impl Fn(&str) -> Option<f64>) -> Calibration {
        let finite = |name: &str| column(name).filter(|value| value.is_finite());
        let factors: Vec<Option<Factors>> = catalogue
            .measurements()
            .iter()
            .map(|measurement| {
                let columns = measurement.calibration.as_ref()?;
                Some(Factors { slope: finite(&columns.slope)?, intercept: finite(&columns.intercept)? })
            })
            .collect();
        Calibration { version: version_of(&factors), factors }
    }

    /// The value that counts for a raw one.
    pub fn apply(&self, measurement: usize, raw: f64) -> f64 {
        match self.factors.get(measurement) {
            Some(Some(factors)) => raw * factors.slope + factors.intercept,
            _ => raw,
        }
    }

    /// Changes whenever a factor changes; stored with the state that was computed with it.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn version_of(factors: &[Option<Factors>]) -> String {
    let bytes: Vec<u8> = factors
        .iter()
        .flat_map(|factors| match factors {
            Some(Factors { slope, intercept }) => [slope.to_bits(), intercept.to_bits()],
            None => [f64::NAN.to_bits(); 2],
        })
        .flat_map(u64::to_be_bytes)
        .collect();
    format!("{:016x}", stable_hash(&bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(columns: &[(&str, f64)]) -> Calibration {
        Calibration::from_columns(&Catalogue::environment(), |name| {
            columns.iter().find(|(column, _)| *column == name).map(|(_, value)| *value)
        })
    }

    #[test]
    fn both_factors_are_needed() {
        let both =
            from(&[("TemperatureSlope", 2.0), ("TemperatureYIntercept", -1.0), ("HumiditySlope", 3.0)]);
        assert_eq!(both.apply(0, 20.0), 39.0);
        assert_eq!(both.apply(2, 40.0), 40.0);
        assert_eq!(both.apply(3, 5.0), 5.0);
        assert_eq!(
            from(&[("TemperatureSlope", f64::NAN), ("TemperatureYIntercept", 0.0)]).apply(0, 20.0),
            20.0
        );
    }

    #[test]
    fn the_version_follows_the_factors() {
        let one = from(&[("TemperatureSlope", 2.0), ("TemperatureYIntercept", 0.0)]);
        let same = from(&[("TemperatureYIntercept", 0.0), ("TemperatureSlope", 2.0)]);
        let other = from(&[("TemperatureSlope", 2.0), ("TemperatureYIntercept", 0.5)]);
        assert_eq!(one.version(), same.version());
        assert_ne!(one.version(), other.version());
    }
}
