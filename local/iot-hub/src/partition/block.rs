//! The events of one write: numbered, timed and encoded one after the other. Pure: the time is a parameter.

use std::ops::Range;

use jiff::Timestamp;

use crate::message::UnnumberedEvent;
use crate::partition::record::{self, Position};

/// Records that are written at once.
#[derive(Debug)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    /// The records within `bytes`.
    pub(super) records: Vec<Range<usize>>,
    /// The position of the first record.
    pub(super) first: Position,
    /// The position after the last record.
    pub(super) next: Position,
}

impl Block {
    /// Encodes `events` from the position `first` on, at the time `now`.
    pub(super) fn new<'a>(
        first: Position,
        now: Timestamp,
        events: impl Iterator<Item = &'a UnnumberedEvent>,
    ) -> Block {
        let mut next = Position { enqueued: first.enqueued.max(now), ..first };
        let (mut bytes, mut records) = (Vec::new(), Vec::new());
        for event in events {
            let start = bytes.len();
            record::write(&mut bytes, &next, event);
            records.push(start..bytes.len());
            next.sequence += 1;
            next.offset += (bytes.len() - start) as u64;
        }
        Block { bytes, records, first, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::{DeviceId, Scope, Sender};
    use crate::message::Message;

    fn event() -> UnnumberedEvent {
        let sender = Sender {
            device: DeviceId::parse("d").expect("valid"),
            module: None,
            scope: Scope::Device,
            generation: "1".to_owned(),
        };
        Message::default().stamp(&sender, Timestamp::UNIX_EPOCH)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    #[test]
    fn events_are_numbered_and_offset_by_their_size() {
        let events = [event(), event(), event()];
        let block = Block::new(Position::default(), at(1), events.iter());
        assert_eq!(block.records.len(), 3);
        assert_eq!(block.next.sequence, 3);
        assert_eq!(block.next.offset, block.bytes.len() as u64);
        for (number, range) in (0..).zip(&block.records) {
            let json = record::check(&block.bytes[range.clone()]).expect("whole");
            let position = record::position(json).expect("readable");
            assert_eq!((position.sequence, position.offset), (number, range.start as u64));
        }
    }

    #[test]
    fn enqueued_time_stands_still_when_the_clock_goes_back() {
        let events = [event()];
        let first = Block::new(Position::default(), at(100), events.iter());
        let second = Block::new(first.next, at(50), events.iter());
        let json = record::check(&second.bytes).expect("whole");
        assert_eq!(record::position(json).map(|position| position.enqueued), Some(at(100)));
    }
}
