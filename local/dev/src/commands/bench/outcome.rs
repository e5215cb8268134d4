//! How a measurement ended: with figures, or with the reason why there are none.

use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum MeasurementOutcome<M> {
    Measured(M),
    LeftOut {
        reason: String,
    },
    /// The handler refused a batch or lost readings, so that its figures do not count.
    Failed {
        reason: String,
    },
}

impl<M> MeasurementOutcome<M> {
    pub(super) fn measured(&self) -> Option<&M> {
        match self {
            MeasurementOutcome::Measured(measured) => Some(measured),
            MeasurementOutcome::LeftOut { .. } | MeasurementOutcome::Failed { .. } => None,
        }
    }
}
