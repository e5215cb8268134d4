//! The shortest fault list that still fails: take faults away, halves first, then one by one, until none can be missed.

use crate::browser::Browser;
use crate::plan::Fault;
use crate::protection::Protection;
use crate::run::{Telling, run};

/// A list from which no fault can be taken without the failure going away with it. `check` names the promise that must
/// still be broken.
pub fn shortest(
    browser: &Browser,
    seed: u64,
    plan: &[Fault],
    without: Option<Protection>,
    check: &str,
) -> Vec<Fault> {
    let fails = |faults: &[Fault]| {
        let outcome = run(browser, seed, faults, without, Telling::Silent);
        outcome.violations.iter().any(|violation| violation.check == check)
    };
    let mut faults = plan.to_vec();
    let mut chunk = faults.len().div_ceil(2).max(1);
    loop {
        let before = faults.len();
        let mut from = 0;
        while from < faults.len() {
            let fewer: Vec<Fault> =
                faults[..from].iter().chain(faults.iter().skip(from + chunk)).cloned().collect();
            match fails(&fewer) {
                true => faults = fewer,
                false => from += chunk,
            }
        }
        if chunk == 1 && faults.len() == before {
            return faults;
        }
        chunk = (chunk / 2).max(1);
    }
}
