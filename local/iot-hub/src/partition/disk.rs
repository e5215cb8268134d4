//! A partition's events in files: appending at the end of the newest one, reading anywhere.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::Durability;
use crate::partition::block::{Block, Position};
use crate::partition::recovery::Recovered;
use crate::partition::segment::{Mark, Segment};
use crate::partition::{Wanted, record};

/// The segments of a partition, oldest first; the last one grows.
#[derive(Debug, Default)]
pub(super) struct Segments(pub(super) VecDeque<Segment>);

impl Segments {
    /// The lowest sequence number held.
    pub(super) fn first(&self) -> Option<u64> {
        self.0.iter().find(|segment| segment.length > 0).map(|segment| segment.first)
    }

    /// Where to read the event `from`, or the next one that is held.
    pub(super) fn place(&self, from: u64) -> Option<Place> {
        let segment = self.0.iter().find(|segment| segment.next > from && segment.length > 0)?;
        let mark = segment.mark(from)?;
        Some(Place { path: segment.path.clone(), mark, next: segment.next, end: segment.length })
    }

    /// Notes a block that was written to the end of `file`.
    pub(super) fn push(&mut self, file: &Path, block: &Block) {
        if self.0.back().is_none_or(|newest| newest.path != file) {
            self.0.push_back(Segment::new(file.to_owned(), block.first.sequence));
        }
        let newest = self.0.back_mut().expect("one was just pushed if there was none");
        for range in &block.records {
            newest.push(range.len() as u64);
        }
        newest.newest = block.next.enqueued;
    }

    /// Forgets the oldest segments while there are more than `bytes` or they are from before `oldest`, but never the
    /// newest one. Returns the files to remove.
    pub(super) fn trim(&mut self, bytes: u64, oldest: Timestamp) -> Vec<PathBuf> {
        let mut total: u64 = self.0.iter().map(|segment| segment.length).sum();
        let mut gone = Vec::new();
        while self.0.len() > 1 && (total > bytes || self.0[0].newest < oldest) {
            let segment = self.0.pop_front().expect("there are two at least");
            total -= segment.length;
            gone.push(segment.path);
        }
        gone
    }
}

/// A place in a log file to read from.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) path: PathBuf,
    mark: Mark,
    /// The number after the last event of the file.
    next: u64,
    /// Bytes of the file that are whole records; the writer may be busy behind them.
    end: u64,
}

impl Place {
    /// Reads on until the file or the wish ends.
    pub(super) fn read(&self, wanted: &mut Wanted) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.mark.at))?;
        let mut reader = BufReader::with_capacity(64 << 10, file.take(self.end - self.mark.at));
        let mut line = Vec::new();
        for sequence in self.mark.sequence..self.next {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            let json = record::check(&line).filter(|json| record::is_numbered(json, sequence));
            let json = json.ok_or_else(|| self.damaged(sequence))?;
            if !wanted.offer(sequence, || Bytes::copy_from_slice(json)) {
                break;
            }
        }
        Ok(())
    }

    fn damaged(&self, sequence: u64) -> io::Error {
        let text = format!("{} is damaged at sequence number {sequence}", self.path.display());
        io::Error::new(io::ErrorKind::InvalidData, text)
    }
}

/// The file that grows.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    durability: Durability,
    path: PathBuf,
    file: File,
    length: u64,
    /// Set when a failed write could not be taken back: what follows it would be taken for damage.
    broken: bool,
}

impl Disk {
    /// Opens the newest segment, or the first one.
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

    /// Writes the block into the current file, or into a new one when this has `segment_bytes`. After an error
    /// nothing of the block is in the log.
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

    /// A new file's name is safe only when its folder is; Windows has no such call and needs none.
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
