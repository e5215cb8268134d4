//! Messages as devices send them, each with what a reader should find in it.

use crate::scenario::Moment;

/// One message of a device.
#[derive(Debug)]
pub struct Message {
    /// Who sends it, by index.
    pub device: usize,
    /// Its sequence number; in a manual run there is none.
    pub sequence: Option<i64>,
    /// When it reaches the hub.
    pub arrives: Moment,
    /// When the hub says that it did; its clock may step back.
    pub enqueued_at: i64,
    /// When the device says that it made the message; nothing: it does not say.
    pub created_at: Option<i64>,
    /// Whether the hub stamps the device's identity. Without it the body names the device.
    pub stamped: bool,
    /// What the device sent.
    pub body: Vec<u8>,
    /// What a reader should find in it.
    pub readings: Vec<Reading>,
}

/// One reading of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// Something to be judged by its temperature.
    Said {
        /// Unique in the run.
        message_id: String,
        /// Before calibration.
        temperature: f64,
        /// Where the reading has one; never calibrated, always valid.
        humidity: Option<f64>,
    },
    /// Something that is no reading under any calibration.
    Poison,
}
