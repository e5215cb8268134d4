//! The columns of a row of `RejectedTelemetry`. Pure.
//!
//! For people: `Reason`, `Detail`, `DeviceId` and `ReadingIndex` of the first rejected element, `Count`, `Reasons` (each with
//! its number), `Elements` (such as `0-3,7`), `Samples` (the first elements as JSON), `HubPartition`, `SequenceNumber`,
//! `EnqueuedAt`, `RejectedAt`. For exactness: `ElementBits`, which elements have which reason. The body's bytes as they came
//! are in `Body`, `Body1`, `Body2` and `Body3`, since a property takes 64 KiB and a message of IoT Hub has up to 256 KB;
//! `BodyLength` says how many there were.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use fieldcast_tables::limits::LARGEST_PROPERTY;
use fieldcast_tables::{Entity, Value};
use serde::{Deserialize, Serialize};

use super::body::{Code, RejectedBody, RejectedElements, Sample};
use super::elements::Elements;
use super::key::Key;
use super::reading::Reason;
use crate::primitives::ids::{HubPartition, Position};
use crate::primitives::instant::Millis;
use crate::primitives::json::to_json;

/// Columns of a body's bytes: together 256 KiB, as much as IoT Hub takes. A row takes 1 MiB in all.
const BODY_COLUMNS: [&str; 4] = ["Body", "Body1", "Body2", "Body3"];

/// Bytes of a body that are kept.
pub const MOST_BYTES: usize = BODY_COLUMNS.len() * LARGEST_PROPERTY;

/// Bytes of the elements as text for people.
pub(super) const LONGEST_ELEMENTS: usize = 1_000;

/// The form of `ElementBits`.
const FORMAT: u8 = 1;

/// The columns that say what was rejected. [`rejected`] needs no others.
pub(super) const REJECTED: [&str; 6] =
    ["Reason", "Detail", "DeviceId", "ReadingIndex", "ElementBits", "Samples"];

/// A sample as `Samples` has it.
#[derive(Serialize, Deserialize)]
struct StoredSample<'a> {
    index: usize,
    reason: Cow<'a, str>,
    detail: Cow<'a, str>,
    device: Option<Cow<'a, str>>,
    text: Cow<'a, str>,
}

/// The whole row of a body.
pub(super) fn entity(key: &Key, body: &RejectedBody) -> Entity {
    let mut entity = changes(key, &body.rejected);
    let kept = &body.body[..body.body.len().min(MOST_BYTES)];
    // An empty body has one empty part.
    let parts = std::iter::once(kept).filter(|kept| kept.is_empty()).chain(kept.chunks(LARGEST_PROPERTY));
    for (column, part) in BODY_COLUMNS.into_iter().zip(parts) {
        entity.set(column, part.to_vec());
    }
    entity.set("BodyLength", number(body.body_length));
    entity.set("HubPartition", body.position.partition.as_str());
    entity.set("RejectedAt", Value::DateTime(body.rejected_at.to_text()));
    if let Some(sequence) = body.position.sequence {
        entity.set("SequenceNumber", sequence);
    }
    if let Some(enqueued_at) = body.enqueued_at {
        entity.set("EnqueuedAt", Value::DateTime(enqueued_at.to_text()));
    }
    entity
}

/// The columns that change when more of a body is rejected.
pub(super) fn changes(key: &Key, rejected: &RejectedElements) -> Entity {
    let mut entity = Entity::new(key.partition.as_str(), key.row.as_str());
    if let Some(first) = rejected.first() {
        entity.set("Reason", &*first.reason);
        entity.set("Detail", first.detail.as_str());
        // A merge takes nothing away, so an unknown device is an empty text.
        entity.set("DeviceId", first.device.as_deref().unwrap_or_default());
        entity.set("ReadingIndex", number(first.index));
    }
    entity.set("Count", number(rejected.count()));
    entity.set("Reasons", reasons(rejected));
    entity.set("Elements", rejected.all().to_text(LONGEST_ELEMENTS));
    entity.set("ElementBits", packed(rejected));
    entity.set("Samples", to_json(&rejected.samples().iter().map(stored).collect::<Vec<_>>()));
    entity
}

/// About how many bytes a row takes in a transaction; never less.
pub(super) fn weight(body: &RejectedBody) -> usize {
    /// Names, times and numbers, and the texts for people.
    const AROUND: usize = 8 * 1024;
    let binary = |bytes: usize| bytes.div_ceil(3) * 4;
    // A quote in a text is four bytes in JSON within JSON.
    let text = |sample: &Sample| {
        4 * (sample.detail.len() + sample.text.len() + sample.device.as_ref().map_or(0, String::len) + 100)
    };
    let bits = body.rejected.by_reason().iter().map(|(_, elements)| elements.bits().len() + 40);
    let texts: usize = body.rejected.samples().iter().map(text).sum();
    AROUND + binary(body.body.len().min(MOST_BYTES)) + binary(bits.sum()) + 2 * texts
}

/// The body of a row, also of one of an earlier version, which was one reading; `None` when it cannot be read.
pub fn body(row: &Entity) -> Option<RejectedBody> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let whole = |name: &str| row.get(name).and_then(Value::as_i64);
    let time = |name: &str| text(name).and_then(Millis::parse);
    Some(RejectedBody {
        position: Position {
            partition: HubPartition::from_stored(text("HubPartition")?),
            sequence: whole("SequenceNumber"),
        },
        enqueued_at: time("EnqueuedAt"),
        rejected_at: rejected_at(row)?,
        body: bytes(row)?,
        body_length: whole("BodyLength")?.try_into().ok()?,
        rejected: rejected(row)?,
    })
}

/// What a row says about what was rejected.
pub(super) fn rejected(row: &Entity) -> Option<RejectedElements> {
    let text = |name: &str| row.get(name).and_then(Value::as_str);
    let first = Sample {
        index: row.get("ReadingIndex").and_then(Value::as_i64)?.try_into().ok()?,
        reason: code(text("Reason")?),
        detail: text("Detail")?.to_owned(),
        device: text("DeviceId").filter(|device| !device.is_empty()).map(str::to_owned),
        text: String::new(),
    };
    let bits = row.get("ElementBits").and_then(Value::as_bytes).and_then(unpacked);
    let samples = text("Samples").and_then(samples).filter(|samples| !samples.is_empty());
    let by_reason = bits.filter(|bits| !bits.is_empty()).or_else(|| {
        // A row of an earlier version, or one whose bits somebody has made unreadable: the first element is certain. It is
        // a number of our own, but a person may have edited it, and as many bits as it says would be made of it.
        let mut one = Elements::default();
        one.insert(usize::from(u16::try_from(first.index).ok()?));
        Some(vec![(first.reason.clone(), one)])
    });
    Some(RejectedElements::of_row(by_reason?, samples.unwrap_or_else(|| vec![first])))
}

/// When the body of a row was rejected first. Version 0.1.0 called it `RefusedAt`.
pub(super) fn rejected_at(row: &Entity) -> Option<Millis> {
    let time = |name: &str| row.get(name).and_then(Value::as_str).and_then(Millis::parse);
    time("RejectedAt").or_else(|| time("RefusedAt"))
}

fn bytes(row: &Entity) -> Option<Bytes> {
    let first = row.get("Body")?.as_bytes()?;
    let mut bytes = BytesMut::from(first);
    for part in BODY_COLUMNS[1..].iter().map_while(|column| row.get(column)?.as_bytes()) {
        bytes.extend_from_slice(part);
    }
    Some(bytes.freeze())
}

/// `out_of_range 3, wrong_type 1`
fn reasons(rejected: &RejectedElements) -> String {
    let one = |(reason, elements): &(Code, Elements)| format!("{reason} {}", elements.count());
    rejected.by_reason().iter().map(one).collect::<Vec<_>>().join(", ")
}

fn packed(rejected: &RejectedElements) -> Vec<u8> {
    let by_reason: Vec<(&str, &[u8])> =
        rejected.by_reason().iter().map(|(reason, elements)| (&**reason, elements.bits())).collect();
    postcard::to_extend(&by_reason, vec![FORMAT]).expect("a list in memory can be written")
}

fn unpacked(bytes: &[u8]) -> Option<Vec<(Code, Elements)>> {
    let by_reason: Vec<(&str, &[u8])> = match bytes.split_first()? {
        (&FORMAT, packed) => postcard::from_bytes(packed).ok()?,
        _ => return None,
    };
    let elements = |(reason, bits): (&str, &[u8])| (code(reason), Elements::from_bits(bits.to_vec()));
    Some(by_reason.into_iter().map(elements).collect())
}

fn samples(json: &str) -> Option<Vec<Sample>> {
    let samples: Vec<StoredSample<'_>> = serde_json::from_str(json).ok()?;
    let sample = |stored: StoredSample<'_>| Sample {
        index: stored.index,
        reason: code(&stored.reason),
        detail: stored.detail.into_owned(),
        device: stored.device.map(Cow::into_owned),
        text: stored.text.into_owned(),
    };
    Some(samples.into_iter().map(sample).collect())
}

fn stored(sample: &Sample) -> StoredSample<'_> {
    StoredSample {
        index: sample.index,
        reason: Cow::Borrowed(&sample.reason),
        detail: Cow::Borrowed(&sample.detail),
        device: sample.device.as_deref().map(Cow::Borrowed),
        text: Cow::Borrowed(&sample.text),
    }
}

/// A code of this version, or one of another.
fn code(code: &str) -> Code {
    Reason::of_code(code).map_or_else(|| Cow::Owned(code.to_owned()), |reason| Cow::Borrowed(reason.code()))
}

fn number(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
