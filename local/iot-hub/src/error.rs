//! Why a hub does not start: one variant for each thing that the developer has to change.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// A hub that could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {
    /// Choose a loopback address: the hub speaks plain HTTP and its read side asks for no key.
    #[error("the hub listens on loopback only, not on {0}")]
    NotLoopback(SocketAddr),
    /// Correct the configuration.
    #[error("hub configuration: {0}")]
    Configuration(String),
    /// Choose another port, or end the process that holds it.
    #[error("the hub cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Make the log folder usable.
    #[error("the hub cannot use {}", path.display())]
    Folder {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// End the other hub, or choose another folder.
    #[error("another hub is using the log in {}", path.display())]
    FolderInUse {
        /// The log folder.
        path: PathBuf,
    },
    /// Use the partition count that the log was made with, or another folder.
    #[error("the log in {} was made with {kept} partitions, the hub is set to {asked}", path.display())]
    PartitionCount {
        /// The log folder.
        path: PathBuf,
        /// The count in the log.
        kept: u16,
        /// The count in the configuration.
        asked: u16,
    },
    /// Restore the file, or move it away and lose the events in it.
    #[error(
        "the log file {} is damaged at byte {at}, where sequence number {expected} should be, and intact records \
         follow, so this is no torn write: restore the file, or move it away (its events are lost, numbering goes on)",
        path.display()
    )]
    Damaged {
        /// The damaged file.
        path: PathBuf,
        /// Where the first unreadable record starts, in bytes.
        at: u64,
        /// The sequence number that record should have.
        expected: u64,
    },
}
