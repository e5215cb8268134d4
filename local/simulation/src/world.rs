//! The world of one run: its seed, its work, its plan, the tables, and the record of what happened. Everything in it is
//! shared by tasks of one thread; the locks are there because the handler's seams ask for `Send`, and never contended.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fieldcast::telemetry::catalogue::Catalogue;
use tokio::time::Instant;

use crate::dice::Dice;
use crate::faults::Faults;
use crate::plan::Fault;
use crate::protection::Protection;
use crate::record::{Record, Violation};
use crate::scenario::{HUB_EPOCH, Moment};
use crate::tables::Tables;
use crate::workload::Workload;

/// One run's world.
pub(crate) struct World {
    pub(crate) seed: u64,
    pub(crate) workload: Workload,
    pub(crate) faults: Faults,
    pub(crate) without: Option<Protection>,
    pub(crate) catalogue: Arc<Catalogue>,
    started: Instant,
    pub(crate) tables: Tables,
    record: Mutex<Record>,
    under_way: AtomicUsize,
}

/// Something under way: the world is not quiet before it has ended.
pub(crate) struct UnderWay(Arc<World>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

impl World {
    /// The world of a seed before anything has happened. Must be called inside the runtime whose time is the world's.
    pub(crate) fn new(seed: u64, plan: &[Fault], without: Option<Protection>, told: bool) -> World {
        let workload = Workload::of(seed);
        let catalogue = Arc::new(Catalogue::environment());
        let started = Instant::now();
        let tables = Tables::new(&workload, &catalogue, move || {
            HUB_EPOCH + i64::try_from(started.elapsed().as_millis()).expect("a run is short")
        });
        World {
            seed,
            workload,
            faults: Faults::new(plan),
            without,
            catalogue,
            started,
            tables,
            record: Mutex::new(Record::new(told)),
            under_way: AtomicUsize::new(0),
        }
    }

    pub(crate) fn now(&self) -> Moment {
        Moment::try_from(self.started.elapsed().as_millis()).expect("a run is short")
    }

    pub(crate) fn instant(&self, moment: Moment) -> Instant {
        self.started + Duration::from_millis(moment)
    }

    pub(crate) fn dice(&self, purpose: &str, number: u64) -> Dice {
        Dice::of(self.seed, purpose, number)
    }

    /// The record, for reading it at the end.
    pub(crate) fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a sentence to the story, where somebody wants to hear it.
    pub(crate) fn tell(&self, sentence: impl FnOnce() -> String) {
        let now = self.now();
        self.record().tell(now, sentence);
    }

    /// Counts something.
    pub(crate) fn count(&self, what: &'static str) {
        self.record().tally.add(what, 1);
    }

    /// Counts a fault that really happened.
    pub(crate) fn injected(&self, kind: &'static str) {
        self.record().tally.inject(kind);
        self.tell(|| format!("FAULT {kind}"));
    }

    /// Notes that a promise was broken.
    pub(crate) fn violated(&self, check: &'static str, detail: impl Into<String>) {
        let detail = detail.into();
        self.tell(|| format!("BROKEN {check}: {detail}"));
        self.record().violations.push(Violation { check, detail });
    }

    pub(crate) fn begin(self: &Arc<World>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(Arc::clone(self))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.under_way.load(Ordering::Relaxed) == 0
    }
}
