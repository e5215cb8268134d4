//! The plan: every fault of a run as an entry of a list, apart from the work itself. A run that fails is run again with
//! fewer entries, until none can be left out.

mod draw;

use std::fmt;

pub use draw::{KINDS, plan};

/// Milliseconds since the start of a run.
pub type Moment = u64;

/// One thing that goes wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// One operation of the store goes wrong: the `number`th of its kind.
    Store {
        /// Which kind of operation.
        operation: Operation,
        /// Counted from 0 over all instances.
        number: u64,
        /// What happens to it.
        trouble: Trouble,
    },
    /// The store does nothing for a while: it answers 503, or not at all.
    StoreOutage {
        /// When it begins.
        at: Moment,
        /// How long it lasts.
        lasts: Moment,
        /// Without an answer.
        silent: bool,
    },
    /// A handler dies while it is polled for the `poll`th time, counted over all handlers: every await point of every
    /// invocation is such a moment. With it die all its invocations and everything that it remembered.
    Kill {
        /// Counted from 0 over all invocations.
        poll: u64,
        /// Whether that poll still happens.
        after: bool,
        /// The instance goes as a whole, and with it the host's memory of the batch that it is retrying.
        instance: bool,
    },
    /// An instance goes after a batch succeeded and before its checkpoint is written: the `checkpoint`th.
    KillBeforeCheckpoint {
        /// Counted from 0 over all partitions.
        checkpoint: u64,
    },
    /// An instance stands still, and wakes up as if nothing had been.
    Pause {
        /// Which one.
        instance: usize,
        /// When.
        at: Moment,
        /// For how long.
        lasts: Moment,
    },
    /// Another instance takes a partition over; the old owner goes on for a while, and both deliver.
    Steal {
        /// Which partition.
        partition: usize,
        /// When.
        at: Moment,
        /// How long the old owner does not notice.
        overlap: Moment,
    },
    /// A partition is delivered again from an older checkpoint.
    Replay {
        /// Which partition.
        partition: usize,
        /// When.
        at: Moment,
        /// How many events are delivered again.
        back: u64,
    },
    /// One announcement goes wrong: the `call`th.
    Push {
        /// Counted from 0 over all instances.
        call: u64,
        /// What happens to it.
        trouble: PushTrouble,
    },
    /// Nothing can be announced for a while.
    PushOutage {
        /// When it begins.
        at: Moment,
        /// How long it lasts.
        lasts: Moment,
    },
    /// The clock of an instance jumps.
    ClockJump {
        /// Which one.
        instance: usize,
        /// When.
        at: Moment,
        /// By so many milliseconds.
        by: i64,
    },
    /// A person changes a device's temperature correction.
    Calibrate {
        /// Which device.
        device: usize,
        /// When.
        at: Moment,
        /// The new offset, °C; nothing: its row is deleted.
        intercept: Option<f64>,
    },
    /// A screen loses its connection.
    Disconnect {
        /// Which one.
        screen: usize,
        /// When.
        at: Moment,
        /// For how long.
        lasts: Moment,
    },
}

/// The operations of the store that can go wrong one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Rows are read.
    Load,
    /// Rows are written.
    Commit,
    /// A page of all rows is read.
    Scan,
    /// Calibrations are read.
    Calibrations,
    /// Refusals are kept.
    Refuse,
}

/// What happens to one operation of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Somebody else has just written the same row (412), or the store says so although nobody has (409).
    Conflict,
    /// 503, nothing done.
    Unavailable,
    /// The request never arrives and nobody says so.
    TimeoutBefore,
    /// The request arrives and is done; the answer never comes.
    TimeoutAfter,
    /// The request is done; the connection breaks under the answer.
    LostAnswer,
    /// The request travels for so long, and is done when it arrives, whoever still waits.
    Late(Moment),
    /// The request is done; the answer travels for so long.
    SlowAnswer(Moment),
    /// A part of the refusals is kept, then the store fails.
    Torn,
}

/// What happens to one announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushTrouble {
    /// It fails.
    Fails,
    /// It is heard, and reported as failed.
    HeardButFails,
    /// It is reported as sent, and nobody hears it.
    Lost,
    /// It is heard twice, the second time so much later.
    Doubled(Moment),
    /// It is heard so much later, behind others.
    Late(Moment),
}

impl Fault {
    /// The kind, as it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Store { trouble, operation, .. } => store_kind(*operation, *trouble),
            Fault::StoreOutage { silent: false, .. } => "store: outage, 503",
            Fault::StoreOutage { silent: true, .. } => "store: outage, no answer",
            Fault::Kill { instance: false, .. } => "kill: handler",
            Fault::Kill { instance: true, .. } => "kill: instance",
            Fault::KillBeforeCheckpoint { .. } => "kill: before the checkpoint",
            Fault::Pause { .. } => "pause of an instance",
            Fault::Steal { .. } => "two owners of a partition",
            Fault::Replay { .. } => "replay from an older checkpoint",
            Fault::Push { trouble, .. } => match trouble {
                PushTrouble::Fails => "push: fails",
                PushTrouble::HeardButFails => "push: heard but reported as failed",
                PushTrouble::Lost => "push: lost",
                PushTrouble::Doubled(_) => "push: heard twice",
                PushTrouble::Late(_) => "push: heard late",
            },
            Fault::PushOutage { .. } => "push: outage",
            Fault::ClockJump { .. } => "clock jump",
            Fault::Calibrate { .. } => "calibration change",
            Fault::Disconnect { .. } => "screen loses its connection",
        }
    }

    /// Whether announcements suffer from it.
    pub(crate) fn concerns_pushes(&self) -> bool {
        matches!(self, Fault::Push { .. } | Fault::PushOutage { .. })
    }
}

fn store_kind(operation: Operation, trouble: Trouble) -> &'static str {
    match (trouble, operation) {
        (Trouble::Conflict, _) => "store: 412 or 409",
        (Trouble::Unavailable, _) => "store: 503",
        (Trouble::TimeoutBefore, _) => "store: time-out before it was done",
        (Trouble::TimeoutAfter, _) => "store: time-out after it was done",
        (Trouble::LostAnswer, _) => "store: answer lost",
        (Trouble::Late(_), Operation::Commit) => "store: write done late",
        (Trouble::Late(_), _) => "store: slow",
        (Trouble::SlowAnswer(_), _) => "store: slow answer",
        (Trouble::Torn, _) => "store: refusals kept in part",
    }
}

/// A moment as people read it.
pub(crate) fn seconds(moment: Moment) -> String {
    format!("{}.{:03} s", moment / 1_000, moment % 1_000)
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        let during = |at: Moment, lasts: Moment| format!("at {} for {}", seconds(at), seconds(lasts));
        match self {
            Fault::Store { operation, number, trouble } => {
                let name = format!("{operation:?}").to_lowercase();
                write!(out, "{kind}: {name} {number}, {trouble:?}")
            }
            Fault::StoreOutage { at, lasts, .. } | Fault::PushOutage { at, lasts } => {
                write!(out, "{kind}: {}", during(*at, *lasts))
            }
            Fault::Kill { poll, after, .. } => {
                write!(out, "{kind}: {} poll {poll}", if *after { "after" } else { "instead of" })
            }
            Fault::KillBeforeCheckpoint { checkpoint } => write!(out, "{kind}: checkpoint {checkpoint}"),
            Fault::Pause { instance, at, lasts } => {
                write!(out, "{kind}: instance {instance}, {}", during(*at, *lasts))
            }
            Fault::Steal { partition, at, overlap } => {
                write!(out, "{kind}: partition {partition}, {}", during(*at, *overlap))
            }
            Fault::Replay { partition, at, back } => {
                write!(out, "{kind}: partition {partition}, at {}, {back} events", seconds(*at))
            }
            Fault::Push { call, trouble } => write!(out, "{kind}: announcement {call}, {trouble:?}"),
            Fault::ClockJump { instance, at, by } => {
                write!(out, "{kind}: instance {instance}, at {}, by {by} ms", seconds(*at))
            }
            Fault::Calibrate { device, at, intercept } => {
                write!(out, "{kind}: device {device}, at {}, offset {intercept:?}", seconds(*at))
            }
            Fault::Disconnect { screen, at, lasts } => {
                write!(out, "{kind}: screen {screen}, {}", during(*at, *lasts))
            }
        }
    }
}
