//! The files of a partition's log: finds the one that holds an event, and reads from it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;

use crate::partition::block::Block;
use crate::partition::pending_read::PendingRead;
use crate::partition::record;
use crate::partition::segment::{Mark, Segment};

/// The segments of a partition, oldest first; the last one grows.
#[derive(Debug, Default)]
pub(super) struct Segments(pub(super) VecDeque<Segment>);

impl Segments {
    /// The lowest sequence number held.
    pub(super) fn first(&self) -> Option<u64> {
        self.0.iter().find(|segment| segment.length > 0).map(|segment| segment.first)
    }

    /// Where to read the event `from`, or the next one that is held.
    pub(super) fn cursor(&self, from: u64) -> Option<SegmentCursor> {
        let segment = self.0.iter().find(|segment| segment.next > from && segment.length > 0)?;
        let mark = segment.mark(from)?;
        Some(SegmentCursor { path: segment.path.clone(), mark, next: segment.next, end: segment.length })
    }

    /// Adds a block that was written to the end of `file`.
    pub(super) fn push(&mut self, file: &Path, block: &Block) {
        let same = self.0.pop_back_if(|newest| newest.path == file);
        let mut newest = same.unwrap_or_else(|| Segment::new(file.to_owned(), block.first.sequence));
        for range in &block.records {
            newest.push(range.len() as u64);
        }
        newest.newest = block.next.enqueued;
        self.0.push_back(newest);
    }

    /// Drops the oldest segments while all together are larger than `bytes`, or while they are older than `oldest`. The
    /// newest segment stays. Returns the files to remove.
    pub(super) fn trim(&mut self, bytes: u64, oldest: Timestamp) -> Vec<PathBuf> {
        let mut total: u64 = self.0.iter().map(|segment| segment.length).sum();
        let mut gone = Vec::new();
        while self.0.len() > 1
            && let Some(segment) = self.0.pop_front_if(|first| total > bytes || first.newest < oldest)
        {
            total -= segment.length;
            gone.push(segment.path);
        }
        gone
    }
}

/// Where in a log file a read starts.
#[derive(Debug)]
pub(super) struct SegmentCursor {
    pub(super) path: PathBuf,
    mark: Mark,
    /// The number after the last event of the file.
    next: u64,
    /// Bytes of the file that are whole records; the writer may be appending after them.
    end: u64,
}

impl SegmentCursor {
    /// Reads to the end of the file, or until the read is satisfied.
    pub(super) fn read(&self, pending: &mut PendingRead) -> io::Result<()> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.mark.at))?;
        let mut reader = BufReader::with_capacity(64 << 10, file.take(self.end - self.mark.at));
        let mut line = Vec::new();
        for sequence in self.mark.sequence..self.next {
            line.clear();
            reader.read_until(b'\n', &mut line)?;
            let json = record::check(&line).filter(|json| record::is_numbered(json, sequence));
            let json = json.ok_or_else(|| self.damaged(sequence))?;
            if !pending.offer(sequence, || Bytes::copy_from_slice(json)) {
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
