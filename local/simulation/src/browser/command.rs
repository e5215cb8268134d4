//! What the engine is told.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::workload::Following;

/// A command and its moment.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) now: i64,
    #[serde(flatten)]
    pub(super) command: &'a Command<'a>,
}

/// One line, with its end.
pub(super) fn encoded(line: &Line<'_>) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("commands are plain data");
    bytes.push(b'\n');
    bytes
}

/// Commands as `engine.mjs` knows them.
#[derive(Serialize)]
#[serde(tag = "do", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(crate) enum Command<'a> {
    Begin { screens: &'a [Settings] },
    Start { screen: usize },
    Follow { screen: usize, following: &'a Following },
    RetryNow { screen: usize },
    Advance,
    Started { connection: u64, connection_id: &'a str },
    StartFailed { connection: u64, step: Step, status: Option<u16> },
    Message { connection: u64, target: &'a str, arguments: &'a RawValue },
    Closed { connection: u64 },
    Fetched { request: u64, status: u16, headers: Headers, body: &'a str },
    FetchFailed { request: u64 },
    Show { screen: usize },
}

/// One screen.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Settings {
    pub(crate) following: Following,
    pub(crate) seed: u32,
    pub(crate) without: Option<&'static str>,
    pub(crate) attentive: bool,
}

/// Where a connection failed.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Step {
    Negotiate,
    Push,
}

/// The headers of an HTTP answer that are of interest to the page.
#[derive(Serialize)]
pub(crate) struct Headers {
    pub(crate) date: String,
}
