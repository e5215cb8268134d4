//! The cells that are measured: a batch shape in an environment, warm or cold, by a system. A cell has a name, for
//! the command line and the JSON.

use std::time::Duration;

use serde::Serialize;

use super::{system::System, workload::Shape};

/// The services that the handlers use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Environment {
    Azurite,
    AzuriteDelayed,
    Stub,
    StubDelayed,
}

/// About the time of a request to Table Storage in the same region.
pub(super) const DELAY: Duration = Duration::from_millis(8);

impl Environment {
    pub(super) const ALL: [Environment; 4] =
        [Environment::Azurite, Environment::AzuriteDelayed, Environment::Stub, Environment::StubDelayed];

    pub(super) fn name(self) -> &'static str {
        match self {
            Environment::Azurite => "azurite",
            Environment::AzuriteDelayed => "azurite+8ms",
            Environment::Stub => "stub",
            Environment::StubDelayed => "stub+8ms",
        }
    }

    pub(super) fn described(self) -> &'static str {
        match self {
            Environment::Azurite => "Azurite",
            Environment::AzuriteDelayed => "Azurite, every storage reply delayed by 8 ms",
            Environment::Stub => "canned storage and SignalR",
            Environment::StubDelayed => "canned storage and SignalR, every reply delayed by 8 ms",
        }
    }

    pub(super) fn is_azurite(self) -> bool {
        matches!(self, Environment::Azurite | Environment::AzuriteDelayed)
    }

    pub(super) fn storage_delay(self) -> Duration {
        match self {
            Environment::Azurite | Environment::Stub => Duration::ZERO,
            Environment::AzuriteDelayed | Environment::StubDelayed => DELAY,
        }
    }

    pub(super) fn signalr_delay(self) -> Duration {
        match self {
            Environment::StubDelayed => DELAY,
            _ => Duration::ZERO,
        }
    }
}

/// Whether the handler has handled the same devices before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Temperature {
    /// A process that has just started, with the rows in the table.
    Cold,
    /// A running process, with new events of the same devices.
    Warm,
}

impl Temperature {
    pub(super) fn name(self) -> &'static str {
        match self {
            Temperature::Cold => "cold",
            Temperature::Warm => "warm",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) environment: Environment,
    pub(super) shape: Shape,
    pub(super) temperature: Temperature,
    pub(super) system: System,
}

impl Cell {
    /// As in `azurite+8ms/1,000 of 500/warm/fieldcast`.
    pub(super) fn name(self) -> String {
        let Cell { environment, shape, temperature, system } = self;
        format!("{}/{}/{}/{}", environment.name(), shape.name(), temperature.name(), system.name())
    }
}

const fn shape(events: u32, devices: u32) -> Shape {
    Shape { events, devices }
}

/// The shape that the budgets are about.
pub(super) const USUAL: Shape = shape(1_000, 500);
/// The shape that memory is measured with.
pub(super) const MANY: Shape = shape(10_000, 10_000);

/// Which cells are measured, and for how long.
pub(super) struct BenchPlan {
    pub(super) shapes: &'static [Shape],
    /// Parts of cell names, of which one must match. Empty means all cells.
    pub(super) only: Vec<String>,
    /// A cell whose batch would take longer is left out.
    pub(super) longest_batch: Duration,
    pub(super) cold: Rounds,
    pub(super) warm_up: Rounds,
    pub(super) warm: Rounds,
    /// The batches before memory is measured, and how often they are sent.
    pub(super) known: Shape,
    pub(super) known_rounds: Rounds,
    /// Bytes of the bodies of a hostile batch.
    pub(super) hostile_bytes: usize,
    pub(super) starts: usize,
    /// The number of snapshots.
    pub(super) snapshots: usize,
    /// The batches that are posted alone, and again while others load snapshots.
    pub(super) crowded_batches: usize,
    /// How long a page is watched.
    pub(super) watched: Duration,
}

/// Rounds continue until there are enough or enough time has passed.
#[derive(Clone, Copy)]
pub(super) struct Rounds {
    pub(super) most: usize,
    pub(super) time: Duration,
}

impl Rounds {
    const ONE: Rounds = Rounds { most: 1, time: Duration::ZERO };

    pub(super) fn enough(self, rounds: usize, spent: Duration) -> bool {
        rounds >= self.most || (rounds > 0 && spent >= self.time)
    }
}

impl BenchPlan {
    /// Every shape, without the cells that are slower than `longest_batch`.
    pub(super) fn thorough(only: Vec<String>, longest_batch: Duration) -> BenchPlan {
        const SHAPES: &[Shape] = &[shape(1, 1), shape(100, 100), USUAL, shape(1_000, 10), MANY];
        BenchPlan {
            shapes: SHAPES,
            only,
            longest_batch,
            cold: Rounds { most: 5, time: Duration::from_millis(800) },
            // Enough for Node's compilers to have optimised the handler.
            warm_up: Rounds { most: 200, time: Duration::from_millis(1_200) },
            // Long enough that one second of other load on the machine does not change the result.
            warm: Rounds { most: 51, time: Duration::from_secs(4) },
            known: MANY,
            known_rounds: Rounds { most: 20, time: Duration::from_secs(3) },
            // What host.json lets the host fetch at once.
            hostile_bytes: 32 * 1024 * 1024,
            // Odd, so that the median is a measured value, and enough that two slow starts do not change it.
            starts: 15,
            snapshots: 21,
            // The 99th percentile is the second longest.
            crowded_batches: 200,
            watched: Duration::from_secs(30),
        }
    }

    /// One small round of everything, to check that it works.
    pub(super) fn quick(only: Vec<String>) -> BenchPlan {
        const SHAPES: &[Shape] = &[shape(1, 1), shape(24, 12)];
        BenchPlan {
            shapes: SHAPES,
            only,
            longest_batch: Duration::from_secs(60),
            cold: Rounds::ONE,
            warm_up: Rounds::ONE,
            warm: Rounds::ONE,
            known: SHAPES[1],
            known_rounds: Rounds::ONE,
            hostile_bytes: 256 * 1024,
            starts: 1,
            snapshots: 1,
            crowded_batches: 3,
            watched: Duration::from_secs(3),
        }
    }

    pub(super) fn wants(&self, cell: Cell) -> bool {
        self.wants_named(&cell.name())
    }

    pub(super) fn wants_memory(&self, system: System) -> bool {
        self.wants_named(&format!("memory/{}", system.name()))
    }

    pub(super) fn wants_hostile(&self, content: &str) -> bool {
        self.wants_named(&format!("hostile/{content}"))
    }

    pub(super) fn wants_starts(&self) -> bool {
        self.wants_named("start")
    }

    pub(super) fn wants_screens(&self, what: &str) -> bool {
        self.wants_named(&format!("screens/{what}"))
    }

    fn wants_named(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| name.contains(part.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CELL: Cell = Cell {
        environment: Environment::AzuriteDelayed,
        shape: USUAL,
        temperature: Temperature::Warm,
        system: System::Fieldcast,
    };

    #[test]
    fn cells_are_chosen_by_parts_of_their_names() {
        assert_eq!(CELL.name(), "azurite+8ms/1,000 of 500/warm/fieldcast");
        let wants = |only: &[&str]| {
            BenchPlan::quick(only.iter().map(|part| (*part).to_owned()).collect()).wants(CELL)
        };
        assert!(wants(&[]) && wants(&["500/warm"]) && wants(&["cold", "fieldcast"]));
        assert!(!wants(&["cold"]));
    }

    #[test]
    fn rounds_end_by_number_or_by_time_but_not_before_the_first() {
        let rounds = Rounds { most: 3, time: Duration::from_secs(1) };
        assert!(!rounds.enough(0, Duration::from_secs(9)));
        assert!(!rounds.enough(2, Duration::ZERO));
        assert!(rounds.enough(3, Duration::ZERO) && rounds.enough(1, Duration::from_secs(1)));
    }
}
