//! The bytes of one event in a log: `crc32 in hex, space, JSON, newline`, so that a log can be read with
//! `tail -f`, a torn write is noticed, and the next record after damage is found.

use jiff::Timestamp;
use serde::Deserialize;

use crate::message::UnnumberedEvent;

/// Where the next event of a partition goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    /// Its sequence number.
    pub(super) sequence: u64,
    /// Its offset: the bytes of all records before it, trimmed ones included.
    pub(super) offset: u64,
    /// The earliest time it can get: enqueued times never go back within a partition, although clocks may.
    pub(super) enqueued: Timestamp,
}

/// Eight hexadecimal digits and a space stand before the JSON.
pub(super) const PREFIX: usize = 9;

/// Appends the record of `event` at `position` to `out`.
pub(super) fn write(out: &mut Vec<u8>, position: &Position, event: &UnnumberedEvent) {
    let Position { sequence, offset, enqueued } = position;
    let members = event.members();
    let json = format!(
        "{{\"sequenceNumber\":{sequence},\"offset\":\"{offset}\",\"enqueuedTime\":\"{enqueued:.3}\",{members}"
    );
    out.extend_from_slice(format!("{:08x} {json}\n", crc32(json.as_bytes())).as_bytes());
}

/// The JSON of a record line, which includes its newline; `None` if the line is torn or damaged.
pub(super) fn check(line: &[u8]) -> Option<&[u8]> {
    let (checksum, json) = line.strip_suffix(b"\n")?.split_at_checked(PREFIX)?;
    let checksum = std::str::from_utf8(checksum.strip_suffix(b" ")?).ok()?;
    (u32::from_str_radix(checksum, 16).ok()? == crc32(json)).then_some(json)
}

/// Whether this JSON is the event with that number.
pub(super) fn is_numbered(json: &[u8], sequence: u64) -> bool {
    json.starts_with(format!("{{\"sequenceNumber\":{sequence},").as_bytes())
}

/// The position of an event, read from its JSON.
pub(super) fn position(json: &[u8]) -> Option<Position> {
    let head: Head = serde_json::from_slice(json).ok()?;
    let (offset, enqueued) = (head.offset.parse().ok()?, head.enqueued_time.parse().ok()?);
    Some(Position { sequence: head.sequence_number, offset, enqueued })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    sequence_number: u64,
    offset: String,
    enqueued_time: String,
}

/// CRC-32 as in Ethernet and zip (reflected polynomial 0xEDB88320).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, byte| (crc >> 8) ^ TABLE[usize::from(crc.to_le_bytes()[0] ^ byte)])
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut entry = index as u32;
        let mut bit = 0;
        while bit < 8 {
            entry = (entry >> 1) ^ (0xEDB8_8320 * (entry & 1));
            bit += 1;
        }
        table[index] = entry;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_matches_its_published_check_value() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn any_changed_byte_of_a_record_is_noticed() {
        let mut line = b"00000000 {\"sequenceNumber\":7,\"body\":\"\"}\n".to_vec();
        let checksum = format!("{:08x}", crc32(&line[PREFIX..line.len() - 1]));
        line[..8].copy_from_slice(checksum.as_bytes());
        assert!(check(&line).is_some_and(|json| is_numbered(json, 7) && !is_numbered(json, 70)));
        for at in 0..line.len() {
            let mut damaged = line.clone();
            damaged[at] ^= 1;
            assert_eq!(check(&damaged), None, "byte {at}");
            assert_eq!(check(&line[..at]), None, "cut at {at}");
        }
    }
}
