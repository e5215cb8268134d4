//! The simulation in the test command: a few hundred seeds, and every protection taken away once.

use fieldcast_simulation::plan::plan;
use fieldcast_simulation::workload::Workload;
use fieldcast_simulation::{Tally, Telling, run};

#[test]
fn a_first_look() {
    let begun = std::time::Instant::now();
    let mut tally = Tally::default();
    let count = std::env::args()
        .skip(1)
        .find_map(|a| a.strip_prefix("n=").and_then(|n| n.parse().ok()))
        .unwrap_or(60u64);
    for seed in 0..count {
        let faults = plan(seed, &Workload::of(seed));
        let outcome = run(seed, &faults, None, Telling::Silent);
        tally.absorb(&outcome.tally);
        if let Some(v) = outcome.violations.first() {
            println!("{seed}: {} of {}; {v}", outcome.violations.len(), faults.len());
        }
    }
    println!("{:#?} {:?}", tally, begun.elapsed());
}
