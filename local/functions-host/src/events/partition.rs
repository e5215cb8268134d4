//! The reader of one partition for one function: fetches a batch, delivers it, and moves on, one batch at a time.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use super::{
    checkpoints::CheckpointKey,
    function::{EventFunction, SOURCE_PAUSE},
    source::{EventPage, Topology},
};
use crate::{
    app::host_json::StartPosition,
    envelope::event::{Batch, Event, PartitionContext},
    faults::{Admission, Deliveries},
};

/// How long one read waits for new events.
const READ_WAIT: Duration = Duration::from_secs(5);

pub(crate) struct Partition {
    function: Arc<EventFunction>,
    context: PartitionContext,
    key: CheckpointKey,
    /// Sequence number of the first event that is not done.
    position: u64,
    batches: u64,
    /// The last complaint about the source, so that an outage is reported once.
    complaint: String,
}

impl Partition {
    pub(crate) fn new(function: Arc<EventFunction>, topology: &Topology, id: &str) -> Partition {
        let consumer_group = function.trigger.consumer_group.clone();
        Partition {
            context: PartitionContext {
                namespace: topology.namespace.clone(),
                entity: topology.entity.clone(),
                consumer_group: consumer_group.clone(),
                partition: id.to_owned(),
            },
            key: CheckpointKey { entity: topology.entity.clone(), consumer_group, partition: id.to_owned() },
            function,
            position: 0,
            batches: 0,
            complaint: String::new(),
        }
    }

    /// Runs until the handler has ended for good or the task is dropped.
    pub(crate) async fn run(mut self) {
        self.start().await;
        while !self.function.invoker.handler.has_ended() {
            let batch = self.next_batch().await;
            self.deliver(&batch).await;
            self.finish(&batch).await;
        }
    }

    async fn start(&mut self) {
        let stored = match self.function.checkpoints.load(&self.key).await {
            Ok(stored) => stored,
            Err(error) => {
                self.log_error(format_args!("the checkpoint is ignored: {error}"));
                None
            }
        };
        self.position = match stored {
            Some(position) => position,
            None => self.first_position().await,
        };
        let position = self.position;
        self.update_status(|entry| (entry.position, entry.checkpoint) = (position, stored));
    }

    /// Where `initialOffsetOptions` begins a partition without a checkpoint.
    async fn first_position(&mut self) -> u64 {
        let start = self.function.options.start;
        if start == StartPosition::FirstEvent {
            return 0;
        }
        let mut from = 0;
        loop {
            let page = self.read(from, self.function.options.max_batch, Duration::ZERO).await;
            let end = page.last.map_or(0, |last| last + 1);
            let StartPosition::EnqueuedSince(time) = start else {
                return end;
            };
            if let Some(event) = page.events.iter().find(|event| event.enqueued >= time) {
                return event.sequence_number;
            }
            match page.events.last() {
                Some(event) => from = event.sequence_number + 1,
                None => return end,
            }
        }
    }

    /// Waits for events, and until the faults allow their delivery.
    async fn next_batch(&mut self) -> Batch {
        loop {
            // Subscribed before the faults are read, so that no change is missed in between.
            let changes = self.function.faults.changes();
            if let Some(position) = self.function.faults.redelivery(&self.key.partition) {
                self.move_to(position);
                self.function.faults.redelivery_begun(&self.key.partition, position);
            }
            let mut events = self.fetch(changes).await;
            if events.is_empty() {
                continue;
            }
            if self.function.faults.admit(&self.key.partition).await == Admission::Deliver {
                events.truncate(self.batch_limit());
                return Batch { events, context: Some(self.context.clone()) };
            }
        }
    }

    /// Reads until the batch is big enough or its first event has waited long enough. Returns no events when there
    /// are none, or when the faults have changed.
    async fn fetch(&mut self, mut changes: watch::Receiver<()>) -> Vec<Event> {
        let (limit, wanted) = (self.batch_limit(), self.function.options.min_batch.min(self.batch_limit()));
        let mut events: Vec<Event> = Vec::new();
        let mut deadline = Instant::now() + READ_WAIT;
        loop {
            let from = events.last().map_or(self.position, |event| event.sequence_number + 1);
            let wait = deadline.saturating_duration_since(Instant::now()).min(READ_WAIT);
            let page = tokio::select! {
                page = self.read(from, limit - events.len(), wait) => page,
                _ = changes.changed() => return Vec::new(),
            };
            if events.is_empty() && page.is_behind(from) {
                self.start_over();
                return Vec::new();
            }
            if events.is_empty() && !page.events.is_empty() {
                deadline = Instant::now() + self.function.options.max_wait;
            }
            events.extend(page.events);
            if events.is_empty() || events.len() >= wanted || Instant::now() >= deadline {
                return events;
            }
        }
    }

    /// Reads a page. Retries until the source answers.
    async fn read(&mut self, from: u64, max: usize, wait: Duration) -> EventPage {
        loop {
            match self.function.source.read(&self.key.partition, from, max, wait).await {
                Ok(page) => {
                    self.complaint.clear();
                    return page;
                }
                Err(problem) => self.function.complain_once(&mut self.complaint, problem),
            }
            sleep(SOURCE_PAUSE).await;
        }
    }

    fn batch_limit(&self) -> usize {
        let configured =
            if self.function.trigger.shape.is_one() { 1 } else { self.function.options.max_batch };
        configured.min(self.function.faults.batch_cap())
    }

    async fn deliver(&self, batch: &Batch) {
        let faults = self.function.faults.next_batch_faults();
        sleep(faults.delay).await;
        // Failures are logged and counted where they happen. The checkpoint moves on even so.
        match faults.deliveries {
            Deliveries::Once => drop(self.function.deliver(batch, faults.kill).await),
            Deliveries::Twice => {
                drop(self.function.deliver(batch, faults.kill).await);
                drop(self.function.deliver(batch, None).await);
            }
            Deliveries::TwiceAtOnce => {
                drop(tokio::join!(
                    self.function.deliver(batch, faults.kill),
                    self.function.deliver(batch, None)
                ));
            }
        }
    }

    /// Moves past a batch, delivered or failed, unless the host is stopping.
    async fn finish(&mut self, batch: &Batch) {
        if self.function.invoker.handler.has_ended() {
            return;
        }
        let (Some(first), Some(last)) = (batch.events.first(), batch.events.last()) else {
            return;
        };
        self.position = last.sequence_number + 1;
        self.batches += 1;
        self.function.invoker.log.info(
            &self.function.name,
            format_args!(
                "partition {}: {} events done, {} to {}",
                self.key.partition,
                batch.events.len(),
                first.sequence_number,
                last.sequence_number
            ),
        );
        let due = self.batches.is_multiple_of(self.function.options.checkpoint_every);
        if due && let Err(error) = self.function.checkpoints.save(&self.key, self.position).await {
            self.log_error(format_args!("the checkpoint is not stored: {error}"));
        }
        let (position, batches) = (self.position, self.batches);
        self.update_status(|entry| {
            (entry.position, entry.batches) = (position, batches);
            if due {
                entry.checkpoint = Some(position);
            }
        });
    }

    fn move_to(&mut self, position: u64) {
        self.position = position;
        self.update_status(|entry| entry.position = position);
    }

    fn start_over(&mut self) {
        self.function.invoker.log.warn(
            &self.function.name,
            format_args!(
                "partition {} holds less than was read: it is read from its start again",
                self.key.partition
            ),
        );
        self.move_to(0);
    }

    fn update_status(&self, change: impl FnOnce(&mut crate::PartitionStatus)) {
        self.function.invoker.status.update_partition(&self.function.name, &self.key.partition, change);
    }

    fn log_error(&self, message: std::fmt::Arguments<'_>) {
        let partition = &self.key.partition;
        self.function
            .invoker
            .log
            .error(&self.function.name, format_args!("partition {partition}: {message}"));
    }
}
