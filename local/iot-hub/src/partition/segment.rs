//! What the hub remembers of one log file: which events it holds, and an index of where they start.

use std::path::{Path, PathBuf};

use jiff::Timestamp;

/// Bytes between two marks of the index: a reader skips at most this much before the event it wants, and 64 MiB of log
/// need 4,096 marks.
const MARK_EVERY: u64 = 16 << 10;

/// What is known of a log file.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) path: PathBuf,
    /// Sequence number of its first event.
    pub(super) first: u64,
    /// The number after its last event; `first` when it is empty.
    pub(super) next: u64,
    /// Bytes of whole records.
    pub(super) length: u64,
    /// Enqueued time of its last event.
    pub(super) newest: Timestamp,
    marks: Vec<Mark>,
}

/// The event `sequence` starts at byte `at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    pub(super) at: u64,
}

impl Segment {
    pub(super) fn new(path: PathBuf, first: u64) -> Segment {
        Segment { path, first, next: first, length: 0, newest: Timestamp::MIN, marks: Vec::new() }
    }

    /// The path of a segment. Its name keeps the position of the partition even while the file is empty.
    pub(super) fn path(folder: &Path, first: u64, offset: u64) -> PathBuf {
        folder.join(format!("{first:020}-{offset:020}.log"))
    }

    /// First sequence number and offset from a file name; `None` for files that are not segments.
    pub(super) fn parse_name(name: &str) -> Option<(u64, u64)> {
        let (first, offset) = name.strip_suffix(".log")?.split_once('-')?;
        Some((first.parse().ok()?, offset.parse().ok()?))
    }

    /// Adds one more record of this many bytes.
    pub(super) fn push(&mut self, bytes: u64) {
        if self.marks.last().is_none_or(|mark| self.length - mark.at >= MARK_EVERY) {
            self.marks.push(Mark { sequence: self.next, at: self.length });
        }
        self.next += 1;
        self.length += bytes;
    }

    /// The nearest mark at or before the event `sequence`.
    pub(super) fn mark(&self, sequence: u64) -> Option<Mark> {
        let after = self.marks.partition_point(|mark| mark.sequence <= sequence);
        self.marks.get(after.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_name_tells_where_its_events_begin() {
        let path = Segment::path(Path::new("p"), 12, 4096);
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert_eq!(Segment::parse_name(name), Some((12, 4096)));
        assert_eq!(Segment::parse_name("notes.txt"), None);
        assert_eq!(Segment::parse_name("a-b.log"), None);
    }

    #[test]
    fn the_mark_of_an_event_is_never_behind_it_and_never_far_before() {
        let mut segment = Segment::new(PathBuf::from("s"), 100);
        for _ in 0..1000 {
            segment.push(500);
        }
        for number in 0..1000_u64 {
            let mark = segment.mark(100 + number).expect("a mark");
            assert_eq!(mark.at, (mark.sequence - 100) * 500);
            let start = number * 500;
            assert!(mark.at <= start && start - mark.at < MARK_EVERY + 500, "{number}: {mark:?}");
        }
        assert_eq!(segment.mark(0), Some(Mark { sequence: 100, at: 0 }));
    }
}
