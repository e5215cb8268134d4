//! Drawing a plan from a seed. Each seed chooses some kinds of faults and draws from those only: a fault that covers up
//! another one is then absent from many runs.

use super::{Fault, Moment, Operation, PushTrouble, Trouble};
use crate::dice::Dice;
use crate::workload::{WORK_LASTS, Workload};

/// The most faults of one run. More hide each other and cost time.
const MOST_FAULTS: u64 = 14;

type Draw = fn(&mut Dice, &Workload) -> Fault;

/// How each kind is drawn.
const DRAWS: [Draw; 12] = [
    store_fault,
    refuse_fault,
    store_outage,
    kill,
    kill_before_checkpoint,
    pause,
    steal,
    replay,
    push_fault,
    push_outage,
    clock_jump,
    disconnect,
];

/// Every kind of fault that plans are made of, as [`Fault::kind`] names it.
pub const KINDS: [&str; 26] = [
    "calibration change",
    "clock jump",
    "kill: before the checkpoint",
    "kill: handler",
    "kill: instance",
    "pause of an instance",
    "push: fails",
    "push: heard but reported as failed",
    "push: heard late",
    "push: heard twice",
    "push: lost",
    "push: outage",
    "replay from an older checkpoint",
    "screen loses its connection",
    "store: 412 or 409",
    "store: 503",
    "store: answer lost",
    "store: outage, 503",
    "store: outage, no answer",
    "store: refusals kept in part",
    "store: slow",
    "store: slow answer",
    "store: time-out after it was done",
    "store: time-out before it was done",
    "store: write done late",
    "two owners of a partition",
];

/// The faults of a seed, for the work of that seed.
pub fn plan(seed: u64, workload: &Workload) -> Vec<Fault> {
    let mut dice = Dice::of(seed, "plan", 0);
    let mut draws: Vec<Draw> = DRAWS.into_iter().filter(|_| dice.percent(45)).collect();
    // A lost answer only matters for the few writes that no watermark protects, so it needs more throws than others.
    if dice.percent(60) {
        draws.extend([commit_fault as Draw; 2]);
    }
    // Calibrations decide which readings count, so most runs have a change of them.
    if dice.percent(60) {
        draws.extend([calibrate as Draw; 2]);
    }
    if draws.is_empty() {
        return Vec::new();
    }
    let faults = dice.between(1, MOST_FAULTS);
    (0..faults).map(|_| draws[dice.index(draws.len())](&mut dice, workload)).collect()
}

fn moment(dice: &mut Dice) -> Moment {
    dice.below(WORK_LASTS + WORK_LASTS / 4)
}

fn store_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    let operation = dice.pick(&[Operation::Load, Operation::Load, Operation::Scan, Operation::Calibrations]);
    let number = dice.below(if operation == Operation::Load { batches(workload) } else { 6 });
    let slow = dice.between(100, 20_000);
    let trouble = dice.pick(&[
        Trouble::Unavailable,
        Trouble::TimeoutBefore,
        Trouble::TimeoutAfter,
        Trouble::Late(slow),
        Trouble::SlowAnswer(slow),
    ]);
    Fault::Store { operation, number, trouble }
}

/// About as many batches as a run has: most numbers drawn below this come up.
fn batches(workload: &Workload) -> u64 {
    (workload.messages() as u64 / 2).max(4)
}

fn commit_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    // Beyond the handler's own deadline of 30 s too.
    let slow = dice.between(20, 45_000);
    let trouble = dice.pick(&[
        Trouble::Conflict,
        Trouble::Conflict,
        Trouble::Unavailable,
        Trouble::TimeoutBefore,
        Trouble::TimeoutAfter,
        Trouble::LostAnswer,
        Trouble::LostAnswer,
        Trouble::LostAnswer,
        Trouble::Late(slow),
        Trouble::SlowAnswer(slow),
    ]);
    Fault::Store { operation: Operation::Commit, number: dice.below(batches(workload)), trouble }
}

fn refuse_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    let slow = dice.between(20, 45_000);
    let trouble = dice.pick(&[
        Trouble::Torn,
        Trouble::Torn,
        Trouble::Unavailable,
        Trouble::TimeoutBefore,
        Trouble::TimeoutAfter,
        Trouble::LostAnswer,
        Trouble::Late(slow),
    ]);
    Fault::Store { operation: Operation::Refuse, number: dice.below(batches(workload)), trouble }
}

fn store_outage(dice: &mut Dice, _: &Workload) -> Fault {
    Fault::StoreOutage { at: moment(dice), lasts: dice.between(50, 40_000), silent: dice.percent(40) }
}

fn kill(dice: &mut Dice, workload: &Workload) -> Fault {
    Fault::Kill {
        poll: dice.below(batches(workload) * 6),
        after: dice.percent(50),
        instance: dice.percent(50),
    }
}

fn kill_before_checkpoint(dice: &mut Dice, workload: &Workload) -> Fault {
    Fault::KillBeforeCheckpoint { checkpoint: dice.below(batches(workload)) }
}

fn pause(dice: &mut Dice, workload: &Workload) -> Fault {
    Fault::Pause {
        instance: dice.index(workload.instances),
        at: moment(dice),
        lasts: dice.between(10, 60_000),
    }
}

fn steal(dice: &mut Dice, workload: &Workload) -> Fault {
    let partition = dice.index(workload.partitions.len());
    Fault::Steal { partition, at: moment(dice), overlap: dice.between(0, 20_000) }
}

fn replay(dice: &mut Dice, workload: &Workload) -> Fault {
    let partition = dice.index(workload.partitions.len());
    Fault::Replay { partition, at: moment(dice), back: dice.between(1, 30) }
}

fn push_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    let late = dice.between(50, 20_000);
    let trouble = dice.pick(&[
        PushTrouble::Fails,
        PushTrouble::HeardButFails,
        PushTrouble::Lost,
        PushTrouble::Doubled(late),
        PushTrouble::Late(late),
    ]);
    Fault::Push { call: dice.below(batches(workload)), trouble }
}

fn push_outage(dice: &mut Dice, _: &Workload) -> Fault {
    Fault::PushOutage { at: moment(dice), lasts: dice.between(50, 30_000) }
}

fn clock_jump(dice: &mut Dice, workload: &Workload) -> Fault {
    let by = dice.pick(&[-86_400_000, -60_000, -1_500, 1_500, 60_000, 86_400_000]);
    Fault::ClockJump { instance: dice.index(workload.instances), at: moment(dice), by }
}

fn calibrate(dice: &mut Dice, workload: &Workload) -> Fault {
    let intercept = dice.pick(&[None, Some(0.0), Some(30.0), Some(-45.0)]);
    Fault::Calibrate { device: dice.index(workload.devices.len()), at: moment(dice), intercept }
}

fn disconnect(dice: &mut Dice, _: &Workload) -> Fault {
    let screen = dice.index(crate::screens::WATCHING);
    Fault::Disconnect { screen, at: moment(dice), lasts: dice.between(10, 30_000) }
}
