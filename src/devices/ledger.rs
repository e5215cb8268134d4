//! The ledger: one packed column of a device's row for everything that exactness needs and people do not read. It is written
//! with every change, and storage takes time column by column. Pure.
//!
//! The bytes are a format number, the ledger in postcard's encoding, and a checksum: a column that was cut or edited is
//! damage, and must never be read as "nothing was counted yet".

use std::borrow::Cow;

use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use super::state::{DeviceState, Stamp, Watermark, WriteId};
use super::verdicts::Verdicts;
use crate::primitives::ids::HubPartition;
use crate::primitives::instant::Millis;
use crate::primitives::stable_hash::stable_hash;

/// The column.
pub(super) const COLUMN: &str = "Ledger";

/// The format that this version writes. Format 1 ends before [`Additions`].
const FORMAT: u8 = 2;

/// What a row's ledger says. Values, texts and the count are plain columns.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ledger {
    pub(super) version: i64,
    pub(super) write_id: WriteId,
    pub(super) calibration: String,
    /// The partition of the newest reading; its time is a plain column.
    pub(super) reported_by: Option<HubPartition>,
    /// When the newest values were measured, unless that is when the newest reading was enqueued.
    pub(super) measured: Option<Stamp>,
    pub(super) changed_at: Option<Millis>,
    pub(super) watermarks: LiteMap<HubPartition, Watermark>,
    /// Columns whose value is older than the newest values.
    pub(super) older: Vec<(String, Stamp)>,
    pub(super) verdicts: Verdicts,
}

/// Why a ledger cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LedgerError {
    #[error("it is cut off, or somebody changed it")]
    Damaged,
    #[error("it has format {0}, which only a newer version of this program can read")]
    Newer(u8),
}

/// The encoded form. Partitions are named once and then called by number.
#[derive(Serialize, Deserialize)]
struct Packed<'a> {
    version: i64,
    write_id: WriteId,
    #[serde(borrow)]
    calibration: Cow<'a, str>,
    partitions: Vec<Cow<'a, str>>,
    reported_by: Option<u16>,
    changed_at: Option<Millis>,
    watermarks: Vec<PackedWatermark>,
    older: Vec<(Cow<'a, str>, Millis, u16)>,
    verdicts: Vec<PackedVerdict<'a>>,
}

/// What follows since format 2.
#[derive(Default, Serialize, Deserialize)]
struct Additions {
    measured: Option<(Millis, u16)>,
    /// When the streams of the watermarks began, in their order.
    began: Vec<Option<Millis>>,
}

#[derive(Serialize, Deserialize)]
struct PackedWatermark {
    partition: u16,
    sequence: i64,
    enqueued_at: Option<Millis>,
    at: Millis,
}

#[derive(Serialize, Deserialize)]
struct PackedVerdict<'a> {
    partition: u16,
    sequence: i64,
    #[serde(borrow)]
    bits: &'a [u8],
}

/// The names of partitions while a ledger is packed.
#[derive(Default)]
struct Names<'a>(Vec<&'a str>);

impl<'a> Names<'a> {
    fn number(&mut self, partition: &'a HubPartition) -> u16 {
        let name = partition.as_str();
        let number = self.0.iter().position(|known| *known == name).unwrap_or_else(|| {
            self.0.push(name);
            self.0.len() - 1
        });
        // A device has a mark for each partition of the hubs that it ever spoke to: a handful.
        u16::try_from(number).unwrap_or(u16::MAX)
    }
}

/// The ledger of a state. `older` names the columns whose value is older than the newest values.
pub(super) fn pack(state: &DeviceState, older: &[(&str, &Stamp)]) -> Vec<u8> {
    let mut names = Names::default();
    let watermarks = state.watermarks.iter().map(|(partition, mark)| PackedWatermark {
        partition: names.number(partition),
        sequence: mark.sequence,
        enqueued_at: mark.enqueued_at,
        at: mark.at,
    });
    let watermarks = watermarks.collect();
    let older = older.iter().map(|(column, stamp)| {
        let partition = names.number(&stamp.partition);
        (Cow::Borrowed(*column), stamp.at, partition)
    });
    let older = older.collect();
    let mut verdicts = Vec::new();
    for (partition, events) in state.verdicts.events() {
        let partition = names.number(partition);
        verdicts.extend(events.map(|(sequence, bits)| PackedVerdict { partition, sequence, bits }));
    }
    let reported_by = state.reported.as_ref().map(|stamp| names.number(&stamp.partition));
    let measured = state.measured.as_ref().filter(|stamp| Some(*stamp) != state.reported.as_ref());
    let measured = measured.map(|stamp| (stamp.at, names.number(&stamp.partition)));
    let packed = Packed {
        version: state.version,
        write_id: state.write_id,
        calibration: Cow::Borrowed(&state.calibration),
        partitions: names.0.into_iter().map(Cow::Borrowed).collect(),
        reported_by,
        changed_at: state.changed_at,
        watermarks,
        older,
        verdicts,
    };
    let began = state.watermarks.values().map(|mark| mark.began).collect();
    encode(&packed, &Additions { measured, began })
}

fn encode(packed: &Packed<'_>, additions: &Additions) -> Vec<u8> {
    /// What nearly every ledger takes.
    const USUAL: usize = 128;
    let mut bytes = Vec::with_capacity(USUAL);
    bytes.push(FORMAT);
    let mut bytes = postcard::to_extend(&(packed, additions), bytes)
        .expect("numbers, texts and lists are encoded to memory");
    let checksum = checksum(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

fn checksum(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = stable_hash(bytes).to_be_bytes();
    [a, b, c, d]
}

/// Reads a ledger.
pub(super) fn unpack(bytes: &[u8]) -> Result<Ledger, LedgerError> {
    let (content, sum) = bytes.split_last_chunk::<4>().ok_or(LedgerError::Damaged)?;
    if checksum(content) != *sum {
        return Err(LedgerError::Damaged);
    }
    match content.split_first() {
        Some((&FORMAT, packed)) => {
            let (packed, additions) = postcard::from_bytes(packed).map_err(|_| LedgerError::Damaged)?;
            ledger(packed, &additions)
        }
        Some((1, packed)) => {
            let packed = postcard::from_bytes(packed).map_err(|_| LedgerError::Damaged)?;
            ledger(packed, &Additions::default())
        }
        Some((&format, _)) => Err(LedgerError::Newer(format)),
        None => Err(LedgerError::Damaged),
    }
}

fn ledger(packed: Packed<'_>, additions: &Additions) -> Result<Ledger, LedgerError> {
    let partitions: Vec<HubPartition> =
        packed.partitions.iter().map(|name| HubPartition::from_stored(name)).collect();
    let partition = |number: u16| partitions.get(usize::from(number)).cloned().ok_or(LedgerError::Damaged);
    let mut watermarks = LiteMap::with_capacity(packed.watermarks.len());
    for (place, mark) in packed.watermarks.into_iter().enumerate() {
        let PackedWatermark { partition: number, sequence, enqueued_at, at } = mark;
        let began = additions.began.get(place).copied().flatten();
        watermarks.insert(partition(number)?, Watermark { sequence, enqueued_at, began, at });
    }
    let mut older = Vec::with_capacity(packed.older.len());
    for (column, at, number) in packed.older {
        older.push((column.into_owned(), Stamp { at, partition: partition(number)? }));
    }
    let mut verdicts = Verdicts::default();
    for PackedVerdict { partition: number, sequence, bits } in packed.verdicts {
        verdicts.insert(&partition(number)?, sequence, bits.to_vec());
    }
    Ok(Ledger {
        version: packed.version,
        write_id: packed.write_id,
        calibration: packed.calibration.into_owned(),
        reported_by: packed.reported_by.map(partition).transpose()?,
        measured: match additions.measured {
            Some((at, number)) => Some(Stamp { at, partition: partition(number)? }),
            None => None,
        },
        changed_at: packed.changed_at,
        watermarks,
        older,
        verdicts,
    })
}

#[cfg(test)]
mod tests;
