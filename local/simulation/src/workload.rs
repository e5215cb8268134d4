//! The work of a run: what devices say, to which partition of the hub, when, and what a person sends by hand. All of it
//! from the seed, none of it a fault of the pipeline.

mod bodies;

use crate::dice::Dice;
use crate::plan::Moment;

/// Devices speak for so long, milliseconds.
pub const WORK_LASTS: Moment = 40_000;

/// When the hub's clock stood at the start of a run: 2024-11-21T00:57:11Z.
pub(crate) const HUB_EPOCH: i64 = 1_732_150_631_000;

/// Everything that happens if nothing goes wrong.
#[derive(Debug)]
pub struct Workload {
    /// Device ids.
    pub devices: Vec<String>,
    /// The offset of each device's temperature at the start, °C; nothing: it has no calibration.
    pub intercepts: Vec<Option<f64>>,
    /// The hub's partitions.
    pub partitions: Vec<Partition>,
    /// What a person sends without the hub.
    pub manual_runs: Vec<ManualRun>,
    /// Handler instances.
    pub instances: usize,
    /// Table partitions.
    pub shards: u16,
}

/// One partition's log.
#[derive(Debug)]
pub struct Partition {
    /// The Event Hub-compatible name.
    pub hub: &'static str,
    /// The number in it.
    pub id: usize,
    /// In the order of the stream; sequence numbers grow by one.
    pub messages: Vec<Message>,
}

/// One message of a device.
#[derive(Debug)]
pub struct Message {
    /// Who sends it, by index.
    pub device: usize,
    /// Its sequence number; in a manual run there is none.
    pub sequence: Option<i64>,
    /// When it reaches the hub.
    pub arrives: Moment,
    /// When the hub says that it did; its clock may step back.
    pub enqueued_at: i64,
    /// Whether the hub stamps the device's identity. Without it the body names the device.
    pub stamped: bool,
    /// What the device sent.
    pub body: Vec<u8>,
    /// What a reader should find in it.
    pub readings: Vec<Reading>,
}

/// One reading of a body.
#[derive(Clone, Debug, PartialEq)]
pub enum Reading {
    /// Something to be judged by its temperature.
    Said {
        /// Unique in the run.
        message_id: String,
        /// Before calibration.
        temperature: f64,
        /// Where the reading has one; never calibrated, always valid.
        humidity: Option<f64>,
    },
    /// Something that is no reading under any calibration.
    Poison,
}

/// Events that a person hands to the function once, without sequence numbers. Nobody sends them again.
#[derive(Debug)]
pub struct ManualRun {
    /// When.
    pub at: Moment,
    /// What; sequence numbers are absent.
    pub messages: Vec<Message>,
}

impl Workload {
    /// The work of a seed.
    pub fn of(seed: u64) -> Workload {
        let mut dice = Dice::of(seed, "workload", 0);
        let speaking = dice.index(5) + 1;
        let partitions = partitions(&mut dice, speaking);
        let manual_runs = manual_runs(&mut dice, speaking);
        let devices: Vec<String> = (0..speaking + manual_runs.len() * DEVICES_OF_A_MANUAL_RUN)
            .map(|number| format!("device-{number}"))
            .collect();
        let intercepts =
            devices.iter().map(|_| dice.pick(&[None, None, Some(0.0), Some(30.0), Some(-45.0)])).collect();
        let (instances, shards) = (dice.pick(&[1, 2, 2, 3]), dice.pick(&[1, 1, 1, 3]));
        Workload { devices, intercepts, partitions, manual_runs, instances, shards }
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.partitions.iter().map(|partition| partition.messages.len()).sum()
    }
}

/// A device speaks to one partition. In some runs the hub is replaced half way: another name, sequence numbers from 0.
fn partitions(dice: &mut Dice, devices: usize) -> Vec<Partition> {
    let replaced = dice.percent(25);
    let ids = usize::try_from(dice.between(1, 3)).expect("three at most");
    let mut partitions = Vec::new();
    for (hub, from, until) in [("hub-a", 0, WORK_LASTS / 2), ("hub-b", WORK_LASTS / 2, WORK_LASTS)] {
        if hub == "hub-b" && !replaced {
            break;
        }
        let until = if replaced { until } else { WORK_LASTS };
        for id in 0..ids {
            let speaking: Vec<usize> = (0..devices).filter(|device| device % ids == id).collect();
            if !speaking.is_empty() {
                partitions.push(log(dice, hub, id, &speaking, from..until));
            }
        }
    }
    partitions
}

fn log(
    dice: &mut Dice,
    hub: &'static str,
    id: usize,
    speaking: &[usize],
    period: std::ops::Range<Moment>,
) -> Partition {
    let mut arrivals = Vec::new();
    // Devices speak in bursts, and an owner that comes late finds a queue.
    for _ in 0..dice.between(2, 6) {
        let at = period.start + dice.below(period.end - period.start);
        arrivals.extend((0..dice.between(1, 7)).map(|_| at + dice.below(3) * 40));
    }
    arrivals.sort_unstable();
    let first = if hub == "hub-a" { i64::try_from(dice.below(1_000)).expect("small") } else { 0 };
    let messages = (first..).zip(arrivals).map(|(sequence, arrives)| {
        let step_back = if dice.percent(10) { dice.between(1, 5_000) } else { 0 };
        let enqueued_at =
            HUB_EPOCH + i64::try_from(arrives).expect("small") - i64::try_from(step_back).expect("small");
        let device = dice.pick(speaking);
        let name = format!("{hub}-{id}-{sequence}");
        bodies::message(dice, device, &name, Some(sequence), arrives, enqueued_at)
    });
    Partition { hub, id, messages: messages.collect() }
}

/// Each manual run has devices of its own. A write without sequence numbers whose answer is lost is recognised by the
/// write id that the row then holds; when somebody else writes the same row before it is read again, it is not. That
/// limit is known and not what is looked for here.
const DEVICES_OF_A_MANUAL_RUN: usize = 2;

fn manual_runs(dice: &mut Dice, speaking: usize) -> Vec<ManualRun> {
    let runs = if dice.percent(60) { dice.index(4) + 1 } else { 0 };
    (0..runs)
        .map(|run| {
            let at = dice.below(WORK_LASTS);
            let message = |number| {
                let device = speaking + run * DEVICES_OF_A_MANUAL_RUN + dice.index(DEVICES_OF_A_MANUAL_RUN);
                bodies::message(dice, device, &format!("by-hand-{run}-{number}"), None, at, 0)
            };
            ManualRun { at, messages: (0..3).map(message).collect() }
        })
        .collect()
}
