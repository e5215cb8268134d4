//! Faults as data: what can go wrong in a run, and where.

use std::fmt;

use crate::scenario::{Moment, seconds};
use crate::workload::Following;

/// One thing that goes wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// One call of the store goes wrong: the `number`th of its kind.
    Store {
        /// Which kind of call.
        call: StoreCall,
        /// Counted from 0 over all instances.
        number: u64,
        /// What happens to it.
        trouble: StoreTrouble,
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
    /// One call of SignalR Service's REST API goes wrong: the `number`th of its kind.
    SignalR {
        /// Which kind of call.
        call: SignalRCall,
        /// Counted from 0 over all instances.
        number: u64,
        /// What happens to it.
        trouble: SignalRTrouble,
    },
    /// SignalR Service takes no calls and no new connections for a while.
    SignalROutage {
        /// When it begins.
        at: Moment,
        /// How long it lasts.
        lasts: Moment,
        /// What callers meet.
        manner: Outage,
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
    /// A screen has no network.
    Disconnect {
        /// Which one.
        screen: usize,
        /// When.
        at: Moment,
        /// For how long.
        lasts: Moment,
    },
    /// A screen's connection is up but delivers nothing; what is sent to it meanwhile is lost.
    Deaf {
        /// Which one.
        screen: usize,
        /// When.
        at: Moment,
        /// For how long.
        lasts: Moment,
    },
    /// A person lets a screen follow something else.
    Follow {
        /// Which one.
        screen: usize,
        /// When.
        at: Moment,
        /// What.
        following: Following,
    },
}

/// The calls of the store that can go wrong one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StoreCall {
    /// A table is created, or the layout is looked at.
    Open,
    /// A device's row is read.
    Load,
    /// Devices' rows are written.
    Commit,
    /// A page of devices' rows is read.
    Scan,
    /// Calibrations are read.
    Calibrations,
    /// Rejected readings are kept.
    Reject,
    /// It is looked for rejected readings that are kept already.
    Verify,
}

/// What happens to one call of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreTrouble {
    /// Somebody else has just written one of the rows (409 or 412).
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
    /// A page of rows comes empty, and says that others follow.
    EmptyPage,
}

/// The calls of SignalR Service that can go wrong one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SignalRCall {
    /// A message is sent.
    Send,
    /// Whether a group has members.
    Ask,
    /// A connection joins or leaves a group, or is looked for.
    Join,
}

/// What happens to one call of SignalR Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalRTrouble {
    /// 503, nothing done.
    Unavailable,
    /// 429, nothing done; to be tried again after so many seconds.
    Throttled(u64),
    /// The request never arrives and nobody says so.
    TimeoutBefore,
    /// It is done; the connection breaks under the answer.
    LostAnswer,
    /// It is done, and answered with 500.
    DoneButFails,
    /// It is done; the answer travels for so long.
    SlowAnswer(Moment),
    /// A message is reported as sent, and nobody hears it.
    Unheard,
    /// A message is heard twice, the second time so much later.
    Doubled(Moment),
    /// A message is heard so much later, behind others.
    Late(Moment),
    /// The answer says how things were so long ago.
    Stale(Moment),
}

/// What callers meet while a service is out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// 503.
    Unavailable,
    /// No answer.
    Silent,
    /// No connection.
    Unreachable,
    /// 429, for as long as it lasts.
    Throttled,
    /// 500, nothing done.
    Failing,
}

impl Fault {
    /// The kind, as it is counted.
    pub fn kind(&self) -> &'static str {
        match self {
            Fault::Store { trouble, call, .. } => store_kind(*call, *trouble),
            Fault::StoreOutage { silent: false, .. } => "store: outage, 503",
            Fault::StoreOutage { silent: true, .. } => "store: outage, no answer",
            Fault::Kill { instance: false, .. } => "kill: handler",
            Fault::Kill { instance: true, .. } => "kill: instance",
            Fault::KillBeforeCheckpoint { .. } => "kill: before the checkpoint",
            Fault::Pause { .. } => "pause of an instance",
            Fault::Steal { .. } => "two owners of a partition",
            Fault::Replay { .. } => "replay from an older checkpoint",
            Fault::SignalR { trouble, .. } => call_kind(*trouble),
            Fault::SignalROutage { manner, .. } => match manner {
                Outage::Unavailable => "signalr: outage, 503",
                Outage::Silent => "signalr: outage, no answer",
                Outage::Unreachable => "signalr: outage, no connection",
                Outage::Throttled => "signalr: outage, 429",
                Outage::Failing => "signalr: outage, 500",
            },
            Fault::ClockJump { .. } => "clock jump",
            Fault::Calibrate { .. } => "calibration change",
            Fault::Disconnect { .. } => "screen: no network",
            Fault::Deaf { .. } => "screen: deaf connection",
            Fault::Follow { .. } => "screen: follows something else",
        }
    }
}

fn call_kind(trouble: SignalRTrouble) -> &'static str {
    match trouble {
        SignalRTrouble::Unavailable => "signalr: 503",
        SignalRTrouble::Throttled(_) => "signalr: 429",
        SignalRTrouble::TimeoutBefore => "signalr: time-out before it was done",
        SignalRTrouble::LostAnswer => "signalr: answer lost",
        SignalRTrouble::DoneButFails => "signalr: done but reported as failed",
        SignalRTrouble::SlowAnswer(_) => "signalr: slow answer",
        SignalRTrouble::Unheard => "signalr: message lost",
        SignalRTrouble::Doubled(_) => "signalr: message heard twice",
        SignalRTrouble::Late(_) => "signalr: message heard late",
        SignalRTrouble::Stale(_) => "signalr: old answer about a group",
    }
}

fn store_kind(call: StoreCall, trouble: StoreTrouble) -> &'static str {
    match (trouble, call) {
        (StoreTrouble::Conflict, _) => "store: 412 or 409",
        (StoreTrouble::Unavailable, _) => "store: 503",
        (StoreTrouble::TimeoutBefore, _) => "store: time-out before it was done",
        (StoreTrouble::TimeoutAfter, _) => "store: time-out after it was done",
        (StoreTrouble::LostAnswer, _) => "store: answer lost",
        (StoreTrouble::Late(_), StoreCall::Commit | StoreCall::Reject) => "store: write done late",
        (StoreTrouble::Late(_), _) => "store: slow",
        (StoreTrouble::SlowAnswer(_), _) => "store: slow answer",
        (StoreTrouble::EmptyPage, _) => "store: empty page",
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        let during = |at: Moment, lasts: Moment| format!("at {} for {}", seconds(at), seconds(lasts));
        match self {
            Fault::Store { call, number, trouble } => {
                let name = format!("{call:?}").to_lowercase();
                write!(out, "{kind}: {name} {number}, {trouble:?}")
            }
            Fault::StoreOutage { at, lasts, .. } | Fault::SignalROutage { at, lasts, .. } => {
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
            Fault::SignalR { call, number, trouble } => {
                let name = format!("{call:?}").to_lowercase();
                write!(out, "{kind}: {name} {number}, {trouble:?}")
            }
            Fault::ClockJump { instance, at, by } => {
                write!(out, "{kind}: instance {instance}, at {}, by {by} ms", seconds(*at))
            }
            Fault::Calibrate { device, at, intercept } => {
                write!(out, "{kind}: device {device}, at {}, offset {intercept:?}", seconds(*at))
            }
            Fault::Disconnect { screen, at, lasts } | Fault::Deaf { screen, at, lasts } => {
                write!(out, "{kind}: screen {screen}, {}", during(*at, *lasts))
            }
            Fault::Follow { screen, at, following } => {
                write!(out, "{kind}: screen {screen}, at {}, {following}", seconds(*at))
            }
        }
    }
}
