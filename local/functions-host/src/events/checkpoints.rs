//! Checkpoints: which sequence number of a partition is read next, in memory and optionally in files.
//!
//! Each hub, consumer group and partition has a small file, which is replaced as a whole. It is not synchronised:
//! after a loss of power some events are delivered again, which at-least-once delivery allows.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::fs;

/// What a checkpoint belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CheckpointKey {
    pub(crate) entity: String,
    pub(crate) consumer_group: String,
    pub(crate) partition: String,
}

pub(crate) struct Checkpoints {
    folder: Option<PathBuf>,
    positions: Mutex<BTreeMap<CheckpointKey, u64>>,
}

/// Characters that are escaped in file names. Dots are among them, so that no name is `.` or `..`.
const FILE_NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'$').remove(b'-').remove(b'_');

impl Checkpoints {
    pub(crate) fn open(data_dir: Option<&Path>) -> io::Result<Checkpoints> {
        let folder = data_dir.map(|folder| folder.join("checkpoints"));
        if let Some(folder) = &folder {
            make_private(folder)?;
        }
        Ok(Checkpoints { folder, positions: Mutex::default() })
    }

    /// The stored position. A file that holds no number counts as absent and is reported as an error.
    pub(crate) async fn load(&self, key: &CheckpointKey) -> io::Result<Option<u64>> {
        let kept = self.positions.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied();
        let Some(file) = self.file(key).filter(|_| kept.is_none()) else {
            return Ok(kept);
        };
        match fs::read_to_string(&file).await {
            Ok(text) => text.trim().parse().map(Some).map_err(|_| {
                io::Error::new(io::ErrorKind::InvalidData, format!("{} holds no number", file.display()))
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) async fn save(&self, key: &CheckpointKey, position: u64) -> io::Result<()> {
        self.positions.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), position);
        let Some(file) = self.file(key) else { return Ok(()) };
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).await?;
        }
        let fresh = file.with_extension("new");
        fs::write(&fresh, position.to_string()).await?;
        fs::rename(&fresh, &file).await
    }

    fn file(&self, key: &CheckpointKey) -> Option<PathBuf> {
        let name = |text: &str| utf8_percent_encode(text, FILE_NAME).to_string();
        let folder = self.folder.as_ref()?;
        Some(folder.join(name(&key.entity)).join(name(&key.consumer_group)).join(name(&key.partition)))
    }
}

/// Makes a folder for its owner only: what comes into it is what devices sent. One that is there keeps its mode, which
/// somebody may have chosen.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(entity: &str) -> CheckpointKey {
        CheckpointKey {
            entity: entity.to_owned(),
            consumer_group: "$Default".to_owned(),
            partition: "0".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_checkpoint_is_found_again_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let first = Checkpoints::open(Some(folder.path())).unwrap();
        assert_eq!(first.load(&key("hub")).await.unwrap(), None);
        first.save(&key("hub"), 7).await.unwrap();
        first.save(&key("hub"), 8).await.unwrap();
        let second = Checkpoints::open(Some(folder.path())).unwrap();
        assert_eq!(second.load(&key("hub")).await.unwrap(), Some(8));
        assert_eq!(second.load(&key("other")).await.unwrap(), None);
    }

    #[cfg(unix)]
    #[test]
    fn a_new_folder_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        Checkpoints::open(Some(&data)).unwrap();
        assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[tokio::test]
    async fn a_hub_name_cannot_lead_out_of_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        Checkpoints::open(Some(&data)).unwrap().save(&key("../../escaped"), 1).await.unwrap();
        let outside: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(outside, ["data"]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_reported_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let checkpoints = Checkpoints::open(Some(folder.path())).unwrap();
        checkpoints.save(&key("hub"), 7).await.unwrap();
        std::fs::write(checkpoints.file(&key("hub")).unwrap(), "x").unwrap();
        let reopened = Checkpoints::open(Some(folder.path())).unwrap();
        let error = reopened.load(&key("hub")).await.unwrap_err().to_string();
        assert!(error.ends_with("0 holds no number"), "{error}");
    }
}
