//! What went wrong with the file, and what the caller is told.

use std::io;
use std::path::Path;

use crate::embedded::record::NotARow;
use crate::{Cause, Error, Failure, Invalid};

/// Why a piece of work was not done.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file is as it should be; the work is not possible.
    Answer(Error),
    /// The file could not be read or written.
    File { stage: Stage, error: redb::Error },
    /// The file holds what this version cannot read.
    Damaged(String),
}

/// How far a piece of work had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is written yet, and nothing will be.
    BeforeCommit,
    /// The transaction is being written: nobody knows whether it counts.
    Commit,
}

impl Stage {
    pub(super) fn timed_out(self) -> Error {
        self.error(Failure::TimedOut, None)
    }

    fn error(self, last: Failure, source: Option<Cause>) -> Error {
        match self {
            Stage::BeforeCommit => Error::Unavailable { attempts: 1, last, source },
            Stage::Commit => Error::Unknown { last, source },
        }
    }
}

impl Fault {
    /// Another call met a failure of the disk and closed the file.
    pub(super) fn closed() -> Fault {
        Fault::Answer(Stage::BeforeCommit.error(Failure::Disk, None))
    }

    /// The failure of a commit that does no harm when it is done twice.
    pub(super) fn repeatable(error: redb::CommitError) -> Fault {
        Fault::File { stage: Stage::BeforeCommit, error: error.into() }
    }

    /// Whether the file has to be opened again before it can be used.
    pub(super) fn needs_reopening(&self) -> bool {
        matches!(self, Fault::File { .. })
    }

    /// What the caller is told; `place` is the folder, for the person who has to look.
    pub(super) fn into_error(self, place: &Path) -> Error {
        let (stage, error) = match self {
            Fault::Answer(error) => return error,
            Fault::Damaged(what) => return refused("StoreDamaged", place, &what, None),
            Fault::File { stage, error } => (stage, error),
        };
        match permanent(&error) {
            Some((code, what)) if stage == Stage::BeforeCommit => refused(code, place, what, Some(error)),
            _ => stage.error(Failure::Disk, Some(error.into())),
        }
    }
}

/// The code and the sentence of a failure that will not pass by itself.
fn permanent(error: &redb::Error) -> Option<(&'static str, &'static str)> {
    use io::ErrorKind::{AlreadyExists, IsADirectory, NotADirectory, PermissionDenied, ReadOnlyFilesystem};
    match error {
        redb::Error::DatabaseAlreadyOpen => Some(("StoreInUse", "another process has it open")),
        redb::Error::Io(error) => match error.kind() {
            PermissionDenied | ReadOnlyFilesystem => {
                Some(("StoreNotAccessible", "this process may not write there"))
            }
            AlreadyExists | NotADirectory | IsADirectory => {
                Some(("StoreNotAccessible", "it is not a folder with a file"))
            }
            // What redb says of a file that is not its own.
            io::ErrorKind::InvalidData => Some(("StoreDamaged", "it is no file of this store")),
            _ => None,
        },
        redb::Error::Corrupted(_) | redb::Error::UpgradeRequired(_) | redb::Error::RepairAborted => {
            Some(("StoreDamaged", "it cannot be read"))
        }
        redb::Error::TableTypeMismatch { .. } | redb::Error::TypeDefinitionChanged { .. } => {
            Some(("StoreDamaged", "another version made it"))
        }
        _ => None,
    }
}

fn refused(code: &str, place: &Path, what: &str, source: Option<redb::Error>) -> Error {
    let message = format!("{}: {what}", place.display());
    let source = source.map(Cause::from);
    Error::Refused { status: None, code: code.to_owned(), index: None, message, source }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Answer(error)
    }
}

impl From<Invalid> for Fault {
    fn from(reason: Invalid) -> Fault {
        Fault::Answer(reason.into())
    }
}

impl From<NotARow> for Fault {
    fn from(error: NotARow) -> Fault {
        Fault::Damaged(error.to_string())
    }
}

macro_rules! before_commit {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Fault {
                Fault::File { stage: Stage::BeforeCommit, error: error.into() }
            }
        }
    )*};
}

before_commit!(redb::DatabaseError, redb::StorageError, redb::TableError, redb::TransactionError);

impl From<redb::CommitError> for Fault {
    fn from(error: redb::CommitError) -> Fault {
        Fault::File { stage: Stage::Commit, error: error.into() }
    }
}
