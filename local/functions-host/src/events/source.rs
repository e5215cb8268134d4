//! The read side of the local IoT Hub stand-in: partitions and pages of events over plain HTTP.

use std::time::Duration;

use axum::http::{StatusCode, uri::Authority};
use base64::{Engine, engine::general_purpose::STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    envelope::{event::Event, json::Json},
    wire::{self, Client},
};

/// One event hub at one address.
#[derive(Clone)]
pub(crate) struct Source {
    client: Client,
    authority: Authority,
    entity: String,
}

/// The partitions of an event hub.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Topology {
    pub(crate) namespace: String,
    pub(crate) entity: String,
    pub(crate) partitions: Vec<String>,
}

/// Events from a sequence number on, and the highest sequence number in the partition.
#[derive(Debug)]
pub(crate) struct EventPage {
    pub(crate) events: Vec<Event>,
    pub(crate) last: Option<u64>,
}

#[derive(Deserialize)]
struct WirePage {
    events: Vec<WireEvent>,
    last: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEvent {
    sequence_number: u64,
    offset: String,
    enqueued_time: String,
    body: String,
    properties: Json,
    system_properties: Json,
}

impl Source {
    pub(crate) fn new(client: Client, authority: Authority, entity: &str) -> Source {
        Source { client, authority, entity: utf8_percent_encode(entity, NON_ALPHANUMERIC).to_string() }
    }

    pub(crate) async fn topology(&self) -> Result<Topology, String> {
        self.get(&format!("/$events/{}/partitions", self.entity)).await
    }

    /// Up to `max` events from `from` on; waits up to `wait` for the first one.
    pub(crate) async fn read(
        &self,
        partition: &str,
        from: u64,
        max: usize,
        wait: Duration,
    ) -> Result<EventPage, String> {
        let partition = utf8_percent_encode(partition, NON_ALPHANUMERIC);
        let path = format!(
            "/$events/{}/partitions/{partition}?from={from}&max={max}&wait={}",
            self.entity,
            wait.as_millis()
        );
        let page: WirePage = self.get(&path).await?;
        let events = page.events.into_iter().map(WireEvent::decode).collect::<Result<_, _>>()?;
        Ok(EventPage { events, last: page.last })
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let (status, body) = wire::get(&self.client, self.authority.as_str(), path).await?;
        if status == StatusCode::NOT_FOUND {
            return Err("there is no such event hub or partition".to_owned());
        }
        if status != StatusCode::OK {
            return Err(format!("it answered {status}"));
        }
        serde_json::from_slice(&body).map_err(|error| {
            format!("its answer is not understood at line {} column {}", error.line(), error.column())
        })
    }
}

impl WireEvent {
    fn decode(self) -> Result<Event, String> {
        let number = self.sequence_number;
        let body =
            STANDARD.decode(&self.body).map_err(|_| format!("the body of event {number} is not base64"))?;
        Ok(Event {
            sequence_number: self.sequence_number,
            offset: self.offset,
            enqueued: self
                .enqueued_time
                .parse()
                .map_err(|_| format!("the time of event {number} is no time"))?,
            body,
            properties: self.properties,
            system_properties: self.system_properties,
        })
    }
}

impl EventPage {
    /// Whether the partition holds less than was read already, because the hub was restarted without its data.
    pub(crate) fn is_behind(&self, position: u64) -> bool {
        self.last.map_or(0, |last| last + 1) < position
    }
}
