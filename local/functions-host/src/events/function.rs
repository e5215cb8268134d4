//! A function with an Event Hub trigger: its source, and the delivery of a batch with its retries.

use std::{sync::Arc, time::Duration};

use super::{
    checkpoints::Checkpoints,
    source::{Source, Topology},
};
use crate::{
    app::{function::event_hub::EventHubTrigger, host_json::EventHubOptions, retry::RetryPolicy},
    envelope::{
        Stamp,
        event::{self, Batch},
    },
    failure::Failure,
    faults::{Faults, KillMoment},
    guid::Guid,
    invoke::{Invoker, attempts::Attempts},
};

/// A function with an Event Hub trigger, and everything that its readers share.
pub(crate) struct EventFunction {
    pub(crate) name: String,
    pub(crate) trigger: EventHubTrigger,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) options: EventHubOptions,
    pub(crate) source: Source,
    pub(crate) invoker: Arc<Invoker>,
    pub(crate) checkpoints: Arc<Checkpoints>,
    pub(crate) faults: Arc<Faults>,
}

/// The pause after the event source did not answer.
pub(super) const SOURCE_PAUSE: Duration = Duration::from_millis(250);

impl EventFunction {
    /// The partitions of the hub. Retries until the source answers.
    pub(super) async fn topology(&self) -> Topology {
        let mut complaint = String::new();
        loop {
            match self.source.topology().await {
                Ok(topology) => return topology,
                Err(problem) => self.complain_once(&mut complaint, problem),
            }
            tokio::time::sleep(SOURCE_PAUSE).await;
        }
    }

    /// Reports a problem of the source when it differs from the last one.
    pub(super) fn complain_once(&self, last: &mut String, problem: String) {
        if *last != problem {
            self.invoker.log.warn(&self.name, format_args!("the event source cannot be read: {problem}"));
            *last = problem;
        }
    }

    /// Delivers a batch with its retries. The checkpoint moves whether this succeeds or not.
    pub(super) async fn deliver(&self, batch: &Batch, kill: Option<KillMoment>) -> Result<(), Failure> {
        let mut attempts = Attempts::new(self.retry.as_ref());
        let mut kill = kill;
        loop {
            let Err(failure) = self.attempt(batch, &attempts, kill.take()).await else {
                return Ok(());
            };
            let announce = |text: &dyn std::fmt::Display| self.invoker.log.warn(&self.name, text);
            attempts.pause_after(failure, &self.invoker.status, announce).await?;
        }
    }

    async fn attempt(
        &self,
        batch: &Batch,
        attempts: &Attempts<'_>,
        kill: Option<KillMoment>,
    ) -> Result<(), Failure> {
        let stamp = Stamp { now: jiff::Timestamp::now(), guid: Guid::random() };
        let retry = attempts.context();
        let omissions = self.faults.omissions();
        let envelope = event::envelope(&self.name, &self.trigger, batch, &omissions, &stamp, retry.as_ref())
            .map_err(|problem| self.invoker.refuse(&self.name, problem))?;
        self.invoker.run(&self.name, envelope.into_text(), kill).await.map(drop)
    }

    /// Runs the function once with an event of this body, as the admin API does.
    pub(crate) async fn run_manually(&self, body: Vec<u8>) -> Result<(), Failure> {
        let event = event::Event {
            sequence_number: 0,
            offset: "0".to_owned(),
            enqueued: jiff::Timestamp::now(),
            body,
            properties: crate::envelope::json::Json::Object(Vec::new()),
            system_properties: crate::envelope::json::Json::Object(Vec::new()),
        };
        self.deliver(&Batch { events: vec![event], context: None }, None).await
    }

    /// Whether every partition is read to its end. Also `false` while the source does not answer.
    pub(crate) async fn is_drained(&self) -> bool {
        let Ok(topology) = self.source.topology().await else {
            return false;
        };
        for id in &topology.partitions {
            if self.faults.redelivery(id).is_some() || !self.is_partition_drained(id).await {
                return false;
            }
        }
        true
    }

    async fn is_partition_drained(&self, id: &str) -> bool {
        let status = self.invoker.status.read();
        let mut entries = status.partitions.iter();
        let entry = entries.find(|entry| entry.function == self.name && entry.partition == id);
        let Some(position) = entry.map(|entry| entry.position) else {
            return false;
        };
        let page = self.source.read(id, position, 1, Duration::ZERO).await;
        page.is_ok_and(|page| page.events.is_empty() && !page.is_behind(position))
    }
}
