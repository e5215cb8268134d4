//! The work of a run: what devices say, to which partition of the hub, when, what a person sends by hand, and who watches.
//! All of it from the seed, none of it a fault of the pipeline.

mod bodies;
mod message;
mod screen;

use fieldcast::screens::publish::PublishMode;

pub use self::message::{Message, Reading};
pub use self::screen::{Following, Screen};
use crate::dice::Dice;
use crate::scenario::{HUB_EPOCH, Moment, WORK_LASTS};

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
    /// Whom handlers announce changes to.
    pub publish_mode: PublishMode,
    /// Who watches.
    pub screens: Vec<Screen>,
}

/// One partition's log.
#[derive(Debug)]
pub struct Partition {
    /// The Event Hub-compatible name.
    pub hub: &'static str,
    /// The partition of the hub of the same name before, by index: it has been taken to its end when this hub is made.
    pub follows: Option<usize>,
    /// The number in it.
    pub id: usize,
    /// In the order of the stream; sequence numbers grow by one.
    pub messages: Vec<Message>,
}

/// Events that a person hands to the function once, without sequence numbers. Nobody sends them again.
#[derive(Debug)]
pub struct ManualRun {
    /// When.
    pub at: Moment,
    /// What; sequence numbers are absent.
    pub messages: Vec<Message>,
}

/// A message is one of the last ones if there are fewer behind it in its partition. What a screen misses of those is not
/// made good by later ones.
const LAST: usize = 6;

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
        let mut dice = Dice::of(seed, "screens", 0);
        let publish_mode = dice.pick(&[PublishMode::Broadcast, PublishMode::Groups, PublishMode::Groups]);
        let last: Vec<Moment> = partitions.iter().flat_map(Partition::last_arrivals).collect();
        let screens = screen::screens(&mut dice, &devices, &last);
        Workload { devices, intercepts, partitions, manual_runs, instances, shards, publish_mode, screens }
    }

    /// How many messages there are.
    pub fn messages(&self) -> usize {
        self.partitions.iter().map(|partition| partition.messages.len()).sum()
    }
}

impl Partition {
    fn last_arrivals(&self) -> impl Iterator<Item = Moment> {
        self.messages.iter().rev().take(LAST).map(|message| message.arrives)
    }
}

/// A hub, and when devices speak to it.
#[derive(Clone)]
struct Hub {
    name: &'static str,
    life: usize,
    speaks: std::ops::Range<Moment>,
    /// How much later than in the world before it was made.
    later: i64,
}

/// A device speaks to one partition. In some runs the hub is replaced half way, by one of another name or by one of the same;
/// sequence numbers begin at 0 again. A hub of the same name takes minutes to be made, and what was not taken of the one before
/// is gone with it; what was taken may be delivered again at any time.
fn partitions(dice: &mut Dice, devices: usize) -> Vec<Partition> {
    let first = Hub { name: "hub-a", life: 0, speaks: 0..WORK_LASTS, later: 0 };
    let (before, after) = (0..WORK_LASTS / 2, WORK_LASTS / 2..WORK_LASTS);
    let hubs = match dice.below(4) {
        0 => vec![Hub { speaks: before, ..first.clone() }, Hub { name: "hub-b", speaks: after, ..first }],
        1 => vec![
            Hub { speaks: before, ..first.clone() },
            Hub { life: 1, speaks: after, later: 10 * 60_000, ..first },
        ],
        _ => vec![first],
    };
    let ids = usize::try_from(dice.between(1, 3)).expect("three at most");
    let mut partitions: Vec<Partition> = Vec::new();
    for hub in hubs {
        for id in 0..ids {
            let speaking: Vec<usize> = (0..devices).filter(|device| device % ids == id).collect();
            if !speaking.is_empty() {
                let is_before = |before: &Partition| (before.hub, before.id) == (hub.name, id);
                let follows = partitions.iter().position(is_before);
                partitions.push(Partition { follows, ..log(dice, &hub, id, &speaking) });
            }
        }
    }
    partitions
}

fn log(dice: &mut Dice, hub: &Hub, id: usize, speaking: &[usize]) -> Partition {
    let Hub { name: hub, life, speaks: period, later } = hub.clone();
    let mut arrivals = Vec::new();
    // Devices speak in bursts, and an owner that comes late finds a queue.
    for _ in 0..dice.between(2, 6) {
        let at = period.start + dice.below(period.end - period.start);
        arrivals.extend((0..dice.between(1, 7)).map(|_| at + dice.below(3) * 40));
    }
    arrivals.sort_unstable();
    let is_first = hub == "hub-a" && life == 0;
    let most = dice.pick(&[5, 1_000]);
    let first = if is_first { i64::try_from(dice.below(most)).expect("small") } else { 0 };
    let messages = (first..).zip(arrivals).map(|(sequence, arrives)| {
        // A broker's clock may step by up to a minute.
        let step_back = if dice.percent(10) { dice.between(1, 59_000) } else { 0 };
        let small = |number: u64| i64::try_from(number).expect("small");
        let enqueued_at = HUB_EPOCH + later + small(arrives) - small(step_back);
        let device = dice.pick(speaking);
        let name = format!("{hub}-{life}-{id}-{sequence}");
        bodies::message(dice, device, &name, Some(sequence), arrives, enqueued_at)
    });
    Partition { hub, follows: None, id, messages: messages.collect() }
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
