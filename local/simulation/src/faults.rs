//! Where the plan meets the run: everything that can go wrong asks here, once each time, and is counted by asking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::plan::{Fault, Outage, SignalRCall, SignalRTrouble, StoreCall, StoreTrouble};
use crate::scenario::Moment;

/// A handler dies.
#[derive(Clone, Copy)]
pub(crate) struct Death {
    /// Whether the poll still happens.
    pub(crate) after: bool,
    /// Whether the whole instance goes.
    pub(crate) instance: bool,
}

/// The plan, and how far each counter of the run has come.
pub(crate) struct Faults {
    plan: Vec<Fault>,
    calm: AtomicBool,
    store_calls: Mutex<BTreeMap<StoreCall, u64>>,
    polls: AtomicU64,
    checkpoints: AtomicU64,
    signalr_calls: Mutex<BTreeMap<SignalRCall, u64>>,
}

impl Faults {
    pub(crate) fn new(plan: &[Fault]) -> Faults {
        Faults {
            plan: plan.to_vec(),
            calm: AtomicBool::new(false),
            store_calls: Mutex::default(),
            polls: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            signalr_calls: Mutex::default(),
        }
    }

    /// From now on nothing goes wrong.
    pub(crate) fn end(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn plan(&self) -> &[Fault] {
        &self.plan
    }

    fn find<T>(&self, wanted: impl Fn(&Fault) -> Option<T>) -> Option<T> {
        match self.calm.load(Ordering::Relaxed) {
            true => None,
            false => self.plan.iter().find_map(wanted),
        }
    }

    /// What happens to the next call of the store of this kind, and its number.
    pub(crate) fn store_call(&self, kind: StoreCall) -> (u64, Option<StoreTrouble>) {
        let this = counted(&self.store_calls, kind);
        let trouble = self.find(|fault| match fault {
            Fault::Store { call, number, trouble } if (*call, *number) == (kind, this) => Some(*trouble),
            _ => None,
        });
        (this, trouble)
    }

    /// Whether the store is out at this moment, and whether it then says so.
    pub(crate) fn store_outage(&self, now: Moment) -> Option<&'static str> {
        self.find(|fault| match fault {
            Fault::StoreOutage { at, lasts, .. } if (*at..at + lasts).contains(&now) => Some(fault.kind()),
            _ => None,
        })
    }

    /// Whether the next poll of an invocation is its handler's last.
    pub(crate) fn poll(&self) -> Option<Death> {
        let this = self.polls.fetch_add(1, Ordering::Relaxed);
        self.find(|fault| match fault {
            Fault::Kill { poll, after, instance } if *poll == this => {
                Some(Death { after: *after, instance: *instance })
            }
            _ => None,
        })
    }

    /// Whether the instance goes before it can write the next checkpoint.
    pub(crate) fn checkpoint(&self) -> bool {
        let this = self.checkpoints.fetch_add(1, Ordering::Relaxed);
        self.find(|fault| (*fault == Fault::KillBeforeCheckpoint { checkpoint: this }).then_some(()))
            .is_some()
    }

    /// What happens to the next call of SignalR Service of this kind, and its number.
    pub(crate) fn signalr_call(&self, kind: SignalRCall) -> (u64, Option<SignalRTrouble>) {
        let this = counted(&self.signalr_calls, kind);
        let trouble = self.find(|fault| match fault {
            Fault::SignalR { call, number, trouble } if (*call, *number) == (kind, this) => Some(*trouble),
            _ => None,
        });
        (this, trouble)
    }

    /// Whether SignalR Service is out at this moment, what callers then meet, and when it ends.
    pub(crate) fn signalr_outage(&self, now: Moment) -> Option<(Outage, Moment, &'static str)> {
        self.find(|fault| match fault {
            Fault::SignalROutage { at, lasts, manner } if (*at..at + lasts).contains(&now) => {
                Some((*manner, at + lasts, fault.kind()))
            }
            _ => None,
        })
    }
}

/// The number of the next one of a kind.
fn counted<K: Ord>(counters: &Mutex<BTreeMap<K, u64>>, kind: K) -> u64 {
    let mut counters = counters.lock().unwrap_or_else(PoisonError::into_inner);
    let counter = counters.entry(kind).or_default();
    *counter += 1;
    *counter - 1
}
