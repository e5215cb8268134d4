//! Drawing a plan from a seed. Each seed chooses some kinds of faults and draws from those only: a fault that covers up
//! another one is then absent from many runs.

use super::fault::{Fault, Outage, SignalRCall, SignalRTrouble, StoreCall, StoreTrouble};
use crate::dice::Dice;
use crate::scenario::{Moment, WORK_LASTS};
use crate::workload::{Following, Workload};

/// The most faults of one run. More hide each other and cost time.
const MOST_FAULTS: u64 = 14;

type Draw = fn(&mut Dice, &Workload) -> Fault;

/// How each kind is drawn.
const DRAWS: [Draw; 16] = [
    store_fault,
    empty_page,
    reject_fault,
    store_outage,
    kill,
    kill_before_checkpoint,
    pause,
    steal,
    replay,
    send_fault,
    subscription_fault,
    signalr_outage,
    clock_jump,
    disconnect,
    deaf,
    follow,
];

/// Every kind of fault that plans are made of, as [`Fault::kind`] names it.
pub const KINDS: [&str; 37] = [
    "calibration change",
    "clock jump",
    "kill: before the checkpoint",
    "kill: handler",
    "kill: instance",
    "pause of an instance",
    "replay from an older checkpoint",
    "screen: deaf connection",
    "screen: follows something else",
    "screen: no network",
    "signalr: 429",
    "signalr: 503",
    "signalr: answer lost",
    "signalr: done but reported as failed",
    "signalr: message heard late",
    "signalr: message heard twice",
    "signalr: message lost",
    "signalr: old answer about a group",
    "signalr: outage, 429",
    "signalr: outage, 500",
    "signalr: outage, 503",
    "signalr: outage, no answer",
    "signalr: outage, no connection",
    "signalr: slow answer",
    "signalr: time-out before it was done",
    "store: 412 or 409",
    "store: 503",
    "store: answer lost",
    "store: empty page",
    "store: outage, 503",
    "store: outage, no answer",
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
    let call = dice.pick(&[
        StoreCall::Load,
        StoreCall::Load,
        StoreCall::Scan,
        StoreCall::Calibrations,
        StoreCall::Open,
        StoreCall::Verify,
    ]);
    let number = dice.below(match call {
        StoreCall::Load => batches(workload),
        StoreCall::Scan => 60,
        _ => 6,
    });
    let slow = dice.between(100, 20_000);
    let trouble = dice.pick(&[
        StoreTrouble::Unavailable,
        StoreTrouble::TimeoutBefore,
        StoreTrouble::TimeoutAfter,
        StoreTrouble::Late(slow),
        StoreTrouble::SlowAnswer(slow),
    ]);
    Fault::Store { call, number, trouble }
}

/// Of the reads that are made of pages.
fn empty_page(dice: &mut Dice, _: &Workload) -> Fault {
    let call = dice.pick(&[StoreCall::Scan, StoreCall::Scan, StoreCall::Calibrations, StoreCall::Verify]);
    let number = dice.below(if call == StoreCall::Scan { 60 } else { 6 });
    Fault::Store { call, number, trouble: StoreTrouble::EmptyPage }
}

/// About as many batches as a run has: most numbers drawn below this come up.
fn batches(workload: &Workload) -> u64 {
    (workload.messages() as u64 / 2).max(4)
}

fn commit_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    // Beyond the handler's own deadline of 30 s too.
    let slow = dice.between(20, 45_000);
    let trouble = dice.pick(&[
        StoreTrouble::Conflict,
        StoreTrouble::Conflict,
        StoreTrouble::Unavailable,
        StoreTrouble::TimeoutBefore,
        StoreTrouble::TimeoutAfter,
        StoreTrouble::LostAnswer,
        StoreTrouble::LostAnswer,
        StoreTrouble::LostAnswer,
        StoreTrouble::Late(slow),
        StoreTrouble::SlowAnswer(slow),
    ]);
    Fault::Store { call: StoreCall::Commit, number: dice.below(batches(workload)), trouble }
}

fn reject_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    let slow = dice.between(20, 45_000);
    let trouble = dice.pick(&[
        StoreTrouble::Conflict,
        StoreTrouble::Conflict,
        StoreTrouble::Unavailable,
        StoreTrouble::TimeoutBefore,
        StoreTrouble::TimeoutAfter,
        StoreTrouble::LostAnswer,
        StoreTrouble::Late(slow),
    ]);
    Fault::Store { call: StoreCall::Reject, number: dice.below(batches(workload)), trouble }
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

fn send_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    let late = dice.between(50, 20_000);
    let trouble = dice.pick(&[
        SignalRTrouble::Unavailable,
        SignalRTrouble::Throttled(late / 2_000),
        SignalRTrouble::TimeoutBefore,
        SignalRTrouble::LostAnswer,
        SignalRTrouble::DoneButFails,
        SignalRTrouble::SlowAnswer(late),
        SignalRTrouble::Unheard,
        SignalRTrouble::Doubled(late),
        SignalRTrouble::Late(late),
    ]);
    Fault::SignalR { call: SignalRCall::Send, number: dice.below(batches(workload)), trouble }
}

/// Whatever decides who is sent to.
fn subscription_fault(dice: &mut Dice, workload: &Workload) -> Fault {
    let slow = dice.between(50, 20_000);
    let mut troubles = vec![
        SignalRTrouble::Unavailable,
        SignalRTrouble::Throttled(slow / 2_000),
        SignalRTrouble::TimeoutBefore,
        SignalRTrouble::LostAnswer,
        SignalRTrouble::DoneButFails,
        SignalRTrouble::SlowAnswer(slow),
    ];
    let call = dice.pick(&[SignalRCall::Ask, SignalRCall::Ask, SignalRCall::Join]);
    let number = match call {
        SignalRCall::Join => dice.below(20),
        _ => {
            troubles.extend([SignalRTrouble::Stale(slow / 5); 4]);
            dice.below(batches(workload) * 2)
        }
    };
    Fault::SignalR { call, number, trouble: dice.pick(&troubles) }
}

fn signalr_outage(dice: &mut Dice, _: &Workload) -> Fault {
    let manner = dice.pick(&[
        Outage::Unavailable,
        Outage::Silent,
        Outage::Unreachable,
        Outage::Throttled,
        Outage::Failing,
    ]);
    Fault::SignalROutage { at: moment(dice), lasts: dice.between(50, 30_000), manner }
}

fn clock_jump(dice: &mut Dice, workload: &Workload) -> Fault {
    let by = dice.pick(&[-86_400_000, -60_000, -1_500, 1_500, 60_000, 86_400_000]);
    Fault::ClockJump { instance: dice.index(workload.instances), at: moment(dice), by }
}

fn calibrate(dice: &mut Dice, workload: &Workload) -> Fault {
    let intercept = dice.pick(&[None, Some(0.0), Some(30.0), Some(-45.0)]);
    Fault::Calibrate { device: dice.index(workload.devices.len()), at: moment(dice), intercept }
}

fn disconnect(dice: &mut Dice, workload: &Workload) -> Fault {
    let screen = dice.index(workload.screens.len());
    Fault::Disconnect { screen, at: moment(dice), lasts: dice.between(10, 30_000) }
}

fn deaf(dice: &mut Dice, workload: &Workload) -> Fault {
    let screen = dice.index(workload.screens.len());
    Fault::Deaf { screen, at: moment(dice), lasts: dice.between(1_000, 60_000) }
}

fn follow(dice: &mut Dice, workload: &Workload) -> Fault {
    let screen = dice.index(workload.screens.len());
    Fault::Follow { screen, at: moment(dice), following: Following::any(dice, &workload.devices) }
}
