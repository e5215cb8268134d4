//! Calibration: value = raw × slope + intercept, per device and measurement, applied only where both are present. What is
//! there and cannot be read is not taken for absent: nobody knows what the device measured.

mod cache;
mod source;

pub use cache::CalibrationCache;
pub use source::{CalibrationSource, Calibrations};

use crate::primitives::stable_hash::stable_hash;
use crate::telemetry::catalogue::{CalibrationColumns, Catalogue, Measurement};

/// One measurement's correction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    /// Factor.
    pub slope: f64,
    /// Offset, in the measurement's unit.
    pub intercept: f64,
}

/// What a device's row says of one measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Correction {
    /// Nothing.
    Absent,
    /// One of the two columns alone, which corrects nothing.
    Half,
    Factors(Factors),
    /// Something that is no finite number.
    Unreadable,
}

/// The calibration of a measurement cannot be read, so nobody knows its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the calibration cannot be read")]
pub struct Unreadable;

/// One device's corrections, by position in the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    corrections: Vec<Correction>,
    version: String,
}

impl Calibration {
    /// From the columns of a calibration row; `None` is a column that is missing, and a number that is not finite one that
    /// cannot be read.
    pub fn from_columns(catalogue: &Catalogue, column: impl Fn(&str) -> Option<f64>) -> Calibration {
        let correction = |measurement: &Measurement| match &measurement.calibration {
            None => Correction::Absent,
            Some(columns) => match (column(&columns.slope), column(&columns.intercept)) {
                (None, None) => Correction::Absent,
                (Some(slope), Some(intercept)) if slope.is_finite() && intercept.is_finite() => {
                    Correction::Factors(Factors { slope, intercept })
                }
                (Some(one), None) | (None, Some(one)) if one.is_finite() => Correction::Half,
                _ => Correction::Unreadable,
            },
        };
        let corrections: Vec<Correction> = catalogue.measurements().iter().map(correction).collect();
        Calibration { version: version_of(&corrections), corrections }
    }

    /// The value that counts for a raw one.
    ///
    /// # Errors
    /// [`Unreadable`]: there is a correction, and nobody knows which.
    pub fn apply(&self, measurement: usize, raw: f64) -> Result<f64, Unreadable> {
        match self.corrections.get(measurement) {
            Some(Correction::Factors(factors)) => Ok(raw * factors.slope + factors.intercept),
            Some(Correction::Unreadable) => Err(Unreadable),
            Some(Correction::Absent | Correction::Half) | None => Ok(raw),
        }
    }

    /// What is wrong with it, a sentence for each measurement: for those who keep the table.
    pub fn problems<'a>(&'a self, catalogue: &'a Catalogue) -> impl Iterator<Item = String> + 'a {
        catalogue.measurements().iter().zip(&self.corrections).filter_map(|(measurement, correction)| {
            let CalibrationColumns { slope, intercept } = measurement.calibration.as_ref()?;
            let name = &measurement.name;
            match correction {
                Correction::Unreadable => Some(format!(
                    "{slope} and {intercept} must both be finite numbers: readings with {name} are rejected until they are"
                )),
                Correction::Half => {
                    Some(format!("of {slope} and {intercept} only one is there: {name} is not corrected"))
                }
                Correction::Absent | Correction::Factors(_) => None,
            }
        })
    }

    /// Changes whenever a factor changes; stored with the state that was computed with it.
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn version_of(corrections: &[Correction]) -> String {
    let bytes: Vec<u8> = corrections
        .iter()
        .flat_map(|correction| match correction {
            Correction::Factors(Factors { slope, intercept }) => [slope.to_bits(), intercept.to_bits()],
            Correction::Absent | Correction::Half => [f64::NAN.to_bits(); 2],
            Correction::Unreadable => [f64::INFINITY.to_bits(); 2],
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
        assert_eq!(both.apply(0, 20.0), Ok(39.0));
        assert_eq!(both.apply(2, 40.0), Ok(40.0));
        assert_eq!(both.apply(3, 5.0), Ok(5.0));
        let said: Vec<String> = both.problems(&Catalogue::environment()).collect();
        assert_eq!(
            said,
            ["of HumiditySlope and HumidityYIntercept only one is there: humidity is not corrected"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_absent() {
        for columns in [
            &[("TemperatureSlope", f64::NAN), ("TemperatureYIntercept", 0.0)][..],
            &[("TemperatureSlope", 1.0), ("TemperatureYIntercept", f64::INFINITY)],
            &[("TemperatureYIntercept", f64::NAN)],
        ] {
            let unreadable = from(columns);
            assert_eq!(unreadable.apply(0, 20.0), Err(Unreadable));
            assert_eq!(unreadable.apply(1, 1000.0), Ok(1000.0), "the others are not concerned");
            assert_ne!(unreadable.version(), from(&[]).version());
            let said: Vec<String> = unreadable.problems(&Catalogue::environment()).collect();
            let expected = "TemperatureSlope and TemperatureYIntercept must both be finite numbers: \
                            readings with temperature are rejected until they are";
            assert_eq!(said, [expected]);
        }
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
