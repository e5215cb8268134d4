//! Event Hub triggers: one sequential reader for each function and partition. The host keeps the checkpoints.

pub(crate) mod checkpoints;
mod function;
mod partition;
pub(crate) mod source;

use std::sync::Arc;

use tokio::task::JoinSet;

pub(crate) use function::EventFunction;
use partition::Partition;

/// Reads all partitions until the task is dropped or the host stops.
pub(crate) async fn run(function: Arc<EventFunction>) {
    let topology = function.topology().await;
    let mut readers = JoinSet::new();
    for id in &topology.partitions {
        let partition = Partition::new(Arc::clone(&function), &topology, id);
        readers.spawn(partition.run());
    }
    while readers.join_next().await.is_some() {}
}
