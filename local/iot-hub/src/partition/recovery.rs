//! Reads a partition's log at start-up: checks every record, cuts off a torn last one, and refuses other damage.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::error::HubError;
use crate::partition::record::{self, Position};
use crate::partition::segment::Segment;
use crate::partition::segments::Segments;

/// A torn last record that was cut off at start-up: the process or the machine ended while it was written. Only after a
/// loss of power under [`Durability::ProcessCrash`](crate::Durability::ProcessCrash) it may have been acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repair {
    /// The log file.
    pub file: PathBuf,
    /// How many bytes were cut off its end.
    pub bytes_cut: u64,
    /// The number that the next event gets.
    pub next_sequence_number: u64,
}

/// A log that was read and checked.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) segments: Segments,
    /// Where the next event goes.
    pub(super) next: Position,
    pub(super) repair: Option<Repair>,
}

/// Reads the log in `folder`, which is created if it is missing.
pub(super) fn recover(folder: &Path) -> Result<Recovered, HubError> {
    let trouble = |source| HubError::Folder { path: folder.to_owned(), source };
    fs::create_dir_all(folder).map_err(trouble)?;
    let files = list(folder).map_err(trouble)?;
    let count = files.len();
    let mut recovered = Recovered { segments: Segments::default(), next: Position::default(), repair: None };
    for (index, (first, offset, path)) in files.into_iter().enumerate() {
        let role = if index + 1 == count { Role::Newest } else { Role::Older };
        expect_after(&recovered.next, first, &path)?;
        recovered.next = Position { sequence: first, offset, enqueued: recovered.next.enqueued };
        recovered.add(path, role)?;
    }
    Ok(recovered)
}

/// A torn write is possible in the newest file only.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Older,
    Newest,
}

impl Recovered {
    fn add(&mut self, path: PathBuf, role: Role) -> Result<(), HubError> {
        let trouble = |source| HubError::Folder { path: path.clone(), source };
        let scan = scan(&path, self.next.sequence).map_err(trouble)?;
        if scan.damage == Damage::Middle || (scan.damage == Damage::Tail && role == Role::Older) {
            return Err(HubError::Damaged { path, at: scan.segment.length, expected: scan.segment.next });
        }
        if scan.damage == Damage::Tail {
            let file = OpenOptions::new().write(true).open(&path).map_err(trouble)?;
            file.set_len(scan.segment.length).map_err(trouble)?;
            let cut = scan.file_length - scan.segment.length;
            self.repair =
                Some(Repair { file: path, bytes_cut: cut, next_sequence_number: scan.segment.next });
        }
        self.next.sequence = scan.segment.next;
        self.next.offset += scan.segment.length;
        self.next.enqueued = self.next.enqueued.max(scan.segment.newest);
        self.segments.0.push_back(scan.segment);
        Ok(())
    }
}

/// Numbers may be missing between files, when a damaged one was moved away, but none may occur twice.
fn expect_after(next: &Position, first: u64, path: &Path) -> Result<(), HubError> {
    if first >= next.sequence {
        return Ok(());
    }
    let text = format!("{} repeats events of the file before it", path.display());
    Err(HubError::Folder { path: path.to_owned(), source: io::Error::new(io::ErrorKind::InvalidData, text) })
}

fn list(folder: &Path) -> io::Result<Vec<(u64, u64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some((first, offset)) = name.and_then(Segment::parse_name) {
            files.push((first, offset, path));
        }
    }
    files.sort();
    Ok(files)
}

struct Scan {
    /// The whole records from the start of the file.
    segment: Segment,
    file_length: u64,
    damage: Damage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    /// Nothing readable follows: a torn write.
    Tail,
    /// A whole record follows, or a record has the wrong number.
    Middle,
}

fn scan(path: &Path, first: u64) -> io::Result<Scan> {
    let file = File::open(path)?;
    let file_length = file.metadata()?.len();
    let mut reader = BufReader::with_capacity(64 << 10, file);
    let mut segment = Segment::new(path.to_owned(), first);
    let (mut line, mut last) = (Vec::new(), Vec::new());
    let mut damage = Damage::None;
    while damage == Damage::None && reader.read_until(b'\n', &mut line)? > 0 {
        match record::check(&line) {
            Some(json) if record::is_numbered(json, segment.next) => {
                json.clone_into(&mut last);
                segment.push(line.len() as u64);
            }
            Some(_) => damage = Damage::Middle,
            None => damage = damage_before(&mut reader)?,
        }
        line.clear();
    }
    segment.newest = newest(&last);
    Ok(Scan { segment, file_length, damage })
}

/// Tells what kind of damage the previous line has, from what follows it.
fn damage_before(reader: &mut impl BufRead) -> io::Result<Damage> {
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 {
        if record::check(&line).is_some() {
            return Ok(Damage::Middle);
        }
        line.clear();
    }
    Ok(Damage::Tail)
}

fn newest(json: &[u8]) -> Timestamp {
    record::position(json).map_or(Timestamp::MIN, |position| position.enqueued)
}
