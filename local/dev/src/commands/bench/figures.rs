//! What was measured, as numbers and as JSON.

use std::time::Duration;

use serde::{Serialize, Serializer, ser::SerializeStruct};

use super::{
    cell::{Cell, Environment, Temperature},
    machine::Machine,
    screens::Screens,
    start::Milliseconds,
    system::System,
    workload::Shape,
};

/// One batch after the other.
#[derive(Default)]
pub(super) struct Samples {
    pub(super) took: Vec<Duration>,
    pub(super) storage_requests: Vec<u64>,
    pub(super) signalr_requests: Vec<u64>,
    /// Of the handler, for all batches together.
    pub(super) processor: Duration,
}

/// A cell in figures: medians of the batches, processor time as the mean.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Measured {
    pub(super) batches: usize,
    pub(super) storage_requests: u64,
    pub(super) signalr_requests: u64,
    pub(super) milliseconds: Milliseconds,
    pub(super) fastest_milliseconds: Milliseconds,
    pub(super) processor_microseconds_per_event: f64,
    /// After whole batches of 10,000 devices, larger than the host sends them.
    pub(super) resident_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome<M> {
    Measured(M),
    LeftOut {
        reason: String,
    },
    /// The handler refused a batch or lost readings; nothing that it did counts.
    Failed {
        reason: String,
    },
}

pub(super) struct Figure {
    pub(super) cell: Cell,
    pub(super) outcome: Outcome<Measured>,
}

/// How soon handlers answer after their start.
#[derive(Serialize)]
pub(super) struct Starts {
    pub(super) rounds: usize,
    pub(super) handler_start_ms: Milliseconds,
    pub(super) node_start_ms: Milliseconds,
    /// How many times longer Node takes.
    pub(super) ratio: f64,
}

/// A handler that knows many devices, after batches of the size that the host sends.
#[derive(Serialize)]
pub(super) struct Memory {
    pub(super) system: System,
    pub(super) devices: u32,
    /// Events in it.
    pub(super) largest_batch: usize,
    pub(super) outcome: Outcome<Resident>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Resident {
    pub(super) batches: u64,
    pub(super) resident_bytes: u64,
}

/// Everything that a run found out.
#[derive(Serialize)]
pub(super) struct Report {
    pub(super) machine: Machine,
    #[serde(flatten)]
    pub(super) starts: Option<Starts>,
    pub(super) program_bytes: u64,
    pub(super) memory: Vec<Memory>,
    pub(super) screens: Screens,
    pub(super) cells: Vec<Figure>,
}

impl Measured {
    pub(super) fn of(samples: &Samples, shape: Shape, resident_bytes: Option<u64>) -> Measured {
        let milliseconds = |time: Duration| time.as_secs_f64() * 1000.0;
        let events = f64::from(shape.events) * samples.took.iter().map(|_| 1.0).sum::<f64>();
        Measured {
            batches: samples.took.len(),
            storage_requests: median(&samples.storage_requests),
            signalr_requests: median(&samples.signalr_requests),
            milliseconds: milliseconds(median(&samples.took)),
            fastest_milliseconds: milliseconds(samples.took.iter().min().copied().unwrap_or_default()),
            processor_microseconds_per_event: samples.processor.as_secs_f64() * 1e6 / events,
            resident_bytes,
        }
    }
}

pub(super) fn median<T: Copy + Default + Ord>(values: &[T]) -> T {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

impl<M> Outcome<M> {
    pub(super) fn measured(&self) -> Option<&M> {
        match self {
            Outcome::Measured(measured) => Some(measured),
            Outcome::LeftOut { .. } | Outcome::Failed { .. } => None,
        }
    }
}

impl Figure {
    pub(super) fn new(cell: Cell, outcome: Outcome<Measured>) -> Figure {
        Figure { cell, outcome }
    }

    pub(super) fn measured(&self) -> Option<&Measured> {
        self.outcome.measured()
    }
}

impl Report {
    pub(super) fn failed(&self) -> usize {
        let cells = self.cells.iter().filter(|figure| matches!(figure.outcome, Outcome::Failed { .. }));
        let memory = self.memory.iter().filter(|memory| matches!(memory.outcome, Outcome::Failed { .. }));
        cells.count() + memory.count() + self.screens.failed()
    }

    /// With so many devices known, after batches of the size that the host sends.
    pub(super) fn resident(&self, system: System, devices: u32) -> Option<u64> {
        let wanted = |memory: &&Memory| memory.system == system && memory.devices == devices;
        let measured = self.memory.iter().find(wanted)?.outcome.measured()?;
        Some(measured.resident_bytes)
    }

    pub(super) fn outcome(&self, cell: Cell) -> Option<&Outcome<Measured>> {
        self.cells.iter().find(|figure| figure.cell == cell).map(|figure| &figure.outcome)
    }

    pub(super) fn measured(
        &self,
        environment: Environment,
        shape: Shape,
        temperature: Temperature,
        system: System,
    ) -> Option<&Measured> {
        let wanted = Cell { environment, shape, temperature, system };
        self.cells.iter().find(|figure| figure.cell == wanted)?.measured()
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Cell { environment, shape, temperature, system } = self.cell;
        let mut figure = serializer.serialize_struct("Figure", 6)?;
        figure.serialize_field("environment", &environment)?;
        figure.serialize_field("events", &shape.events)?;
        figure.serialize_field("devices", &shape.devices)?;
        figure.serialize_field("temperature", &temperature)?;
        figure.serialize_field("system", &system)?;
        figure.serialize_field("outcome", &self.outcome)?;
        figure.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_median_of_its_batches_and_its_share_of_the_processor() {
        let samples = Samples {
            took: [9, 1, 5].map(Duration::from_millis).to_vec(),
            storage_requests: vec![5, 5, 6],
            signalr_requests: vec![1, 1, 1],
            processor: Duration::from_millis(6),
        };
        let measured = Measured::of(&samples, Shape { events: 100, devices: 10 }, None);
        assert_eq!((measured.storage_requests, measured.signalr_requests), (5, 1));
        assert!((measured.milliseconds - 5.0).abs() < 1e-9);
        assert!((measured.fastest_milliseconds - 1.0).abs() < 1e-9);
        assert!((measured.processor_microseconds_per_event - 20.0).abs() < 1e-9);
    }
}
