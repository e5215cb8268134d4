//! Many seeds: on all cores, with the lowest failing seed as the answer, whichever core finds it.

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::browser::{Browser, BrowserError};
use crate::checks::COUNTED_ONCE;
use crate::plan::{Fault, plan};
use crate::protection::Protection;
use crate::record::{Tally, Violation};
use crate::run::{Telling, run};
use crate::shrink::shortest;
use crate::workload::Workload;

/// A seed whose run broke a promise.
#[derive(Debug)]
pub struct Counterexample {
    /// The seed.
    pub seed: u64,
    /// The gravest promise that was broken.
    pub violation: Violation,
    /// All its faults.
    pub plan: Vec<Fault>,
    /// Those that are enough.
    pub shortest: Vec<Fault>,
}

/// What a number of seeds came to.
#[derive(Debug)]
pub struct Explored {
    /// Runs that were made.
    pub runs: u64,
    /// What happened in all of them.
    pub tally: Tally,
    /// The lowest seed that failed.
    pub counterexample: Option<Counterexample>,
}

/// Runs seeds until one fails, with a browser for each core. `progress` is told after each run how many there were.
///
/// # Errors
/// The page's code at `engine` cannot be run.
pub fn explore(
    engine: &Path,
    seeds: Range<u64>,
    without: Option<Protection>,
    progress: impl Fn(u64) + Sync,
) -> Result<Explored, BrowserError> {
    let (next, lowest) = (AtomicU64::new(seeds.start), AtomicU64::new(u64::MAX));
    let found = Mutex::new((0, Tally::default()));
    let work = || -> Result<(), BrowserError> {
        let browser = Browser::open(engine)?;
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end || seed > lowest.load(Ordering::Relaxed) {
                return Ok(());
            }
            let outcome = run(&browser, seed, &plan(seed, &Workload::of(seed)), without, Telling::Silent);
            if !outcome.violations.is_empty() {
                lowest.fetch_min(seed, Ordering::Relaxed);
            }
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            found.0 += 1;
            found.1.absorb(&outcome.tally);
            progress(found.0);
        }
    };
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().expect("a run does not panic"))
    })?;
    let (runs, tally) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let counterexample = match lowest.into_inner() {
        u64::MAX => None,
        lowest => examine(&Browser::open(engine)?, lowest, without),
    };
    Ok(Explored { runs, tally, counterexample })
}

/// A wrong count before everything else, then what was noticed first.
fn gravest(violations: Vec<Violation>) -> Option<Violation> {
    let count = violations.iter().position(|violation| violation.check == COUNTED_ONCE).unwrap_or(0);
    violations.into_iter().nth(count)
}

/// The gravest broken promise of a seed and the faults that break it; nothing when the seed is good.
pub fn examine(browser: &Browser, seed: u64, without: Option<Protection>) -> Option<Counterexample> {
    let plan = plan(seed, &Workload::of(seed));
    let violation = gravest(run(browser, seed, &plan, without, Telling::Silent).violations)?;
    let shortest = shortest(browser, seed, &plan, without, violation.check);
    Some(Counterexample { seed, violation, plan, shortest })
}
