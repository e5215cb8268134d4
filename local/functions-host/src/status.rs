//! Counters of what a host has done, which tests and the development command watch.

use tokio::sync::watch;

/// Counters since the start of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostStatus {
    /// Function executions that were begun; every retry counts again.
    pub invocations: u64,
    /// Executions that failed: no reply, a bad reply, a time-out, or an input that could not be bound.
    pub failures: u64,
    /// Executions that were begun because an earlier one failed.
    pub retries: u64,
    /// Times the handler process was started.
    pub handler_starts: u64,
    /// One entry per function and partition, once the event source has named its partitions.
    pub partitions: Vec<PartitionStatus>,
    /// One entry per timer, once it waits for its first time; a tick at the start of the host is done then.
    pub timers: Vec<TimerStatus>,
}

/// How often a timer has ticked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimerStatus {
    /// The function that it calls.
    pub function: String,
    /// Ticks that are done, with or without success; missed ones count as well.
    pub ticks: u64,
}

/// How far one function has read one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionStatus {
    /// The function that reads.
    pub function: String,
    /// The partition it reads.
    pub partition: String,
    /// The stored checkpoint: the sequence number a restarted host would read first. `None` before the first.
    pub checkpoint: Option<u64>,
    /// The sequence number that is read next; everything before it is done, delivered or failed.
    pub position: u64,
    /// Batches that are done.
    pub batches: u64,
}

impl HostStatus {
    /// The first entry for a partition, of any function.
    #[must_use]
    pub fn partition(&self, id: &str) -> Option<&PartitionStatus> {
        self.partitions.iter().find(|entry| entry.partition == id)
    }

    /// How many ticks of a function's timer are done.
    #[must_use]
    pub fn ticks(&self, function: &str) -> u64 {
        self.timers.iter().find(|entry| entry.function == function).map_or(0, |entry| entry.ticks)
    }
}

/// The writable side of [`HostStatus`]; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct StatusBoard(watch::Sender<HostStatus>);

impl StatusBoard {
    pub(crate) fn new() -> StatusBoard {
        StatusBoard(watch::Sender::new(HostStatus::default()))
    }

    pub(crate) fn read(&self) -> HostStatus {
        self.0.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<HostStatus> {
        self.0.subscribe()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut HostStatus)) {
        self.0.send_modify(change);
    }

    /// Notes that a timer was started, or that `ticks` more ticks of it are done.
    pub(crate) fn count_ticks(&self, function: &str, ticks: u64) {
        self.update(|status| match status.timers.iter_mut().find(|entry| entry.function == function) {
            Some(entry) => entry.ticks += ticks,
            None => status.timers.push(TimerStatus { function: function.to_owned(), ticks }),
        });
    }

    pub(crate) fn update_partition(
        &self,
        function: &str,
        partition: &str,
        change: impl FnOnce(&mut PartitionStatus),
    ) {
        self.update(|status| {
            let known = |entry: &PartitionStatus| entry.function == function && entry.partition == partition;
            let index = status.partitions.iter().position(known).unwrap_or_else(|| {
                status.partitions.push(PartitionStatus {
                    function: function.to_owned(),
                    partition: partition.to_owned(),
                    checkpoint: None,
                    position: 0,
                    batches: 0,
                });
                status.partitions.len() - 1
            });
            change(&mut status.partitions[index]);
        });
    }
}
