//! Where the plan meets the run: everything that can go wrong asks here, once each time, and is counted by asking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::plan::{Fault, Moment, Operation, PushTrouble, Trouble};

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
    operations: Mutex<BTreeMap<Operation, u64>>,
    polls: AtomicU64,
    checkpoints: AtomicU64,
    pushes: AtomicU64,
}

impl Faults {
    pub(crate) fn new(plan: &[Fault]) -> Faults {
        Faults {
            plan: plan.to_vec(),
            calm: AtomicBool::new(false),
            operations: Mutex::new(BTreeMap::new()),
            polls: AtomicU64::new(0),
            checkpoints: AtomicU64::new(0),
            pushes: AtomicU64::new(0),
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

    /// What happens to the next operation of this kind, and its number.
    pub(crate) fn operation(&self, kind: Operation) -> (u64, Option<Trouble>) {
        let mut operations = self.operations.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = operations.entry(kind).or_default();
        let this = *counter;
        *counter += 1;
        let trouble = self.find(|fault| match fault {
            Fault::Store { operation, number, trouble } if (*operation, *number) == (kind, this) => {
                Some(*trouble)
            }
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

    /// What happens to the next announcement, and its number.
    pub(crate) fn push(&self) -> (u64, Option<PushTrouble>) {
        let this = self.pushes.fetch_add(1, Ordering::Relaxed);
        let trouble = self.find(|fault| match fault {
            Fault::Push { call, trouble } if *call == this => Some(*trouble),
            _ => None,
        });
        (this, trouble)
    }

    /// Whether nothing can be announced at this moment.
    pub(crate) fn push_outage(&self, now: Moment) -> bool {
        self.find(|fault| match fault {
            Fault::PushOutage { at, lasts } if (*at..at + lasts).contains(&now) => Some(()),
            _ => None,
        })
        .is_some()
    }
}
