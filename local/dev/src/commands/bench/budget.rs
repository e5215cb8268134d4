//! The budgets, each with its measured value.

use serde::Serialize;

use super::{
    super::package::LARGEST_PROGRAM,
    cell::{Environment, MANY, Temperature, USUAL},
    figures::{Measured, Report},
    hostile::Hostile,
    outcome::MeasurementOutcome,
    screens::Screens,
    system::System,
};

/// The host gives up on handlers that start slowly, and every scale-out takes this time.
const LONGEST_START_MS: f64 = 50.0;
/// A warm batch reads nothing, and writes five transactions of a hundred devices.
const MOST_REQUESTS: u64 = 5;
/// The predecessor makes two requests for each of 1,000 readings, whose delays alone are 16 s.
const LEAST_FASTER_THAN_PREDECESSOR: f64 = 300.0;
const LEAST_FASTER_THAN_NODE: f64 = 2.0;
/// Three round trips of 8 ms; the rest is for the work.
const LONGEST_BATCH_MS: f64 = 30.0;
const MOST_PROCESSOR_MICROSECONDS: f64 = 10.0;
const LARGEST_RESIDENT: u64 = 40_000_000;
/// An invocation's own deadline.
const LONGEST_HOSTILE_MS: f64 = 30_000.0;
const MOST_HOSTILE_SIZES: f64 = 3.0;
const HOSTILE_ALLOWANCE: u64 = 64_000_000;
const LONGEST_SNAPSHOT_MS: f64 = 250.0;
/// What a batch may take longer while many load snapshots.
const LONGEST_HOLD_UP_MS: f64 = 100.0;
const LARGEST_PEAK: u64 = 200_000_000;
const LONGEST_JOURNEY_MS: f64 = 100.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    Met,
    Broken,
    NotMeasured,
}

impl Verdict {
    pub(super) fn name(self) -> &'static str {
        match self {
            Verdict::Met => "met",
            Verdict::Broken => "BROKEN",
            Verdict::NotMeasured => "not measured",
        }
    }
}

#[derive(Serialize)]
pub(super) struct Budget {
    pub(super) what: &'static str,
    pub(super) measured: Option<f64>,
    pub(super) unit: &'static str,
    /// Either "at most" or "at least".
    pub(super) bound: &'static str,
    pub(super) limit: f64,
    pub(super) verdict: Verdict,
}

fn at_most(what: &'static str, measured: Option<f64>, limit: f64, unit: &'static str) -> Budget {
    let verdict = verdict(measured.map(|measured| measured <= limit));
    Budget { what, measured, unit, bound: "at most", limit, verdict }
}

fn at_least(what: &'static str, measured: Option<f64>, limit: f64, unit: &'static str) -> Budget {
    let verdict = verdict(measured.map(|measured| measured >= limit));
    Budget { what, measured, unit, bound: "at least", limit, verdict }
}

fn verdict(kept: Option<bool>) -> Verdict {
    match kept {
        Some(true) => Verdict::Met,
        Some(false) => Verdict::Broken,
        None => Verdict::NotMeasured,
    }
}

/// All budgets, measured or not.
pub(super) fn of(report: &Report) -> Vec<Budget> {
    of_handler(report).into_iter().chain(of_hostile(report)).chain(of_screens(&report.screens)).collect()
}

fn of_screens(screens: &Screens) -> Vec<Budget> {
    let crowd = screens.crowd.as_ref().and_then(MeasurementOutcome::measured);
    vec![
        at_most(
            "snapshot of 10,000 devices from the embedded store",
            screens.snapshots.as_ref().and_then(MeasurementOutcome::measured).map(|found| found.whole_ms),
            LONGEST_SNAPSHOT_MS,
            "ms",
        ),
        at_most(
            "p99 of a batch while 200 clients load such snapshots, more than alone",
            crowd.map(|found| found.p99_ms - found.alone_p99_ms),
            LONGEST_HOLD_UP_MS,
            "ms",
        ),
        at_most(
            "the most memory meanwhile",
            crowd.map(|found| megabytes(found.peak_bytes)),
            megabytes(LARGEST_PEAK),
            "MB",
        ),
        at_most(
            "device to browser on one machine, 200 readings a second, p99",
            screens.journey.as_ref().and_then(MeasurementOutcome::measured).map(|found| found.p99_ms),
            LONGEST_JOURNEY_MS,
            "ms",
        ),
    ]
}

fn of_handler(report: &Report) -> Vec<Budget> {
    let usual = |environment, system| report.measured(environment, USUAL, Temperature::Warm, system);
    let fieldcast = |environment| usual(environment, System::Fieldcast);
    let delayed = Environment::AzuriteDelayed;
    let faster = |than| {
        let times = usual(delayed, than)?.milliseconds / fieldcast(delayed)?.milliseconds;
        Some(times)
    };
    let processor = |measured: &Measured| measured.processor_microseconds_per_event;
    vec![
        at_most(
            "storage requests for 1,000 events of 500 devices, warm, one shard",
            fieldcast(Environment::Azurite).map(|measured| count(measured.storage_requests)),
            count(MOST_REQUESTS),
            "",
        ),
        at_least(
            "the same on Azurite with 8 ms: faster than the predecessor",
            faster(System::PythonPredecessor),
            LEAST_FASTER_THAN_PREDECESSOR,
            "x",
        ),
        at_least(
            "the same: faster than the best Node handler on Microsoft's SDK",
            faster(System::NodeSdkTransactions),
            LEAST_FASTER_THAN_NODE,
            "x",
        ),
        at_least(
            "the same: faster than a Node handler that writes the wire format by hand",
            faster(System::NodeBest),
            LEAST_FASTER_THAN_NODE,
            "x",
        ),
        at_most(
            "the same on stubs with 8 ms, push included",
            fieldcast(Environment::StubDelayed).map(|measured| measured.milliseconds),
            LONGEST_BATCH_MS,
            "ms",
        ),
        at_most(
            "processor time per event, the same on stubs",
            fieldcast(Environment::Stub).map(processor),
            MOST_PROCESSOR_MICROSECONDS,
            "µs",
        ),
        at_most(
            "process start to first answer",
            report.starts.as_ref().map(|starts| starts.handler_start_ms),
            LONGEST_START_MS,
            "ms",
        ),
        at_most(
            "resident memory with 10,000 devices known, batches as the host sends them",
            report.resident(System::Fieldcast, MANY.devices).map(megabytes),
            megabytes(LARGEST_RESIDENT),
            "MB",
        ),
        at_most(
            "program size, stripped",
            Some(megabytes(report.program_bytes)),
            megabytes(LARGEST_PROGRAM),
            "MB",
        ),
    ]
}

fn of_hostile(report: &Report) -> Vec<Budget> {
    vec![
        at_most(
            "a hostile batch of 32 MiB on Azurite, the slowest",
            hostile(report, |hostile| hostile.milliseconds),
            LONGEST_HOSTILE_MS,
            "ms",
        ),
        at_most(
            "memory of a hostile batch beyond 64 MB, in sizes of its request",
            hostile(report, |hostile| {
                count(hostile.peak_bytes.saturating_sub(HOSTILE_ALLOWANCE)) / count(hostile.request_bytes)
            }),
            MOST_HOSTILE_SIZES,
            "x",
        ),
    ]
}

/// The worst of the hostile batches.
fn hostile(report: &Report, value: impl Fn(&Hostile) -> f64) -> Option<f64> {
    report.hostile.iter().filter_map(|figure| figure.outcome.measured()).map(value).reduce(f64::max)
}

#[expect(clippy::cast_precision_loss, reason = "requests and bytes stay far below 2^53")]
fn count(number: u64) -> f64 {
    number as f64
}

fn megabytes(bytes: u64) -> f64 {
    count(bytes) / 1e6
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        super::{
            cell::Cell,
            figures::{Figure, MemoryFigure, Resident, Samples},
            machine::Machine,
            workload::Shape,
        },
        *,
    };

    fn report() -> Report {
        let machine = Machine { processor: String::new(), cores: 1, kernel: String::new() };
        let (memory, screens, cells) = (Vec::new(), Screens::default(), Vec::new());
        Report { machine, starts: None, program_bytes: 0, memory, hostile: Vec::new(), screens, cells }
    }

    fn figure(shape: Shape, system: System, milliseconds: u64, resident: Option<u64>) -> Figure {
        let (environment, temperature) = (Environment::AzuriteDelayed, Temperature::Warm);
        let samples = Samples { took: vec![Duration::from_millis(milliseconds)], ..Samples::default() };
        let cell = Cell { environment, shape, temperature, system };
        Figure::new(cell, MeasurementOutcome::Measured(Measured::of(&samples, shape, resident)))
    }

    fn verdict_on(report: &Report, part: &str) -> Verdict {
        let budgets = of(report);
        budgets.iter().find(|budget| budget.what.contains(part)).expect("there is such a budget").verdict
    }

    #[test]
    fn each_of_the_best_node_handlers_is_judged_by_itself() {
        let mut report = report();
        report.cells.push(figure(USUAL, System::Fieldcast, 10, None));
        report.cells.push(figure(USUAL, System::NodeSdkTransactions, 20, None));
        assert_eq!(verdict_on(&report, "Microsoft's SDK"), Verdict::Met);
        assert_eq!(verdict_on(&report, "by hand"), Verdict::NotMeasured);
        report.cells.push(figure(USUAL, System::NodeBest, 19, None));
        assert_eq!(verdict_on(&report, "Microsoft's SDK"), Verdict::Met);
        assert_eq!(verdict_on(&report, "by hand"), Verdict::Broken);
    }

    /// The host never sends a batch of 10,000.
    #[test]
    fn memory_is_judged_after_batches_of_the_size_that_the_host_sends() {
        let mut report = report();
        report.cells.push(figure(MANY, System::Fieldcast, 10, Some(LARGEST_RESIDENT * 2)));
        assert_eq!(verdict_on(&report, "memory"), Verdict::NotMeasured);
        for (devices, verdict) in [(12, Verdict::NotMeasured), (MANY.devices, Verdict::Met)] {
            let outcome =
                MeasurementOutcome::Measured(Resident { batches: 10, resident_bytes: LARGEST_RESIDENT });
            let (system, largest_batch) = (System::Fieldcast, 1_000);
            report.memory.push(MemoryFigure { system, devices, largest_batch, outcome });
            assert_eq!(verdict_on(&report, "memory"), verdict, "{devices} devices known");
        }
    }

    #[test]
    fn a_budget_is_broken_on_its_own_side() {
        assert_eq!(at_most("", Some(5.0), 5.0, "").verdict, Verdict::Met);
        assert_eq!(at_most("", Some(5.1), 5.0, "").verdict, Verdict::Broken);
        assert_eq!(at_least("", Some(2.0), 2.0, "").verdict, Verdict::Met);
        assert_eq!(at_least("", Some(1.9), 2.0, "").verdict, Verdict::Broken);
        assert_eq!(at_least("", None, 2.0, "").verdict, Verdict::NotMeasured);
    }
}
