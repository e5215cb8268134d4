//! The newest file of a partition's log: blocks are appended to it until it is full, then the next file begins.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::Durability;
use crate::partition::block::Block;
use crate::partition::record::Position;
use crate::partition::recovery::Recovered;
use crate::partition::segment::Segment;

/// The file that blocks are appended to.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    durability: Durability,
    path: PathBuf,
    file: File,
    length: u64,
    /// Set when a failed write could not be undone: records after it would count as damage at the next start.
    broken: bool,
}

impl Disk {
    /// Opens the newest segment, or creates the first one.
    pub(super) fn open(folder: &Path, durability: Durability, recovered: &Recovered) -> io::Result<Disk> {
        let (path, length) = match recovered.segments.0.back() {
            Some(newest) => (newest.path.clone(), newest.length),
            None => (Segment::path(folder, recovered.next.sequence, recovered.next.offset), 0),
        };
        let file = append_to(&path)?;
        let disk = Disk { folder: folder.to_owned(), durability, path, file, length, broken: false };
        disk.sync()?;
        disk.sync_folder()?;
        Ok(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the block into the current file, or into a new one when the current has `segment_bytes`. After an
    /// error nothing of the block is in the log.
    pub(super) fn write(&mut self, block: &Block, segment_bytes: u64) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed and could not be taken back"));
        }
        if self.length >= segment_bytes {
            self.roll(block.first)?;
        }
        let written = self.file.write_all(&block.bytes).and_then(|()| self.sync());
        match written {
            Ok(()) => self.length += block.bytes.len() as u64,
            Err(_) => self.broken = self.file.set_len(self.length).is_err(),
        }
        written
    }

    fn roll(&mut self, next: Position) -> io::Result<()> {
        let path = Segment::path(&self.folder, next.sequence, next.offset);
        self.file = append_to(&path)?;
        self.path = path;
        self.length = 0;
        self.sync_folder()
    }

    fn sync(&self) -> io::Result<()> {
        match self.durability {
            Durability::ProcessCrash => Ok(()),
            Durability::PowerLoss => self.file.sync_data(),
        }
    }

    /// The name of a new file survives a loss of power only when its folder is synchronised. Windows has no call for it
    /// and needs none.
    fn sync_folder(&self) -> io::Result<()> {
        match self.durability {
            Durability::PowerLoss if cfg!(unix) => File::open(&self.folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}
