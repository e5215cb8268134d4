//! One running stack per data folder: a lock that ends with the process, and the port of its hub.

use std::{
    fs::{File, TryLockError},
    io::{Read, Seek, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::workspace::shown;

const FILE: &str = "running.json";

/// The content of the lock file while the stack runs. After a crash the file may be left behind, but the operating
/// system has released the lock, so that it prevents no start.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Running {
    pub(crate) process: u32,
    /// The port of the local hub, once it listens.
    pub(crate) hub_port: Option<u16>,
}

#[derive(Debug)]
pub(crate) struct DataLock {
    file: File,
}

impl DataLock {
    /// Creates the folder if it is missing, and locks it. The error says which process has locked it.
    pub(crate) fn take(data: &Path) -> Result<DataLock> {
        make_private(data).with_context(|| format!("the data folder {} cannot be made", shown(data)))?;
        let path = data.join(FILE);
        let file = open(&path).with_context(|| format!("{} cannot be opened", shown(&path)))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!("{}", held(data, file)),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", shown(&path)));
            }
        }
        let mut lock = DataLock { file };
        lock.announce(None)?;
        Ok(lock)
    }

    /// Publishes the port of this stack's hub for other commands.
    pub(crate) fn announce(&mut self, hub_port: Option<u16>) -> Result<()> {
        let running = Running { process: std::process::id(), hub_port };
        self.write(&serde_json::to_vec(&running).expect("two numbers are JSON"))
            .context("the lock file cannot be written")
    }

    fn write(&mut self, content: &[u8]) -> std::io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(content)
    }
}

/// The stack that has locked `data`, if there is one.
pub(crate) fn running(data: &Path) -> Option<Running> {
    let file = File::open(data.join(FILE)).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => content(file),
        _ => None,
    }
}

fn open(path: &PathBuf) -> std::io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

fn content(mut file: File) -> Option<Running> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

fn held(data: &Path, file: File) -> String {
    let who = content(file).map_or_else(String::new, |running| format!(" (process {})", running.process));
    format!(
        "another `cargo dev up`{who} uses {}: stop it, or give this one its own --data folder",
        shown(data)
    )
}

/// Makes a folder for its owner only: what comes into it is what devices sent. One that is there keeps its mode, which
/// somebody may have chosen.
fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_second_stack_on_the_same_data_is_turned_away() -> Result<()> {
        let data = tempfile::tempdir()?;
        let mut first = DataLock::take(data.path())?;
        first.announce(Some(7072))?;

        let line = DataLock::take(data.path()).expect_err("held").to_string();
        assert!(line.contains(&format!("(process {})", std::process::id())), "{line}");
        assert_eq!(running(data.path()).and_then(|running| running.hub_port), Some(7072));

        drop(first);
        assert_eq!(running(data.path()), None);
        DataLock::take(data.path())?;
        Ok(())
    }

    #[test]
    fn a_lock_file_left_by_a_crash_is_no_obstacle() -> Result<()> {
        let data = tempfile::tempdir()?;
        // Process 1 always exists, so this shows that only the lock counts and not the number.
        fs::write(data.path().join(FILE), r#"{"process":1,"hub_port":7072}"#)?;
        assert_eq!(running(data.path()), None);
        DataLock::take(data.path())?;
        Ok(())
    }

    #[cfg(unix)]
    #[test]
    fn a_new_data_folder_is_its_owners_alone_and_an_old_one_stays_as_it_is() -> Result<()> {
        use std::os::unix::fs::PermissionsExt;
        let mode = |folder: &Path| Ok::<_, std::io::Error>(folder.metadata()?.permissions().mode() & 0o777);
        let root = tempfile::tempdir()?;
        let (new, old) = (root.path().join("new/data"), root.path().join("old"));
        fs::create_dir(&old)?;
        fs::set_permissions(&old, fs::Permissions::from_mode(0o750))?;
        for folder in [&new, &old] {
            DataLock::take(folder)?;
        }
        assert_eq!((mode(&new)?, mode(&old)?), (0o700, 0o750));
        Ok(())
    }

    #[test]
    fn a_data_folder_that_cannot_be_made_is_named() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("file");
        fs::write(&file, "")?;
        let line = DataLock::take(&file.join("data")).expect_err("not a folder").to_string();
        assert!(line.contains("file/data"), "{line}");
        Ok(())
    }
}
