//! The JSON of a snapshot, written device by device, so that its beginning can be sent before the last device is read.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use super::damaged::DamagedView;
use super::wanted::{Continuation, Cursor};
use crate::devices::state::DeviceState;
use crate::primitives::ids::DeviceId;
use crate::primitives::json::append_json;
use crate::primitives::stable_hash::stable_hash;
use crate::telemetry::catalogue::{Catalogue, Kind, Measurement};

/// What is written of a snapshot and not yet taken away to be sent.
pub(super) struct Text {
    catalogue: Arc<Catalogue>,
    written: Vec<u8>,
    /// The list of those elsewhere, which has to wait until the list of devices ends.
    elsewhere: Vec<u8>,
    has_devices: bool,
}

/// A changed device that is in none of the areas asked for: a client that shows it as being there removes it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Elsewhere<'a> {
    device_id: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    module: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<Cow<'a, str>>,
    geo: Option<&'a str>,
    version: i64,
}

/// What a page needs to draw a measurement.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    unit: &'a str,
    min: Option<f64>,
    max: Option<f64>,
    /// What the values are, where they are no numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<Kind>,
    #[serde(skip_serializing_if = "<[serde_json::Value]>::is_empty")]
    values: &'a [serde_json::Value],
}

impl<'a> From<&'a Measurement> for Shown<'a> {
    fn from(measurement: &'a Measurement) -> Shown<'a> {
        let Measurement { name, unit, min, max, kind, values, .. } = measurement;
        let kind = Some(*kind).filter(|kind| *kind != Kind::Number);
        Shown { name, unit, min: *min, max: *max, kind, values }
    }
}

impl Text {
    pub(super) fn new(catalogue: Arc<Catalogue>) -> Text {
        let written = br#"{"devices":["#.to_vec();
        Text { catalogue, written, elsewhere: Vec::new(), has_devices: false }
    }

    /// Adds a device that is asked for.
    pub(super) fn push(&mut self, state: &DeviceState) {
        self.begin_device();
        append_json(&mut self.written, &state.view(&self.catalogue));
    }

    /// Adds a device whose row cannot be read.
    pub(super) fn push_damaged(&mut self, device: &DeviceId, problem: &str) {
        self.begin_device();
        append_json(&mut self.written, &DamagedView { device, problem, catalogue: &self.catalogue });
    }

    fn begin_device(&mut self) {
        if self.has_devices {
            self.written.push(b',');
        }
        self.has_devices = true;
    }

    /// Adds a device that changed and is in none of the areas asked for.
    pub(super) fn push_elsewhere(&mut self, state: &DeviceState) {
        if !self.elsewhere.is_empty() {
            self.elsewhere.push(b',');
        }
        let geo = state.geo.as_ref().map(|geo| geo.value.as_str());
        let elsewhere = Elsewhere {
            device_id: state.device.device(),
            module: state.device.module(),
            component: state.device.component(),
            geo,
            version: state.version,
        };
        append_json(&mut self.elsewhere, &elsewhere);
    }

    /// Bytes that are held.
    pub(super) fn len(&self) -> usize {
        self.written.len() + self.elsewhere.len()
    }

    /// Bytes that [`take`](Text::take) would give.
    pub(super) fn ready(&self) -> usize {
        self.written.len()
    }

    /// Takes away what can be sent.
    pub(super) fn take(&mut self) -> Vec<u8> {
        let next = Vec::with_capacity(self.written.capacity());
        std::mem::replace(&mut self.written, next)
    }

    /// Writes the rest. Returns it with a number that stands for all that was written since the last
    /// [`take`](Text::take), except for the cursor: it moves on while nothing changes.
    pub(super) fn end(mut self, cursor: &Cursor, continuation: Option<&Continuation>) -> (Vec<u8>, u64) {
        let text = &mut self.written;
        text.extend(br#"],"measurements":"#);
        let measurements: Vec<Shown<'_>> = self.catalogue.measurements().iter().map(Shown::from).collect();
        append_json(text, &measurements);
        if !self.elsewhere.is_empty() {
            text.extend(br#","elsewhere":["#);
            text.append(&mut self.elsewhere);
            text.push(b']');
        }
        let version = stable_hash(text);
        text.extend(br#","cursor":"#);
        append_json(text, &cursor.to_text());
        if let Some(continuation) = continuation {
            text.extend(br#","continuation":"#);
            append_json(text, &continuation.to_text());
        }
        text.push(b'}');
        (self.written, version)
    }
}
