//! What should be stored of a device, worked out from what it said and from which of its readings are among the
//! rejected ones. Written without a look at the handler's own folding.

use std::collections::{BTreeMap, BTreeSet};

use fieldcast::rejected::body::RejectedBody;

use crate::plan::Fault;
use crate::workload::{Message, Reading};
use crate::world::World;

/// The valid range of temperatures.
const VALID: std::ops::RangeInclusive<f64> = -40.0..=80.0;

/// One reading of a device, and what became of it.
pub(super) struct Told {
    /// Where it stands, for people.
    pub(super) place: String,
    /// Some calibration that was in force lets it count.
    pub(super) may_count: bool,
    /// Some calibration that was in force does not.
    may_be_rejected: bool,
    /// Its invocation is known to have succeeded.
    delivered: bool,
    /// It stands among the rejected ones.
    pub(super) rejected: bool,
}

impl Told {
    /// Whether it is known where it belongs.
    pub(super) fn is_certain(&self) -> bool {
        self.delivered && self.may_count != self.may_be_rejected
    }
}

/// The last reading of a device.
pub(super) struct Last {
    pub(super) message_id: String,
    /// The calibrated value under each calibration that lets the reading count.
    pub(super) temperatures: Vec<f64>,
    /// The last one that any counted reading had.
    pub(super) humidity: Option<f64>,
    /// When the last reading counts as enqueued: time does not run back within a partition.
    pub(super) reported_at: i64,
    /// When the last values were measured.
    pub(super) measured_at: i64,
}

/// Everything that a device said.
pub(super) struct Device {
    pub(super) readings: Vec<Told>,
    last: Option<Last>,
    /// Manual runs have no place in the stream.
    has_manual: bool,
}

impl Device {
    pub(super) fn of(world: &World, number: usize) -> Device {
        let rejected = rejected_places(world);
        let intercepts = intercepts(world, number);
        let mut device = Device { readings: Vec::new(), last: None, has_manual: false };
        let (mut counted, mut reported_at) = (Vec::new(), 0);
        for partition in &world.workload.partitions {
            // A hub that was made again is another hub with the same name: times tell their events apart.
            let name = format!("{}/{}", partition.hub, partition.id);
            let mut until = 0;
            for message in partition.messages.iter().filter(|message| message.device == number) {
                let at = until.max(message.enqueued_at);
                for (index, reading) in message.readings.iter().enumerate() {
                    let sequence = message.sequence.unwrap_or_default();
                    let place = Place::Stream(name.clone(), message.enqueued_at, sequence, index);
                    let told = told(reading, place, true, &rejected, &intercepts);
                    if !told.rejected {
                        until = at;
                        reported_at = at.max(reported_at);
                        counted.push(((measured_at(message).unwrap_or(at), name.clone()), reading));
                    }
                    device.readings.push(told);
                }
            }
        }
        device.last = last(counted, reported_at, &intercepts);
        device.add_manual_runs(world, number, &rejected, &intercepts);
        device
    }

    fn add_manual_runs(
        &mut self,
        world: &World,
        number: usize,
        rejected: &BTreeSet<Place>,
        intercepts: &[f64],
    ) {
        let taken = world.record().manual_runs.clone();
        for (run, work) in world.workload.manual_runs.iter().enumerate() {
            let delivered = taken.get(&run).copied().unwrap_or(false);
            for message in work.messages.iter().filter(|message| message.device == number) {
                self.has_manual = true;
                for (index, reading) in message.readings.iter().enumerate() {
                    let place = Place::ByHand(message.body.clone(), index);
                    self.readings.push(told(reading, place, delivered, rejected, intercepts));
                }
            }
        }
    }

    /// The least and the most that the row may count.
    pub(super) fn count(&self) -> (i64, i64) {
        let not_rejected = || self.readings.iter().filter(|reading| !reading.rejected && reading.may_count);
        let sure = not_rejected().filter(|reading| reading.delivered).count();
        let number = |count: usize| i64::try_from(count).expect("a run is short");
        (number(sure), number(not_rejected().count()))
    }

    /// The last counted reading, where the stream alone decides which one that is.
    pub(super) fn last(&self) -> Option<&Last> {
        self.last.as_ref().filter(|_| !self.has_manual)
    }
}

/// When the values of a message were measured, if its device said something that can be believed: not long before there
/// were such devices, and not more than five minutes ahead of the hub.
fn measured_at(message: &Message) -> Option<i64> {
    const YEAR_2000: i64 = 946_684_800_000;
    message.created_at.filter(|&at| at >= YEAR_2000 && at <= message.enqueued_at + 300_000)
}

/// The values after all counted readings, each with its time and partition: the order of the values.
fn last(mut counted: Vec<((i64, String), &Reading)>, reported_at: i64, intercepts: &[f64]) -> Option<Last> {
    counted.sort_by(|(one, _), (other, _)| one.cmp(other));
    let humidity = counted.iter().rev().find_map(|(_, reading)| match reading {
        Reading::Said { humidity, .. } => *humidity,
        Reading::Poison => None,
    });
    let ((measured_at, _), Reading::Said { message_id, temperature, .. }) = counted.pop()? else {
        return None;
    };
    let valid = calibrated(*temperature, intercepts).filter(|value| VALID.contains(value));
    Some(Last {
        message_id: message_id.clone(),
        temperatures: valid.collect(),
        humidity,
        reported_at,
        measured_at,
    })
}

/// Where a reading stands.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Stream(String, i64, i64, usize),
    ByHand(Vec<u8>, usize),
}

fn told(
    reading: &Reading,
    place: Place,
    delivered: bool,
    rejected: &BTreeSet<Place>,
    intercepts: &[f64],
) -> Told {
    let (may_count, may_be_rejected) = match reading {
        Reading::Poison => (false, true),
        Reading::Said { temperature, .. } => {
            let valid = |value: f64| VALID.contains(&value);
            let mut values = calibrated(*temperature, intercepts);
            (calibrated(*temperature, intercepts).any(valid), values.any(|value| !valid(value)))
        }
    };
    let name = match &place {
        Place::Stream(partition, enqueued_at, sequence, index) => {
            format!("partition {partition}, event {sequence} of {enqueued_at}, reading {index}")
        }
        Place::ByHand(body, _) => format!("by hand, {}", String::from_utf8_lossy(body)),
    };
    Told { place: name, may_count, may_be_rejected, delivered, rejected: rejected.contains(&place) }
}

fn calibrated(raw: f64, intercepts: &[f64]) -> impl Iterator<Item = f64> {
    intercepts.iter().map(move |intercept| raw + intercept)
}

/// Every offset that was in force for a device at some moment; without a calibration it is none.
fn intercepts(world: &World, number: usize) -> Vec<f64> {
    let changes = world.faults.plan().iter().filter_map(|fault| match fault {
        Fault::Calibrate { device, intercept, .. } if *device == number => Some(*intercept),
        _ => None,
    });
    let all = std::iter::once(world.workload.intercepts[number]).chain(changes);
    all.map(Option::unwrap_or_default).collect()
}

fn rejected_places(world: &World) -> BTreeSet<Place> {
    let place = |body: &RejectedBody, index| match body.position.sequence {
        Some(sequence) => {
            let partition = body.position.partition.as_str().to_owned();
            Place::Stream(partition, body.enqueued_at.map_or(0, |at| at.0), sequence, index)
        }
        None => Place::ByHand(body.body.to_vec(), index),
    };
    let bodies = world.tables.rejected_bodies();
    let places = bodies
        .iter()
        .flat_map(|body| body.rejected.all().iter().map(|index| place(body, index)).collect::<Vec<_>>());
    places.collect()
}

/// Devices with a reading in a manual run that is not known to have succeeded.
pub(super) fn devices_of_failed_manual_runs(world: &World) -> BTreeSet<String> {
    let taken: BTreeMap<usize, bool> = world.record().manual_runs.clone();
    let runs = world.workload.manual_runs.iter().enumerate();
    runs.filter(|(run, _)| !taken.get(run).copied().unwrap_or(false))
        .flat_map(|(_, run)| &run.messages)
        .map(|message| world.workload.devices[message.device].clone())
        .collect()
}
