//! The folder of a log: one hub at a time may use it, and its number of partitions is fixed when it is created.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::HubError;

/// A log folder that this hub has locked. The lock ends when the value is dropped or the process ends, even by SIGKILL.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Locks the folder, and creates it if it is missing.
    pub(crate) fn open(path: &Path, partitions: u16) -> Result<Folder, HubError> {
        let lock = lock(path)?;
        let folder = Folder { path: path.to_owned(), _lock: lock };
        match folder.partitions()? {
            Some(kept) if kept != partitions => {
                Err(HubError::PartitionCount { path: folder.path, kept, asked: partitions })
            }
            Some(_) => Ok(folder),
            None => folder.note_partitions(partitions).map(|()| folder),
        }
    }

    /// The folder of one partition's log.
    pub(crate) fn partition(&self, index: u16) -> PathBuf {
        self.path.join(format!("partition-{index}"))
    }

    fn partitions(&self) -> Result<Option<u16>, HubError> {
        let file = self.note();
        let trouble = |source| HubError::Folder { path: file.clone(), source };
        match fs::read_to_string(&file) {
            Ok(text) => {
                let odd = || io::Error::new(io::ErrorKind::InvalidData, "not a number of partitions");
                text.trim().parse().map(Some).map_err(|_| trouble(odd()))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(trouble(e)),
        }
    }

    /// Written under another name first, because a half-written count would stop the next start.
    fn note_partitions(&self, partitions: u16) -> Result<(), HubError> {
        let file = self.note();
        let draft = file.with_extension("new");
        let written = fs::write(&draft, format!("{partitions}\n")).and_then(|()| fs::rename(&draft, &file));
        written.map_err(|source| HubError::Folder { path: file, source })
    }

    fn note(&self) -> PathBuf {
        self.path.join("partitions")
    }
}

fn lock(path: &Path) -> Result<File, HubError> {
    let trouble = |source| HubError::Folder { path: path.to_owned(), source };
    make_private(path).map_err(trouble)?;
    let file = File::create(path.join("lock")).map_err(trouble)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(HubError::FolderInUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(trouble(source)),
    }
}

/// Makes a folder for its owner only: what comes into it is what devices sent. One that is there keeps its mode, which
/// somebody may have chosen.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("log");
        Folder::open(&path, 2).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }
}
