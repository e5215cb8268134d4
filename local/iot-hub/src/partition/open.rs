//! Opens a partition, in memory or from its log, and starts the thread that writes it.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::config::{Durability, Retention};
use crate::error::HubError;
use crate::partition::Partition;
use crate::partition::disk::Disk;
use crate::partition::record::Position;
use crate::partition::recovery::{Repair, recover};
use crate::partition::ring::Ring;
use crate::partition::storage::Storage;
use crate::partition::writer::Writer;

/// An open partition with the thread that writes it, and what recovery cut off its log.
pub(crate) struct OpenedPartition {
    pub(crate) partition: Arc<Partition>,
    pub(crate) writer: JoinHandle<()>,
    pub(crate) repair: Option<Repair>,
}

/// Opens an empty partition in memory.
pub(crate) fn open_in_memory(retention: Retention) -> io::Result<OpenedPartition> {
    begin(Storage::Memory(Ring::default()), Position::default(), None, retention, None)
}

/// Opens the log in `folder`, which is created if it is missing. Checks every record, and cuts off a torn last one.
///
/// # Errors
/// [`HubError::Damaged`] for damage that is not a torn write, [`HubError::Folder`] when a
/// file cannot be used.
pub(crate) fn open_folder(
    folder: &Path,
    retention: Retention,
    durability: Durability,
) -> Result<OpenedPartition, HubError> {
    let recovered = recover(folder)?;
    let used = |source| HubError::Folder { path: folder.to_owned(), source };
    let disk = Disk::open(folder, durability, &recovered).map_err(used)?;
    let storage = Storage::Files(recovered.segments);
    begin(storage, recovered.next, Some(disk), retention, recovered.repair).map_err(used)
}

fn begin(
    storage: Storage,
    next: Position,
    disk: Option<Disk>,
    retention: Retention,
    repair: Option<Repair>,
) -> io::Result<OpenedPartition> {
    let partition = Arc::new(Partition::new(storage, next.sequence));
    let writer = Writer::new(Arc::clone(&partition), next, disk, retention);
    let writer = std::thread::Builder::new().name("hub partition".to_owned()).spawn(|| writer.run())?;
    Ok(OpenedPartition { partition, writer, repair })
}
