//! What a device said in one object. Pure data.

use crate::primitives::ids::DeviceId;
use crate::primitives::instant::Millis;
use crate::rejected::reading::Rejection;
use crate::telemetry::measured::Measured;

/// What a device said in one JSON object: raw values, not yet calibrated or validated.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Who said it.
    pub device: DeviceId,
    /// The message id: the body's, or else an enrichment's or the message's own.
    pub message_id: Option<String>,
    /// The area, e.g. a city.
    pub geo: Option<String>,
    /// Values that are present: position in the catalogue, value in the measurement's unit.
    pub raw: Vec<(usize, Measured)>,
    /// When it was measured, where the body says so.
    pub measured_at: Option<Millis>,
    /// Whether the body says a time that is none, or that no device has measured at.
    pub clock_ignored: bool,
}

impl Reading {
    /// Bytes of its texts.
    pub fn text_length(&self) -> usize {
        let measured = self.raw.iter().map(|(_, value)| value.text_length()).sum::<usize>();
        let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        measured + of(&self.geo) + of(&self.message_id)
    }
}

/// A rejection of this device.
pub(super) fn named(mut rejection: Rejection, device: Option<&str>) -> Rejection {
    rejection.device = device.map(str::to_owned);
    rejection
}
