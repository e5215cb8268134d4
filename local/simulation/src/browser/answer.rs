//! What the engine says.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::workload::Following;

/// An answer to a command.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(crate) requests: Vec<Wish>,
    /// When its earliest timer is due, milliseconds since 1970.
    pub(crate) wake_at: Option<i64>,
    #[serde(default)]
    pub(crate) screens: Vec<ScreenState>,
    #[serde(default)]
    pub(crate) violations: Vec<Broken>,
    pub(crate) shown: Option<Shown>,
}

/// What a screen wants of the world around it.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub(crate) enum Wish {
    /// A connection.
    Start { screen: usize, connection: u64 },
    /// The end of one.
    End { screen: usize, connection: u64 },
    /// An HTTP call.
    Fetch { screen: usize, request: u64, method: String, path: String, body: Option<String> },
    /// Nobody waits for an HTTP call any more.
    Abort {},
}

/// What has changed of a screen.
#[derive(Debug, Deserialize)]
pub(crate) struct ScreenState {
    pub(crate) screen: usize,
    pub(crate) status: String,
    /// When the question was asked whose answer it took in last, milliseconds since 1970.
    pub(crate) loaded: Option<i64>,
}

/// A promise of the page that was broken.
#[derive(Debug, Deserialize)]
pub(crate) struct Broken {
    pub(crate) screen: usize,
    pub(crate) promise: String,
    pub(crate) detail: String,
}

/// What somebody sees who looks at a screen.
#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    pub(crate) following: Following,
    pub(crate) devices: Vec<Device>,
}

/// A device as a screen shows it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Device {
    pub(crate) device_id: String,
    pub(crate) geo: Option<String>,
    /// Only measurements that are there.
    pub(crate) values: BTreeMap<String, f64>,
    pub(crate) count: i64,
    pub(crate) version: i64,
    pub(crate) reported_at: Option<String>,
    pub(crate) changed_at: Option<String>,
}
