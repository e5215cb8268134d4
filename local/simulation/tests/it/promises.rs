//! With all protections in place.

use fieldcast_simulation::plan::{Fault, KINDS, plan};
use fieldcast_simulation::workload::Workload;
use std::path::Path;

use fieldcast_simulation::{Browser, ENGINE, Telling, explore, run};

/// Enough for every kind of fault to happen; `cargo dev simulate` runs as many as one likes.
const SEEDS: u64 = 300;

/// What has to be seen beside the faults themselves, or the faults would prove little.
const SEEN: [&str; 9] = [
    "batches delivered again after a failure",
    "checkpoints that went back",
    "connections that the page gave up",
    "kills between a write and its answer",
    "kills while a write was on its way",
    "messages heard",
    "questions about groups",
    "snapshots and catch-ups",
    "writes that met another writer",
];

fn browser() -> Browser {
    Browser::open(Path::new(ENGINE)).expect("Node and the page's module are there")
}

#[test]
fn every_promise_is_kept_whatever_goes_wrong() {
    let explored =
        explore(Path::new(ENGINE), 0..SEEDS, None, |_| ()).expect("Node and the page's module are there");
    if let Some(found) = explored.counterexample {
        panic!("cargo dev simulate --seed {}: {}, {:#?}", found.seed, found.violation, found.shortest);
    }
    assert_eq!(explored.runs, SEEDS);
    for kind in KINDS {
        assert!(explored.tally.faults.contains_key(kind), "never happened: {kind}");
    }
    for kind in explored.tally.faults.keys() {
        assert!(KINDS.contains(kind), "not listed: {kind}");
    }
    for what in SEEN {
        assert!(explored.tally.happened.contains_key(what), "never seen: {what}");
    }
}

#[test]
fn the_same_seed_is_the_same_run_step_by_step() {
    for seed in 0..12 {
        let faults = plan(seed, &Workload::of(seed));
        let tell = || run(&browser(), seed, &faults, None, Telling::Story);
        let (once, again) = (tell(), std::thread::scope(|scope| scope.spawn(tell).join().unwrap()));
        assert!(once.story.len() > 10, "seed {seed} has a story");
        assert_eq!(once.story, again.story, "seed {seed}");
        assert_eq!(once.tally, again.tally, "seed {seed}");
        assert_eq!(
            run(&browser(), seed, &faults, None, Telling::Silent).tally,
            once.tally,
            "listening changes nothing"
        );
    }
}

#[test]
fn a_handler_can_be_killed_at_every_await_point_of_a_run() {
    let (seed, browser) = (1, browser());
    let mut polls = 0..;
    let ended_by_itself = polls.find(|&poll| {
        let deaths = [false, true].map(|after| Fault::Kill { poll, after, instance: after });
        let outcomes = deaths.map(|death| run(&browser, seed, &[death], None, Telling::Silent));
        for outcome in &outcomes {
            assert_eq!(outcome.violations, [], "kill at poll {poll}");
        }
        outcomes.iter().all(|outcome| outcome.tally.faults.is_empty())
    });
    assert!(ended_by_itself.is_some_and(|polls| polls > 50), "{ended_by_itself:?}");
}
